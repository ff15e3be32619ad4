import Core
import Versioning

/// What a glob found in a commit.
package struct InputMatch: Sendable, Equatable {
    /// Absolute; a directory's ends in `/`.
    package var path: String
    package var digest: Digest
    package var size: UInt64

    package init(path: String, digest: Digest, size: UInt64) {
        self.path = path
        self.digest = digest
        self.size = size
    }
}

/// A path that matches on one side only, or with another digest on the other.
package struct MatchChange: Sendable, Equatable {
    /// At the base.
    package var old: InputMatch?
    /// Now.
    package var new: InputMatch?

    package init(old: InputMatch? = nil, new: InputMatch? = nil) {
        self.old = old
        self.new = new
    }
}

/// Where an evaluation of datums finds files: the commits of a job's inputs, and those of the job before.
///
/// Both calls go in the byte order of paths and end early when `body` gives false. Any number of them may run at the
/// same time, within one another too; each gives the same whenever it is asked.
package protocol DatumSource: Sendable {
    /// What the input's glob matches now.
    func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws

    /// In what that differs from the base. Asked only for an evaluation of changes.
    func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws
}

/// The files of commits. Blocks on disk: call it from a pool that may.
package struct CommitSource: DatumSource {
    private let commits: [CommitFiles?]
    private let base: [CommitFiles?]

    /// For each leaf of the tree, from the left, its commit now and its commit at the base; nil where there is none,
    /// which is as one without files. An empty `base` has none for any leaf.
    package init(_ commits: [CommitFiles?], base: [CommitFiles?] = []) {
        self.commits = commits
        self.base = base.isEmpty ? Array(repeating: nil, count: commits.count) : base
        precondition(self.base.count == commits.count, "a base has a commit, or nil, for each input")
    }

    package func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws {
        try await commits[input.index]?.glob(input.glob) { try await body(InputMatch($0)) }
    }

    /// Costs nothing where both commits hold the same, and otherwise follows the difference.
    package func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws {
        switch (commits[input.index], base[input.index]) {
        case (nil, nil): return
        case (let new?, nil): try await new.glob(input.glob) { try await body(MatchChange(new: InputMatch($0))) }
        case (nil, let old?): try await old.glob(input.glob) { try await body(MatchChange(old: InputMatch($0))) }
        case (let new?, let old?):
            try await new.difference(input.glob, from: old) { difference in
                try await body(
                    MatchChange(old: difference.old.map(InputMatch.init), new: difference.new.map(InputMatch.init)))
            }
        }
    }
}

extension InputMatch {
    init(_ view: FileView) { self.init(path: view.path, digest: view.digest, size: view.size) }
}
