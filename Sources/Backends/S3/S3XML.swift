/// A reader of the XML that S3 stores answer with, and no more of XML than that: elements, text, the five named
/// entities and numeric ones, comments, CDATA. Attributes are passed over; a document type is refused, so that nothing
/// can be declared. Names lose their namespace's prefix.
///
/// Bounded: elements nest at most 16 deep, there are at most 100,000 of them, and each is a part of an answer whose
/// size the caller has bounded.
struct S3XML {
    struct Element: Sendable, Equatable {
        var name: String
        /// The text between the tags, without that of the children.
        var text = ""
        var children: [Element] = []

        /// The text of the first child of a name; nil without one.
        subscript(_ name: String) -> String? { children.first { $0.name == name }?.text }

        func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
    }

    /// Where the text is not what it should be, in bytes from its start.
    struct Malformed: Error, Equatable {
        let offset: Int
    }

    private static let deepest = 16
    private static let mostElements = 100_000

    private let bytes: [UInt8]
    private var position = 0
    private var elements = 0

    /// The outermost element. Throws ``Malformed``.
    static func parse(_ bytes: some Sequence<UInt8>) throws -> Element {
        var reader = S3XML(bytes: Array(bytes))
        return try reader.document()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var malformed: Malformed { Malformed(offset: position) }

    private func starts(with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard position + length <= bytes.count else { return false }
        return text.withUTF8Buffer { expected in (0..<length).allSatisfy { bytes[position + $0] == expected[$0] } }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        guard starts(with: text) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    /// The bytes up to `end`, which is passed over.
    private mutating func take(until end: StaticString) throws -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.count {
            if starts(with: end) {
                defer { position += end.utf8CodeUnitCount }
                return bytes[start..<position]
            }
            position += 1
        }
        throw malformed
    }

    private mutating func skipSpace() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private mutating func document() throws -> Element {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
        try skipProlog()
        guard take("<") else { throw malformed }
        let root = try element(depth: 1)
        try skipProlog()
        guard position == bytes.count else { throw malformed }
        return root
    }

    private mutating func skipProlog() throws {
        while true {
            skipSpace()
            if take("<?") {
                _ = try take(until: "?>")
            } else if take("<!--") {
                _ = try take(until: "-->")
            } else {
                return
            }
        }
    }

    /// Everything of an element behind its `<`.
    private mutating func element(depth: Int) throws -> Element {
        elements += 1
        guard depth <= Self.deepest, elements <= Self.mostElements else { throw malformed }
        var element = Element(name: try name())
        if try skipAttributes() { return element }
        var text: [UInt8] = []
        while true {
            if take("</") {
                guard try name() == element.name else { throw malformed }
                skipSpace()
                guard take(">") else { throw malformed }
                element.text = String(decoding: text, as: UTF8.self)
                return element
            }
            if take("<!--") {
                _ = try take(until: "-->")
            } else if take("<![CDATA[") {
                text += try take(until: "]]>")
            } else if take("<") {
                element.children.append(try self.element(depth: depth + 1))
            } else if take("&") {
                text += try entity()
            } else {
                guard position < bytes.count else { throw malformed }
                text.append(bytes[position])
                position += 1
            }
        }
    }

    private mutating func name() throws -> String {
        var start = position
        while position < bytes.count, Self.isOfNames(bytes[position]) {
            position += 1
            if bytes[position - 1] == UInt8(ascii: ":") { start = position }
        }
        guard position > start else { throw malformed }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func isOfNames(_ byte: UInt8) -> Bool {
        byte >= 0x80 || S3Coding.isUnreserved(byte) || byte == UInt8(ascii: ":")
    }

    /// Passes over what stands between an element's name and its `>`; true if it has no content.
    private mutating func skipAttributes() throws -> Bool {
        while position < bytes.count {
            if take("/>") { return true }
            if take(">") { return false }
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { _ = try take(until: "\"") }
            if byte == UInt8(ascii: "'") { _ = try take(until: "'") }
            if byte == UInt8(ascii: "<") { throw malformed }
        }
        throw malformed
    }

    /// What stands behind a `&`.
    private mutating func entity() throws -> [UInt8] {
        let word = String(decoding: try take(until: ";").prefix(12), as: UTF8.self)
        switch word {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let isHex = word.hasPrefix("#x")
            guard word.hasPrefix("#"), let number = UInt32(word.dropFirst(isHex ? 2 : 1), radix: isHex ? 16 : 10),
                let scalar = Unicode.Scalar(number)
            else { throw malformed }
            return Array(String(Character(scalar)).utf8)
        }
    }

    /// A text as it stands between tags.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case _ where scalar.value < 0x20: result += "&#\(scalar.value);"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
