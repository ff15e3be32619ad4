/// A commit as a caller names it, before it is looked up: branch and id may each be empty, and the id may carry
/// ancestry (`pfs.md` §1.2, §1.3).
package struct CommitHandle: Hashable, Sendable, CustomStringConvertible {
    package var repo: RepoKey
    /// The branch object's name; nil where the caller sent none at all.
    package var branch: String?
    package var id: String

    package init(repo: RepoKey, branch: String? = nil, id: String = "") {
        self.repo = repo
        self.branch = branch
        self.id = id
    }

    package init(_ key: CommitKey) { self.init(repo: key.repo, id: key.id.description) }
    package init(_ key: BranchKey) { self.init(repo: key.repo, branch: key.name) }

    /// What the two parts say together: the id alone, unless it is empty or an ancestry suffix for the branch.
    package var text: String {
        guard let branch, !branch.isEmpty else { return id }
        guard let first = id.first else { return branch }
        return first == "." || first == "^" || first == "~" ? branch + id : id
    }

    package var description: String { "\(repo)@\(text)" }

    /// Reads ``text``; throws for none at all and for malformed ancestry.
    package func selector() throws(SpileError) -> CommitSelector {
        let text = text
        if text.isEmpty { throw .invalid("cannot pick commit with no ID or branch") }
        return try CommitSelector(text)
    }
}

/// A parsed commit handle: where to start, and how far to walk.
package enum CommitSelector: Hashable, Sendable {
    package enum Base: Hashable, Sendable {
        case id(CommitID)
        case branch(String)
    }
    /// `base`, then `back` parents up.
    case ancestor(Base, back: Int)
    /// The `number`th commit from the start of the branch, 1-based, then `back` parents up (`back` < `number`).
    case fromRoot(branch: String, number: Int, back: Int)

    package init(_ text: String) throws(SpileError) {
        guard let split = text.firstIndex(where: { $0 == "^" || $0 == "~" || $0 == "." }) else {
            self = .ancestor(Self.base(text), back: 0)
            return
        }
        let name = String(text[..<split])
        var rest = text[split...]
        if rest.first == "." {
            rest = rest.dropFirst()
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits), number >= 1 else { throw Self.malformed(text) }
            rest = rest.dropFirst(digits.count)
            let back = try Self.steps(rest, of: text)
            guard back < number else { throw .domain("invalid offset for ancestor: \(text) walks past the root") }
            self = .fromRoot(branch: name, number: number, back: back)
        } else {
            self = .ancestor(Self.base(name), back: try Self.steps(rest, of: text))
        }
    }

    private static func base(_ text: String) -> Base {
        if let id = CommitID(text) { .id(id) } else { .branch(text) }
    }

    /// `^`, `^^`, `^3`, `~3`: how many commits back; empty is 0.
    private static func steps(_ suffix: Substring, of text: String) throws(SpileError) -> Int {
        guard let mark = suffix.first else { return 0 }
        guard mark == "^" || mark == "~" else { throw malformed(text) }
        let marks = suffix.prefix { $0 == mark }
        let digits = suffix.dropFirst(marks.count)
        if digits.isEmpty { return marks.count }
        guard marks.count == 1, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(digits) else {
            throw malformed(text)
        }
        return count
    }

    private static func malformed(_ text: String) -> SpileError {
        .domain("invalid ancestry format: \(text)", remedy: "write branch^, branch^2, branch~2 or branch.2")
    }
}
