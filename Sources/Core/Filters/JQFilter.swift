/// The part of jq's language that filters lists: paths, literals, comparisons, `and`, `or`, `not`, `|`, `select`,
/// `length`, `startswith`, `endswith`, `contains` and `test` (`pps.md` §11). A filter gives one value, or none, for
/// each message.
package struct JQFilter: Sendable {
    indirect enum Term: Sendable {
        case identity
        case member(Term, String)
        case literal(JSONValue)
        case compare(Term, String, Term)
        case both(Term, Term)
        case either(Term, Term)
        case pipe(Term, Term)
        case call(String, Term?)
    }

    private let term: Term

    /// Throws for a text that is no filter, and `unimplemented` for one beyond what is understood here; both begin with
    /// the contract's words.
    package init(_ text: String) throws(SpileError) {
        var parser = JQParser(text)
        term = try parser.whole()
    }

    /// Whether a message stays in the list: it does not where the filter gives false, null or nothing.
    package func keeps(_ message: JSONValue) throws(SpileError) -> Bool {
        guard let value = try Self.value(of: term, message) else { return false }
        return Self.isTrue(value)
    }

    private static func isTrue(_ value: JSONValue) -> Bool { value != .null && value != .bool(false) }

    private static func value(of term: Term, _ input: JSONValue) throws(SpileError) -> JSONValue? {
        switch term {
        case .identity: return input
        case .literal(let value): return value
        case .member(let base, let name):
            guard let value = try value(of: base, input) else { return nil }
            switch value {
            case .null: return .null
            case .object: return value[name] ?? .null
            default: throw fault("only an object has a member \"\(name)\"")
            }
        case .compare(let a, let comparison, let b):
            guard let a = try value(of: a, input), let b = try value(of: b, input) else { return nil }
            return .bool(try compare(a, comparison, b))
        case .both(let a, let b): return try join(a, b, input) { $0 && $1 }
        case .either(let a, let b): return try join(a, b, input) { $0 || $1 }
        case .pipe(let first, let second):
            guard let value = try value(of: first, input) else { return nil }
            return try self.value(of: second, value)
        case .call(let name, let argument): return try call(name, argument, input)
        }
    }

    private static func join(
        _ a: Term, _ b: Term, _ input: JSONValue, _ body: (Bool, Bool) -> Bool
    ) throws(SpileError) -> JSONValue? {
        guard let a = try value(of: a, input), let b = try value(of: b, input) else { return nil }
        return .bool(body(isTrue(a), isTrue(b)))
    }

    private static func call(_ name: String, _ argument: Term?, _ input: JSONValue) throws(SpileError) -> JSONValue? {
        if name == "not" { return .bool(!isTrue(input)) }
        if name == "length" { return .number("\(try length(input))") }
        guard let argument, let given = try value(of: argument, input) else { return nil }
        if name == "select" { return isTrue(given) ? input : nil }
        guard let text = input.string, let word = given.string else { throw fault("\(name) wants text") }
        switch name {
        case "startswith": return .bool(text.hasPrefix(word))
        case "endswith": return .bool(text.hasSuffix(word))
        case "contains": return .bool(word.isEmpty || text.contains(word))
        default:
            return .bool(try matches(text, word))
        }
    }

    /// Plain text, with `^` before it or `$` behind it or neither. More would need an engine whose time has a bound.
    private static func matches(_ text: String, _ pattern: String) throws(SpileError) -> Bool {
        var word = Substring(pattern)
        let isStart = word.hasPrefix("^")
        if isStart { word.removeFirst() }
        let isEnd = word.hasSuffix("$")
        if isEnd { word.removeLast() }
        guard !word.contains(where: { #"\^$.|?*+()[]{}"#.contains($0) }) else {
            throw SpileError(
                .unimplemented,
                "error running jq filter: test understands plain text with ^ before it or $ behind it, not "
                    + "\(FilePath.quoted(String(pattern.prefix(80))))",
                remedy: "filter on the client: pachctl list pipeline --raw | jq …")
        }
        switch (isStart, isEnd) {
        case (true, true): return text == word
        case (true, false): return text.hasPrefix(word)
        case (false, true): return text.hasSuffix(word)
        case (false, false): return word.isEmpty || text.contains(word)
        }
    }

    private static func length(_ value: JSONValue) throws(SpileError) -> Int {
        switch value {
        case .null: 0
        case .string(let text): text.unicodeScalars.count
        case .array(let values): values.count
        case .object(let members): members.count
        case .bool, .number: throw fault("length wants text, a list or an object")
        }
    }

    private static func compare(_ a: JSONValue, _ comparison: String, _ b: JSONValue) throws(SpileError) -> Bool {
        let isSame = number(a).map { $0 == number(b) } ?? a.says(sameAs: b)
        if comparison == "==" { return isSame }
        if comparison == "!=" { return !isSame }
        let isLess: Bool
        if let x = number(a), let y = number(b) {
            isLess = x < y
        } else if let x = a.string, let y = b.string {
            isLess = x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars)
        } else if let x = rank(a), let y = rank(b), x != y {
            isLess = x < y
        } else {
            throw fault("\(comparison) compares numbers or texts")
        }
        switch comparison {
        case "<": return isLess
        case "<=": return isLess || isSame
        case ">": return !isLess && !isSame
        default: return !isLess
        }
    }

    private static func number(_ value: JSONValue) -> Double? {
        if case .number(let text) = value { Double(text) } else { nil }
    }

    /// The order of jq among kinds.
    private static func rank(_ value: JSONValue) -> Int? {
        switch value {
        case .null: 0
        case .bool(let value): value ? 2 : 1
        case .number: 3
        case .string: 4
        case .array, .object: nil
        }
    }

    private static func fault(_ text: String) -> SpileError { .domain("error running jq filter: \(text)") }
}
