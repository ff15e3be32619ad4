import Core

/// A commit with the names of its relatives, as `CommitInfo` shows it.
package struct CommitView: Sendable {
    package var record: CommitRecord
    /// Name of the branch it was made on; nil once that is deleted.
    package var branch: String?
    package var parent: CommitKey?
    package var children: [CommitName]
    package var provenance: [CommitName]
    /// The newest that derive from it, at most ``relativesLimit``.
    package var subvenance: [CommitName]
    /// The most relatives of one kind that a view names: a spec commit may have made a million commits.
    package static let relativesLimit = 1000
    /// Bytes of all files; nil for an open commit and one in error.
    package var size: UInt64? { record.finished != nil && record.error.isEmpty ? record.root.bytes : nil }
}

/// A branch with the names of its relatives, as `BranchInfo` shows it.
package struct BranchView: Sendable {
    package var record: BranchRecord
    package var head: CommitKey?
    package var directProvenance: [BranchKey]
    /// Those whose new commits open none here.
    package var quiet: [BranchKey]
    /// All it derives from, nearest first.
    package var provenance: [BranchKey]
    /// All that derives from it, nearest first.
    package var subvenance: [BranchKey]
}

extension CatalogReader {
    package func view(_ record: CommitRecord) throws -> CommitView {
        CommitView(
            record: record, branch: try record.branch.flatMap { try branch(id: $0)?.key.name },
            parent: try record.parent.flatMap { try name(of: $0)?.key },
            children: try children(of: record.sequence, limit: CommitView.relativesLimit),
            provenance: try record.provenance.compactMap { try name(of: $0) },
            subvenance: try directSubvenance(commit: record.sequence, limit: CommitView.relativesLimit))
    }

    package func view(_ record: BranchRecord) throws -> BranchView {
        let upstream = try related(record.id) { try branch(id: $0)?.provenance ?? [] }
        let downstream = try related(record.id) { try directSubvenance(branch: $0) }
        func names(_ ids: [Int64]) throws -> [BranchKey] { try ids.compactMap { try branch(id: $0)?.key } }
        return BranchView(
            record: record, head: try record.head.map { try knownCommit($0).key },
            directProvenance: try names(record.provenance), quiet: try names(record.quiet.sorted()),
            provenance: try names(upstream),
            subvenance: try names(downstream))
    }

    /// All ids reachable by `step`, breadth first, without the start.
    private func related(_ start: Int64, _ step: (Int64) throws -> [Int64]) throws -> [Int64] {
        var result: [Int64] = []
        var seen: Set<Int64> = [start]
        var layer = [start]
        while !layer.isEmpty {
            layer = try layer.flatMap(step).filter { seen.insert($0).inserted }
            result += layer
        }
        return result
    }

    /// Size of a repo as clients show it: the head of its branch `master`, if finished (`pfs.md` §4.2).
    package func masterSize(repo: Int64) throws -> UInt64 {
        guard let head = try branch(repo: repo, name: "master")?.head, let commit = try commit(sequence: head),
            commit.finished != nil, commit.error.isEmpty
        else { return 0 }
        return commit.root.bytes
    }
}
