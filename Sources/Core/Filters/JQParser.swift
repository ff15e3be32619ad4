/// Reads the text of a ``JQFilter``.
struct JQParser {
    private let text: [Unicode.Scalar]
    private var index = 0
    private var depth = 0
    /// Terms that hold others, so far: what is evaluated, and freed, goes no deeper.
    private var holders = 0

    private static let deepest = 100
    private static let mostHolders = 300
    private static let longest = 10_000
    private static let plainCalls: Set = ["not", "length"]
    private static let callsWithArgument: Set = ["select", "startswith", "endswith", "contains", "test"]

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    mutating func whole() throws(SpileError) -> JQFilter.Term {
        if text.count > Self.longest { throw wrong("it is longer than \(Self.longest) characters") }
        let term = try pipe()
        if let next = peek() { throw beyond("\"\(next)\" at position \(index + 1)") }
        return term
    }

    private mutating func pipe() throws(SpileError) -> JQFilter.Term {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.deepest { throw wrong("more than \(Self.deepest) levels") }
        let first = try either()
        return take("|") ? .pipe(first, try pipe()) : first
    }

    private mutating func held(_ term: JQFilter.Term) throws(SpileError) -> JQFilter.Term {
        holders += 1
        if holders > Self.mostHolders { throw wrong("more than \(Self.mostHolders) parts") }
        return term
    }

    private mutating func either() throws(SpileError) -> JQFilter.Term {
        var term = try both()
        while takeWord("or") { term = .either(try held(term), try both()) }
        return term
    }

    private mutating func both() throws(SpileError) -> JQFilter.Term {
        var term = try comparison()
        while takeWord("and") { term = .both(try held(term), try comparison()) }
        return term
    }

    private mutating func comparison() throws(SpileError) -> JQFilter.Term {
        let left = try path()
        for sign in ["==", "!=", "<=", ">=", "<", ">"] where take(sign) {
            return .compare(left, sign, try path())
        }
        return left
    }

    private mutating func path() throws(SpileError) -> JQFilter.Term {
        var term = try primary()
        while index < text.count, text[index] == "." || text[index] == "[" { term = try member(of: try held(term)) }
        return term
    }

    /// `.name`, `."name"`, `["name"]` or `.["name"]` behind a term.
    private mutating func member(of term: JQFilter.Term) throws(SpileError) -> JQFilter.Term {
        if text[index] == "." { index += 1 }
        guard let next = index < text.count ? text[index] : nil else { throw wrong("it ends where a name is expected") }
        if next == "[" {
            index += 1
            guard peek() == "\"" else { throw beyond("[ without a name in quotes") }
            let name = try string()
            guard take("]") else { throw wrong("a ] is missing") }
            return .member(term, name)
        }
        if next == "\"" { return .member(term, try string()) }
        let name = word()
        if name.isEmpty { throw wrong("a name is expected at position \(index + 1)") }
        return .member(term, name)
    }

    private mutating func primary() throws(SpileError) -> JQFilter.Term {
        guard let next = peek() else { throw wrong("it ends where a value is expected") }
        switch next {
        case "(":
            index += 1
            return try closed(try pipe())
        case ".":
            let after = index + 1 < text.count ? text[index + 1] : " "
            if Self.isLetter(after) || after == "\"" || after == "[" { return try member(of: .identity) }
            index += 1
            return .identity
        case "\"": return .literal(.string(try string()))
        case "-", "0"..."9": return .literal(try number())
        default: return try named()
        }
    }

    private mutating func named() throws(SpileError) -> JQFilter.Term {
        let name = word()
        switch name {
        case "": throw beyond("\"\(text[index])\" at position \(index + 1)")
        case "true": return .literal(.bool(true))
        case "false": return .literal(.bool(false))
        case "null": return .literal(.null)
        default: break
        }
        if Self.plainCalls.contains(name) { return .call(name, nil) }
        guard Self.callsWithArgument.contains(name) else { throw beyond(name) }
        guard take("(") else { throw wrong("\(name) wants something in ( )") }
        return .call(name, try closed(try pipe()))
    }

    private mutating func closed(_ term: JQFilter.Term) throws(SpileError) -> JQFilter.Term {
        guard take(")") else { throw wrong("a ) is missing") }
        return term
    }

    // MARK: Words

    private mutating func peek() -> Unicode.Scalar? {
        while index < text.count, text[index].properties.isWhitespace { index += 1 }
        return index < text.count ? text[index] : nil
    }

    private mutating func take(_ sign: String) -> Bool {
        guard peek() != nil, text[index...].starts(with: sign.unicodeScalars) else { return false }
        index += sign.unicodeScalars.count
        return true
    }

    private mutating func takeWord(_ wanted: String) -> Bool {
        guard peek() != nil else { return false }
        let start = index
        if word() == wanted { return true }
        index = start
        return false
    }

    private mutating func word() -> String {
        var result = String.UnicodeScalarView()
        while index < text.count, Self.isLetter(text[index]) || !result.isEmpty && Self.isDigit(text[index]) {
            result.append(text[index])
            index += 1
        }
        return String(result)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar == "_")
    }
    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private mutating func string() throws(SpileError) -> String {
        let start = index
        index += 1
        while index < text.count, text[index] != "\"" { index += text[index] == "\\" ? 2 : 1 }
        guard index < text.count else { throw wrong("a text without its second quote") }
        index += 1
        return try literal(from: start).string ?? ""
    }

    private mutating func number() throws(SpileError) -> JSONValue {
        let start = index
        index += 1
        while index < text.count, Self.isDigit(text[index]) || ".eE+-".unicodeScalars.contains(text[index]) {
            index += 1
        }
        return try literal(from: start)
    }

    private func literal(from start: Int) throws(SpileError) -> JSONValue {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[start..<index])
        do { return try SpecDocument.plainJSON(String(view)) } catch { throw wrong("\(String(view)) is no value") }
    }

    private func wrong(_ what: String) -> SpileError { .domain("error parsing jq filter: \(what)") }

    private func beyond(_ what: String) -> SpileError {
        SpileError(
            .unimplemented, "error parsing jq filter: \(what) is not understood here",
            remedy: "filter on the client: pachctl list pipeline --raw | jq …")
    }
}
