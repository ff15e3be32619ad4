/// What a repo is for (`pfs.md` §0.5).
package enum RepoType: String, Sendable, CaseIterable, Comparable {
    /// Data that users and pipelines read.
    case user
    /// What a pipeline did, datum by datum.
    case meta
    /// One empty commit per version of a pipeline.
    case spec

    package static func < (a: RepoType, b: RepoType) -> Bool { a.rawValue < b.rawValue }
}

/// A project by name; an empty name on the wire means ``ProjectKey/standard``.
package struct ProjectKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let name: String
    package init(_ name: String) { self.name = name.isEmpty ? "default" : name }
    package static let standard = ProjectKey("default")
    package static func < (a: ProjectKey, b: ProjectKey) -> Bool { a.name < b.name }
    package var description: String { name }
}

/// A repo by project, name and type. Text form: `project/name`, or `project/name.type` for system repos.
package struct RepoKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let project: ProjectKey
    package let name: String
    package let type: RepoType

    package init(project: ProjectKey = .standard, name: String, type: RepoType = .user) {
        self.project = project
        self.name = name
        self.type = type
    }

    package func of(type: RepoType) -> RepoKey { RepoKey(project: project, name: name, type: type) }
    package func branch(_ name: String) -> BranchKey { BranchKey(repo: self, name: name) }
    package func commit(_ id: CommitID) -> CommitKey { CommitKey(repo: self, id: id) }

    package static func < (a: RepoKey, b: RepoKey) -> Bool {
        (a.project, a.name, a.type) < (b.project, b.name, b.type)
    }
    package var description: String { type == .user ? "\(project)/\(name)" : "\(project)/\(name).\(type.rawValue)" }
}

/// A branch by repo and name. Text form: `project/repo@branch`.
package struct BranchKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let repo: RepoKey
    package let name: String
    package init(repo: RepoKey, name: String) {
        self.repo = repo
        self.name = name
    }
    package static func < (a: BranchKey, b: BranchKey) -> Bool { (a.repo, a.name) < (b.repo, b.name) }
    package var description: String { "\(repo)@\(name)" }
}

/// A commit by repo and id. Text form: `project/repo@id`.
package struct CommitKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let repo: RepoKey
    package let id: CommitID
    package init(repo: RepoKey, id: CommitID) {
        self.repo = repo
        self.id = id
    }
    package static func < (a: CommitKey, b: CommitKey) -> Bool { (a.repo, a.id) < (b.repo, b.id) }
    package var description: String { "\(repo)@\(id)" }
}

/// A pipeline by project and name. Text form: `project/name`.
package struct PipelineKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let project: ProjectKey
    package let name: String
    package init(project: ProjectKey = .standard, name: String) {
        self.project = project
        self.name = name
    }
    /// The repo it writes, and its system repos, carry its name.
    package func repo(_ type: RepoType) -> RepoKey { RepoKey(project: project, name: name, type: type) }
    package static func < (a: PipelineKey, b: PipelineKey) -> Bool { (a.project, a.name) < (b.project, b.name) }
    package var description: String { "\(project)/\(name)" }
}

/// The rules for names (`pfs.md` §1.1). They hold at creation only: looking up an ill-formed name is a plain miss.
package enum NameRules {
    package static let longestProjectName = 51

    package static func checkRepo(_ name: String) throws(SpileError) {
        try checkCharacters(name)
        if name == "__filesets__" { throw .invalid("repo name \(name) is a reserved name", remedy: "choose another") }
    }

    package static func checkBranch(_ name: String) throws(SpileError) {
        try checkCharacters(name)
        if CommitID(name) != nil { throw .invalid("branch name cannot be a UUID V4: \(name)") }
    }

    package static func checkProject(_ name: String) throws(SpileError) {
        if name == ProjectKey.standard.name { return }
        do { try checkCharacters(name) } catch { throw error.wrapped("invalid project name \"\(name)\"") }
        let excess = name.utf8.count - longestProjectName
        if excess > 0 {
            throw .invalid(
                "invalid project name \"\(name)\": is \(excess) characters longer than the \(longestProjectName) max")
        }
        guard let first = name.utf8.first, isAlphanumeric(first) else {
            throw .invalid("invalid project name \"\(name)\": project names must start with an alphanumeric character")
        }
    }

    /// Whether `name` is made of letters, digits, `_` and `-` alone, and is not empty.
    package static func isPlain(_ name: some StringProtocol) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    package static func isAlphanumeric(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func checkCharacters(_ name: String) throws(SpileError) {
        guard isPlain(name) else {
            throw .invalid(
                "name (\(name)) invalid: only alphanumeric characters, underscores, and dashes are allowed")
        }
    }
}
