/// A compiled path pattern of the glob language (`pfs.md` §1.8), anchored at both ends.
///
/// Paths are matched without their trailing `/`; the root is matched by the pattern `/` alone. Whatever the pattern, a
/// match costs at most (characters of the path) × (characters of the pattern) steps, and neither compiling nor matching
/// goes deeper than ``Glob/deepestNesting`` groups.
package struct Glob: Sendable {
    /// The pattern as cleaned: with a leading `/` and no trailing one.
    package let pattern: String
    /// What every match begins with: the text before the first special character, escapes resolved.
    package let literalPrefix: String
    /// The one path that can match, where the pattern has no special characters at all.
    package let literal: String?
    /// The most separators that a match can have; nil where there is no bound.
    package let depth: Int?
    private let program: GlobProgram

    package static let longestPattern = 4096
    /// How many groups may stand in one another.
    package static let deepestNesting = 32

    /// Compiles `pattern`; throws with the position of what is wrong.
    package init(_ pattern: String) throws(SpileError) {
        let cleaned = Self.cleaned(pattern)
        guard cleaned.utf8.count <= Self.longestPattern else {
            throw .domain("glob pattern is longer than \(Self.longestPattern) bytes")
        }
        var parser = GlobParser(cleaned)
        let node = try parser.parse()
        depth = node.depth
        program = GlobProgram(node)
        self.pattern = cleaned
        literalPrefix = parser.literalPrefix
        literal = parser.isLiteral ? parser.literalPrefix : nil
    }

    /// Whether `path` (absolute, any trailing `/` ignored) matches.
    package func matches(_ path: some StringProtocol) -> Bool {
        guard let text = candidate(path) else { return false }
        if literal != nil || text == ["/"] { return true }
        return program.matches(text)
    }

    /// The captured groups of a match, whole match first, nil for a group that took no part; nil if `path` does not
    /// match.
    package func captures(_ path: some StringProtocol) -> [String?]? {
        guard let text = candidate(path) else { return nil }
        if literal != nil || text == ["/"] { return [Self.string(text[...])] }
        guard let groups = program.groups(text) else { return nil }
        return [Self.string(text[...])] + groups.map { range in range.map { Self.string(text[$0]) } }
    }

    /// The path without a trailing `/`; nil if what can be told at once says that it does not match. If it is given for
    /// a literal pattern or for the root, it matches.
    private func candidate(_ path: some StringProtocol) -> [Unicode.Scalar]? {
        guard path.utf8.starts(with: literalPrefix.utf8) else { return nil }
        var text = Array(path.unicodeScalars)
        if text.count > 1 && text.last == "/" { text.removeLast() }
        if text == ["/"] { return pattern == "/" ? text : nil }
        if let literal, !literal.unicodeScalars.elementsEqual(text) { return nil }
        return text
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Collapses separators without touching what stands inside brackets: `..` is left alone in a pattern.
    private static func cleaned(_ pattern: String) -> String {
        var result: [Unicode.Scalar] = ["/"]
        for scalar in pattern.unicodeScalars where !(scalar == "/" && result.last == "/") { result.append(scalar) }
        if result.count > 1 && result.last == "/" && result[result.count - 2] != "\\" { result.removeLast() }
        return result == ["/", "."] ? "/" : string(result[...])
    }
}

/// The syntax tree of a pattern.
indirect enum GlobNode: Sendable {
    /// A run of characters that stand for themselves.
    case literal([Unicode.Scalar])
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
        case .literal(let text): return text.reduce(0) { $0 + ($1 == "/" ? 1 : 0) }
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
            // Asked once: twice would double the cost with each level of nesting.
            let depth = inner.depth
            return most == 1 || depth == 0 ? depth : nil
        }
    }
}
