/// A JSON document that keeps the order of its keys and the text of its numbers.
indirect enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSON])
    case object([Member])

    struct Member: Equatable, Sendable {
        var key: String
        var value: JSON
    }

    /// The value of a key of an object.
    subscript(key: String) -> JSON? {
        get {
            guard case .object(let members) = self else { return nil }
            return members.last { $0.key == key }?.value
        }
        set {
            guard case .object(var members) = self else { return }
            let index = members.lastIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
            self = .object(members)
        }
    }

    var text: String? { if case .string(let text) = self { text } else { nil } }
    var flag: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
    var members: [Member]? { if case .object(let members) = self { members } else { nil } }

    /// Without spaces and line ends.
    var compact: String {
        var text = ""
        write(into: &text, indent: nil)
        return text
    }

    /// One field per line, two spaces of indent, no line end after the last brace.
    var pretty: String {
        var text = ""
        write(into: &text, indent: 0)
        return text
    }

    /// The same content with the keys of every object in byte order.
    var sorted: JSON {
        switch self {
        case .array(let elements): .array(elements.map(\.sorted))
        case .object(let members):
            .object(
                members.map { Member(key: $0.key, value: $0.value.sorted) }
                    .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
        default: self
        }
    }

    private func write(into text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): Self.quote(string, into: &text)
        case .array(let elements):
            Self.list(elements, "[", "]", into: &text, indent: indent) { $0.write(into: &$1, indent: $2) }
        case .object(let members):
            Self.list(members, "{", "}", into: &text, indent: indent) { member, text, indent in
                Self.quote(member.key, into: &text)
                text += indent == nil ? ":" : ": "
                member.value.write(into: &text, indent: indent)
            }
        }
    }

    private static func list<T>(
        _ items: [T], _ open: String, _ close: String, into text: inout String, indent: Int?,
        _ write: (T, inout String, Int?) -> Void
    ) {
        text += open
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            if let indent { text += "\n" + String(repeating: "  ", count: indent + 1) }
            write(item, &text, indent.map { $0 + 1 })
        }
        if let indent, !items.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }

    static func quote(_ string: String, into text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..<"\u{20}":
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension JSON {
    /// Reads one document; throws with the line of the first thing that is not JSON.
    init(parsing text: String) throws {
        var reader = JSONReader(text)
        self = try reader.document()
    }
}

/// A strict JSON reader over UTF-8.
struct JSONReader {
    private let bytes: [UInt8]
    private var index = 0
    private let depthLimit = 200

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func document() throws -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw problem("text after the end of the document") }
        return value
    }

    private mutating func value(depth: Int) throws -> JSON {
        guard depth < depthLimit else { throw problem("more than \(depthLimit) levels") }
        skipSpace()
        guard index < bytes.count else { throw problem("unexpected end") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        default: return try word()
        }
    }

    private mutating func object(depth: Int) throws -> JSON {
        index += 1
        var members: [JSON.Member] = []
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                throw problem("expected a key in quotes")
            }
            let key = try string()
            guard take(":") else { throw problem("expected : after the key \"\(key)\"") }
            members.append(JSON.Member(key: key, value: try value(depth: depth + 1)))
            if take("}") { return .object(members) }
            guard take(",") else { throw problem("expected , or }") }
        }
    }

    private mutating func array(depth: Int) throws -> JSON {
        index += 1
        var elements: [JSON] = []
        if take("]") { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            if take("]") { return .array(elements) }
            guard take(",") else { throw problem("expected , or ]") }
        }
    }

    private mutating func word() throws -> JSON {
        let start = index
        while index < bytes.count, !",]}: \n\r\t".utf8.contains(bytes[index]) { index += 1 }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        switch text {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            guard isJSONNumber(text) else { throw problem("unexpected \"\(text)\"") }
            return .number(text)
        }
    }

    private mutating func string() throws -> String {
        index += 1
        var content: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &content)
            default: content.append(byte)
            }
        }
        throw problem("a string is not closed")
    }

    private mutating func escape(into content: inout [UInt8]) throws {
        guard index < bytes.count else { throw problem("a string is not closed") }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "n"): content.append(10)
        case UInt8(ascii: "r"): content.append(13)
        case UInt8(ascii: "t"): content.append(9)
        case UInt8(ascii: "b"): content.append(8)
        case UInt8(ascii: "f"): content.append(12)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code), index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
                bytes[index + 1] == UInt8(ascii: "u")
            {
                index += 2
                code = 0x10000 + (code - 0xD800) << 10 + (try hexadecimal()) &- 0xDC00
            }
            content += Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default: throw problem("unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard index + 4 <= bytes.count,
            let code = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw problem("\\u needs four hexadecimal digits") }
        index += 4
        return code
    }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == character.asciiValue else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count, [32, 10, 13, 9].contains(bytes[index]) { index += 1 }
    }

    private func problem(_ text: String) -> Failure {
        let line = bytes[..<min(index, bytes.count)].count { $0 == 10 } + 1
        return Failure("line \(line): \(text)")
    }
}

/// Whether a text is a number in JSON's grammar.
func isJSONNumber(_ text: String) -> Bool {
    var rest = Substring(text)
    func digits() -> Bool {
        let run = rest.prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(run.count)
        return !run.isEmpty
    }
    if rest.first == "-" { rest.removeFirst() }
    if rest.first == "0" { rest.removeFirst() } else if !digits() { return false }
    if rest.first == "." {
        rest.removeFirst()
        if !digits() { return false }
    }
    if let mark = rest.first, mark == "e" || mark == "E" {
        rest.removeFirst()
        if let sign = rest.first, sign == "+" || sign == "-" { rest.removeFirst() }
        if !digits() { return false }
    }
    return rest.isEmpty
}
