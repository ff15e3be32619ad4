import Core
import Versioning

/// How far a spout has got, as the metadata of its output tells.
package struct SpoutPosition: Sendable, Equatable {
    /// The commit that says so; nil where there is none.
    package var commit: CommitID?
    package var metadata: [String: String]

    package init(commit: CommitID? = nil, metadata: [String: String] = [:]) {
        self.commit = commit
        self.metadata = metadata
    }

    /// That of the newest commit on the output branch that is finished, is not in error, and was not made by the
    /// server: stop and start add such commits, and they hold nothing.
    init(of pipeline: PipelineRecord, in catalog: any CatalogReader) throws {
        self.init()
        guard let commit = try Self.newestGood(of: pipeline, in: catalog, within: .max) else { return }
        self.init(commit: commit.key.id, metadata: commit.metadata)
    }

    /// That commit, if it is among the `limit` newest of the branch.
    static func newestGood(
        of pipeline: PipelineRecord, in catalog: any CatalogReader, within limit: Int
    ) throws -> CommitRecord? {
        let name = try PipelineSpec(canonical: pipeline.effectiveSpec).outputBranch
        guard let repo = try catalog.repo(pipeline.key.repo(.user)),
            let branch = try catalog.branch(repo: repo.id, name: name)
        else { return nil }
        var (next, left) = (branch.head, limit)
        while let sequence = next, left > 0 {
            let commit = try catalog.knownCommit(sequence)
            if commit.isFinished && commit.error.isEmpty && commit.origin == .user { return commit }
            next = commit.parent
            left -= 1
        }
        return nil
    }

    /// What the file that `SPILE_RESUME_FILE` names holds: `{"commit": "<id>", "metadata": {…}}`, the id empty where
    /// there is no commit.
    package var json: JSONValue {
        .object([
            JSONMember("commit", .string(commit?.description ?? "")),
            JSONMember(
                "metadata", .object(metadata.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) })),
        ])
    }
}
