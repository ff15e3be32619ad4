/// Reads a cleaned pattern into a ``GlobNode``.
struct GlobParser {
    private let text: [Unicode.Scalar]
    private var position = 0
    private var groupCount = 0
    private var nesting = 0
    /// The text before the first special character.
    private(set) var literalPrefix = ""
    /// Whether no special character was met.
    private(set) var isLiteral = true

    init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

    mutating func parse() throws(SpileError) -> GlobNode {
        let node = try sequence(until: [])
        if position < text.count { throw failure("unexpected '\(text[position])'") }
        return node
    }

    private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }
    private var afterNext: Unicode.Scalar? { position + 1 < text.count ? text[position + 1] : nil }

    private mutating func take() -> Unicode.Scalar {
        defer { position += 1 }
        return text[position]
    }

    private mutating func sequence(until stops: Set<Unicode.Scalar>) throws(SpileError) -> GlobNode {
        var nodes: [GlobNode] = []
        while let scalar = next, !stops.contains(scalar) {
            let node = try element()
            if case .literal(let text) = node, case .literal(let before)? = nodes.last {
                nodes[nodes.count - 1] = .literal(before + text)
            } else {
                nodes.append(node)
            }
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func element() throws(SpileError) -> GlobNode {
        let scalar = take()
        if next == "(", let bounds = Self.repetitions[scalar] {
            return try group(least: bounds.least, most: bounds.most)
        }
        switch scalar {
        case "\\":
            guard next != nil else { throw failure("a pattern cannot end in a backslash") }
            return literal(take())
        case "*":
            isLiteral = false
            guard next == "*" else { return .anyRun(crossesSeparators: false) }
            while next == "*" && afterNext != "(" { _ = take() }
            return .anyRun(crossesSeparators: true)
        case "?":
            isLiteral = false
            return .anyOne
        case "[": return try brackets()
        case "{": return try braces()
        case "(":
            position -= 1
            return try group(least: 1, most: 1)
        case "!" where next == "(": return try negation()
        case "^" where next == "(": throw failure("'^(' has no meaning", remedy: "use !( ) for what must not match")
        case ")", "}": throw failure("'\(scalar)' closes nothing", remedy: "escape it as \\\(scalar)")
        default: return literal(scalar)
        }
    }

    private static let repetitions: [Unicode.Scalar: (least: Int, most: Int)] = [
        "@": (1, 1), "*": (0, .max), "+": (1, .max), "?": (0, 1),
    ]

    private mutating func literal(_ scalar: Unicode.Scalar) -> GlobNode {
        if isLiteral { literalPrefix.unicodeScalars.append(scalar) }
        return .literal([scalar])
    }

    private mutating func group(least: Int, most: Int) throws(SpileError) -> GlobNode {
        groupCount += 1
        let number = groupCount
        return .group(number, try parenthesised(), least: least, most: most)
    }

    private mutating func negation() throws(SpileError) -> GlobNode {
        groupCount += 1
        let number = groupCount
        let inner = try parenthesised()
        return .negation(.group(number, inner, least: 1, most: 1), isLast: next == nil)
    }

    /// The alternatives between `(` and `)`, the cursor being on `(`.
    private mutating func parenthesised() throws(SpileError) -> GlobNode {
        isLiteral = false
        let opening = position
        try enter()
        position += 1
        var options = [try sequence(until: ["|", ")"])]
        while next == "|" {
            position += 1
            options.append(try sequence(until: ["|", ")"]))
        }
        guard next == ")" else {
            position = opening
            throw failure("'(' is not closed")
        }
        position += 1
        nesting -= 1
        return .alternatives(options)
    }

    private mutating func enter() throws(SpileError) {
        nesting += 1
        guard nesting <= Glob.deepestNesting else {
            throw failure("groups are nested more than \(Glob.deepestNesting) deep")
        }
    }

    private mutating func braces() throws(SpileError) -> GlobNode {
        isLiteral = false
        let opening = position - 1
        try enter()
        var options = [try sequence(until: [",", "}"])]
        while next == "," {
            position += 1
            options.append(try sequence(until: [",", "}"]))
        }
        guard next == "}" else {
            position = opening
            throw failure("'{' is not closed")
        }
        position += 1
        nesting -= 1
        return .alternatives(options)
    }

    private mutating func brackets() throws(SpileError) -> GlobNode {
        isLiteral = false
        let opening = position - 1
        var set = GlobNode.CharacterSet()
        let negated = next == "!" || next == "^"
        if negated { position += 1 }
        var isFirst = true
        while let scalar = next, scalar != "]" || isFirst {
            isFirst = false
            if scalar == "[" && afterNext == ":" {
                set.ranges += try posixClass()
                continue
            }
            let low = try bracketScalar()
            if next == "-", let end = afterNext, end != "]" {
                position += 1
                let high = try bracketScalar()
                guard low.value <= high.value else { throw failure("range \(low)-\(high) is upside down") }
                set.ranges.append(low.value...high.value)
            } else {
                set.ranges.append(low.value...low.value)
            }
        }
        guard next == "]" else {
            position = opening
            throw failure("'[' is not closed")
        }
        position += 1
        return .characters(set, negated: negated)
    }

    private mutating func bracketScalar() throws(SpileError) -> Unicode.Scalar {
        let scalar = take()
        guard scalar == "\\" else { return scalar }
        guard next != nil else { throw failure("a pattern cannot end in a backslash") }
        return take()
    }

    private mutating func posixClass() throws(SpileError) -> [ClosedRange<UInt32>] {
        let start = position
        position += 2
        var name = ""
        while let scalar = next, scalar != ":" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard next == ":", afterNext == "]", let ranges = Self.classes[name] else {
            position = start
            throw failure("unknown character class [:\(name):]")
        }
        position += 2
        return ranges
    }

    private static let lower: ClosedRange<UInt32> = 97...122
    private static let upper: ClosedRange<UInt32> = 65...90
    private static let digit: ClosedRange<UInt32> = 48...57
    private static let classes: [String: [ClosedRange<UInt32>]] = [
        "alpha": [lower, upper], "lower": [lower], "upper": [upper], "digit": [digit],
        "alnum": [lower, upper, digit], "xdigit": [digit, 97...102, 65...70], "word": [lower, upper, digit, 95...95],
        "blank": [32...32, 9...9], "space": [32...32, 9...13], "ascii": [0...127], "cntrl": [0...31, 127...127],
        "print": [32...126], "graph": [33...126], "punct": [33...47, 58...64, 91...96, 123...126],
    ]

    private func failure(_ what: String, remedy: String = "") -> SpileError {
        .domain("invalid glob pattern at character \(position + 1): \(what)", remedy: remedy)
    }
}
