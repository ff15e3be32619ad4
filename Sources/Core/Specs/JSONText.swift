/// Reads JSON text into nodes that know their line.
///
/// YAML readers take most JSON, but not all of it (surrogate pairs, long keys), and machines that send specs write such
/// text.
struct JSONText {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var depth = 0

    private static let deepest = 200

    init(_ text: String) { bytes = Array(text.utf8) }

    /// The one value that the whole text holds.
    static func read(_ text: String) throws(SpecSyntaxError) -> SpecNode {
        var reader = JSONText(text)
        reader.skipSpace()
        let node = try reader.value()
        reader.skipSpace()
        if reader.index < reader.bytes.count { throw reader.fault("text after the end of the JSON value") }
        return node
    }

    private func fault(_ message: String) -> SpecSyntaxError { SpecSyntaxError(line: line, message: message) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            default: return
            }
            index += 1
        }
    }

    private mutating func value() throws(SpecSyntaxError) -> SpecNode {
        let start = line
        guard let byte = next else { throw fault("the text ends where a value is expected") }
        depth += 1
        defer { depth -= 1 }
        if depth > Self.deepest { throw fault("more than \(Self.deepest) levels of nesting") }
        let content: SpecNode.Content
        switch byte {
        case UInt8(ascii: "{"): content = .object(try members())
        case UInt8(ascii: "["): content = .array(try elements())
        case UInt8(ascii: "\""): content = .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): content = .number(try number())
        default: content = try word()
        }
        return SpecNode(content: content, line: start)
    }

    private mutating func word() throws(SpecSyntaxError) -> SpecNode.Content {
        for (text, content) in [("true", SpecNode.Content.bool(true)), ("false", .bool(false)), ("null", .null)]
        where bytes[index...].starts(with: text.utf8) {
            index += text.utf8.count
            return content
        }
        throw fault("unexpected character \(Character(UnicodeScalar(bytes[index])))")
    }

    private mutating func elements() throws(SpecSyntaxError) -> [SpecNode] {
        index += 1
        var result: [SpecNode] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            index += 1
            return result
        }
        while true {
            skipSpace()
            result.append(try value())
            skipSpace()
            if try !comma(or: UInt8(ascii: "]")) { return result }
        }
    }

    private mutating func members() throws(SpecSyntaxError) -> [SpecNode.Member] {
        index += 1
        var result: [SpecNode.Member] = []
        skipSpace()
        if next == UInt8(ascii: "}") {
            index += 1
            return result
        }
        while true {
            skipSpace()
            let start = line
            guard next == UInt8(ascii: "\"") else { throw fault("expected a field name in double quotes") }
            let name = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw fault("expected a colon after \"\(name)\"") }
            index += 1
            skipSpace()
            result.append(SpecNode.Member(name: name, line: start, value: try value()))
            skipSpace()
            if try !comma(or: UInt8(ascii: "}")) { return result }
        }
    }

    /// Consumes a comma (true) or `end` (false).
    private mutating func comma(or end: UInt8) throws(SpecSyntaxError) -> Bool {
        guard let byte = next, byte == UInt8(ascii: ",") || byte == end else {
            throw fault("expected a comma or \(Character(UnicodeScalar(end)))")
        }
        index += 1
        return byte != end
    }

    private mutating func number() throws(SpecSyntaxError) -> String {
        let start = index
        while let byte = next, Self.numeric.contains(byte) { index += 1 }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard JSONNumber.isValid(text) else { throw fault("\(text) is not a JSON number") }
        return text
    }

    private static let numeric = Set("+-.0123456789eE".utf8)

    private mutating func string() throws(SpecSyntaxError) -> String {
        index += 1
        var result: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw fault("a control character inside a string: write it as an escape such as \\n")
            default: result.append(byte)
            }
        }
        throw fault("a string without its closing quote")
    }

    private mutating func escape(into result: inout [UInt8]) throws(SpecSyntaxError) {
        guard let byte = next else { throw fault("a string without its closing quote") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "u"):
            var code = try unit()
            if (0xd800..<0xdc00).contains(code), bytes[index...].starts(with: "\\u".utf8) {
                index += 2
                let low = try unit()
                guard (0xdc00..<0xe000).contains(low) else { throw fault("half a surrogate pair in a string") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = UnicodeScalar(code) else { throw fault("half a surrogate pair in a string") }
            result.append(contentsOf: String(Character(scalar)).utf8)
        default: throw fault("unknown escape \\\(Character(UnicodeScalar(byte)))")
        }
    }

    private mutating func unit() throws(SpecSyntaxError) -> UInt32 {
        let digits = bytes[index..<min(index + 4, bytes.count)]
        guard digits.count == 4, let high = Hex.decode(String(decoding: digits, as: UTF8.self)) else {
            throw fault("\\u takes four hex digits")
        }
        index += 4
        return UInt32(high[0]) << 8 | UInt32(high[1])
    }
}

/// The grammar of JSON numbers.
enum JSONNumber {
    static func isValid(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func digits(_ rest: inout Substring.UTF8View) -> Int {
            let run = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(run.count)
            return run.count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let leadingZero = rest.first == UInt8(ascii: "0")
        let whole = digits(&rest)
        if whole == 0 || (leadingZero && whole > 1) { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            if digits(&rest) == 0 { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            if digits(&rest) == 0 { return false }
        }
        return rest.isEmpty
    }

    /// `0` or an optional minus and digits without a leading zero.
    static func isPlainInteger(_ text: String) -> Bool {
        isValid(text) && text != "-0"
            && text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
}
