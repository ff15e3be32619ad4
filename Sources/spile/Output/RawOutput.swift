import SwiftProtobuf
import Yams

/// `--raw`: messages as JSON or YAML, one field per line, names as on the wire (`contract/cli.md` §3.5).
struct RawOutput: Sendable {
    enum Format: Sendable { case json, yaml }
    let format: Format

    /// Reads `-o`; the empty text is JSON.
    init(_ format: String) throws {
        switch format.lowercased() {
        case "", "json": self.format = .json
        case "yaml", "yml": self.format = .yaml
        default: throw Failure("unknown output format \"\(format)\": use json or yaml")
        }
    }

    /// The text of one message of a list, with the line end that lets a reader see where it stops.
    func text(_ message: some Message, isFirst: Bool) throws -> String {
        try text(Self.json(message), isFirst: isFirst)
    }

    func text(_ json: JSON, isFirst: Bool) throws -> String {
        switch format {
        case .json: return json.pretty + "\n"
        case .yaml: return (isFirst ? "" : "---\n") + (try Self.yaml(json.sorted))
        }
    }

    /// A message as a JSON document with the names of the wire.
    static func json(_ message: some Message) throws -> JSON {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return try JSON(parsing: message.jsonString(options: options))
    }

    static func yaml(_ json: JSON) throws -> String {
        try Yams.serialize(node: node(json))
    }

    private static func node(_ json: JSON) -> Node {
        switch json {
        case .null: Node("null", Tag(.null))
        case .bool(let flag): Node(flag ? "true" : "false", Tag(.bool))
        case .number(let number): Node(number, Tag(isInteger(number) ? .int : .float))
        case .string(let text): Node(text, Tag(.str), looksTyped(text) ? .doubleQuoted : .any)
        case .array(let elements): Node(elements.map(node), Tag(.seq))
        case .object(let members): Node(members.map { (Node($0.key, Tag(.str)), node($0.value)) }, Tag(.map))
        }
    }

    private static func isInteger(_ number: String) -> Bool { Int64(number) != nil }

    /// Whether a plain scalar with this text would be read as something else than a string.
    private static func looksTyped(_ text: String) -> Bool {
        text.isEmpty || text == "~" || isJSONNumber(text)
            || ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
    }
}
