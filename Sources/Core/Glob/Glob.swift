/// A compiled path pattern of the glob language (`pfs.md` §1.8), anchored at both ends.
///
/// Paths are matched without their trailing `/`; the root is matched by the pattern `/` alone. Matching is linear for
/// ordinary patterns and may backtrack for nested groups, within ``Glob/longestPattern`` characters of pattern.
package struct Glob: Sendable {
    /// The pattern as cleaned: with a leading `/` and no trailing one.
    package let pattern: String
    /// What every match begins with: the text before the first special character, escapes resolved.
    package let literalPrefix: String
    /// The one path that can match, where the pattern has no special characters at all.
    package let literal: String?
    /// The most separators that a match can have; nil where there is no bound.
    package let depth: Int?
    private let node: GlobNode

    package static let longestPattern = 4096

    /// Compiles `pattern`; throws with the position of what is wrong.
    package init(_ pattern: String) throws(SpileError) {
        let cleaned = Self.cleaned(pattern)
        guard cleaned.utf8.count <= Self.longestPattern else {
            throw .domain("glob pattern is longer than \(Self.longestPattern) bytes")
        }
        var parser = GlobParser(cleaned)
        node = try parser.parse()
        depth = node.depth
        self.pattern = cleaned
        literalPrefix = parser.literalPrefix
        literal = parser.isLiteral ? parser.literalPrefix : nil
    }

    /// Whether `path` (absolute, any trailing `/` ignored) matches.
    package func matches(_ path: some StringProtocol) -> Bool { captures(path) != nil }

    /// The captured groups of a match, whole match first, nil for a group that took no part; nil if `path` does not
    /// match.
    package func captures(_ path: some StringProtocol) -> [String?]? {
        var text = Array(path.unicodeScalars)
        if text.count > 1 && text.last == "/" { text.removeLast() }
        if text == ["/"] { return pattern == "/" ? ["/"] : nil }
        if let literal { return Array(literal.unicodeScalars) == text ? [literal] : nil }
        var matcher = GlobMatcher(text: text)
        guard matcher.run(node) else { return nil }
        return [Self.string(text[...])] + matcher.groups.map { range in range.map { Self.string(text[$0]) } }
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Collapses separators without touching what stands inside brackets: `..` is left alone in a pattern.
    private static func cleaned(_ pattern: String) -> String {
        var result = "/"
        for character in pattern where !(character == "/" && result.hasSuffix("/")) { result.append(character) }
        if result.count > 1 && result.hasSuffix("/") && !result.hasSuffix("\\/") { result.removeLast() }
        return result == "/." ? "/" : result
    }
}

/// The syntax tree of a pattern.
indirect enum GlobNode: Sendable {
    case literal(Unicode.Scalar)
    /// Any run without a separator, or with.
    case anyRun(crossesSeparators: Bool)
    case anyOne
    case characters(CharacterSet, negated: Bool)
    case sequence([GlobNode])
    case alternatives([GlobNode])
    /// A capturing group, repeated between `least` and `most` times.
    case group(Int, GlobNode, least: Int, most: Int)
    /// Text that is not exactly this (`isLast`), or does not start with this.
    case negation(GlobNode, isLast: Bool)

    /// Ranges of scalars and POSIX classes of a bracket expression.
    struct CharacterSet: Sendable {
        var ranges: [ClosedRange<UInt32>] = []
        func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } }
    }
}

extension GlobNode {
    /// The most separators that a match of this can have; nil where there is no bound.
    var depth: Int? {
        switch self {
        case .literal(let scalar): return scalar == "/" ? 1 : 0
        case .anyRun(let crosses): return crosses ? nil : 0
        case .anyOne, .negation: return 0
        case .characters(let set, let negated): return set.contains("/") != negated ? nil : 0
        case .sequence(let nodes):
            return nodes.reduce(0 as Int?) { sum, node in
                if let sum, let depth = node.depth { sum + depth } else { nil }
            }
        case .alternatives(let nodes):
            return nodes.reduce(0 as Int?) { most, node in
                if let most, let depth = node.depth { max(most, depth) } else { nil }
            }
        case .group(_, let inner, _, let most):
            guard let depth = inner.depth, depth > 0 else { return inner.depth }
            return most == 1 ? depth : nil
        }
    }
}

/// Matches a syntax tree by backtracking, with continuations; keeps the groups of the successful path.
struct GlobMatcher {
    let text: [Unicode.Scalar]
    var groups: [Range<Int>?] = []

    init(text: [Unicode.Scalar]) { self.text = text }

    mutating func run(_ node: GlobNode) -> Bool {
        groups = Array(repeating: nil, count: Self.groupCount(node))
        return step(node, 0) { matcher, end in end == matcher.text.count }
    }

    private static func groupCount(_ node: GlobNode) -> Int {
        switch node {
        case .sequence(let nodes), .alternatives(let nodes): nodes.reduce(0) { max($0, groupCount($1)) }
        case .group(let number, let inner, _, _): max(number, groupCount(inner))
        case .negation(let inner, _): groupCount(inner)
        default: 0
        }
    }

    typealias Continuation = (inout GlobMatcher, Int) -> Bool

    private mutating func step(_ node: GlobNode, _ start: Int, _ next: Continuation) -> Bool {
        switch node {
        case .literal(let scalar):
            return start < text.count && text[start] == scalar && next(&self, start + 1)
        case .anyOne:
            return start < text.count && text[start] != "/" && next(&self, start + 1)
        case .characters(let set, let negated):
            return start < text.count && set.contains(text[start]) != negated && next(&self, start + 1)
        case .anyRun(let crosses):
            return run(from: start, crosses: crosses, next)
        case .sequence(let nodes):
            return sequence(nodes[...], start, next)
        case .alternatives(let nodes):
            for node in nodes where step(node, start, next) { return true }
            return false
        case .group(let number, let inner, let least, let most):
            return group(number, inner, least, most, from: start, at: start, next)
        case .negation(let inner, let isLast):
            var probe = self
            let count = text.count
            let excluded = probe.step(inner, start) { _, end in !isLast || end == count }
            return !excluded && run(from: start, crosses: false, next)
        }
    }

    private mutating func run(from start: Int, crosses: Bool, _ next: Continuation) -> Bool {
        var end = start
        while end < text.count && (crosses || text[end] != "/") { end += 1 }
        while end >= start {
            if next(&self, end) { return true }
            end -= 1
        }
        return false
    }

    private mutating func sequence(_ nodes: ArraySlice<GlobNode>, _ start: Int, _ next: Continuation) -> Bool {
        guard let first = nodes.first else { return next(&self, start) }
        let rest = nodes.dropFirst()
        return step(first, start) { matcher, end in matcher.sequence(rest, end, next) }
    }

    private mutating func group(
        _ number: Int, _ inner: GlobNode, _ least: Int, _ most: Int, from first: Int, at start: Int,
        _ next: Continuation
    ) -> Bool {
        if most > 0 {
            let found = step(inner, start) { matcher, end in
                guard end > start || least > 0 else { return false }
                return matcher.group(number, inner, max(0, least - 1), most - 1, from: first, at: end, next)
            }
            if found { return true }
        }
        guard least <= 0 else { return false }
        let old = groups[number - 1]
        groups[number - 1] = first..<start
        if next(&self, start) { return true }
        groups[number - 1] = old
        return false
    }
}
