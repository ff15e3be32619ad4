/// A text with places for the captured groups of a glob: `$1` or `${1}`, `$0` for the whole match, `$$` for a dollar
/// (`pfs.md` §1.8). A group that took no part, or that the glob does not have, leaves its place empty; any other `$`
/// stands for itself.
package struct CaptureTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        case group(Int)
    }

    private let parts: [Part]

    /// Whether the text depends on the match at all.
    package var isConstant: Bool {
        parts.allSatisfy { if case .text = $0 { true } else { false } }
    }

    package init(_ text: String) {
        var parts: [Part] = []
        var run = String.UnicodeScalarView()
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.popFirst() {
            guard scalar == "$" else {
                run.append(scalar)
                continue
            }
            if rest.first == "$" {
                rest.removeFirst()
                run.append("$")
            } else if let group = Self.takeGroup(&rest) {
                if !run.isEmpty { parts.append(.text(String(run))) }
                run = String.UnicodeScalarView()
                parts.append(.group(group))
            } else {
                run.append("$")
            }
        }
        if !run.isEmpty { parts.append(.text(String(run))) }
        self.parts = parts
    }

    /// The template with `captures` in their places: what ``Glob/captures(_:)`` gives, the whole match first.
    package func expanded(_ captures: [String?]) -> String {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .group(let number): if captures.indices.contains(number) { result += captures[number] ?? "" }
            }
        }
        return result
    }

    /// Takes `1` or `{1}` from the front of `text`; nil, and nothing taken, if it begins otherwise.
    private static func takeGroup(_ text: inout Substring.UnicodeScalarView) -> Int? {
        var rest = text
        let isBraced = rest.first == "{"
        if isBraced { rest.removeFirst() }
        var digits = ""
        while let digit = rest.first, ("0"..."9").contains(digit) {
            digits.unicodeScalars.append(digit)
            rest.removeFirst()
        }
        guard !digits.isEmpty else { return nil }
        if isBraced {
            guard rest.popFirst() == "}" else { return nil }
        }
        text = rest
        // More digits than a number has name a group that no glob has.
        return Int(digits) ?? Int.max
    }
}
