import Core
import Storage

/// What finishing a commit takes of its trees, made beside the committer's thread. Good for as long as the commit has
/// the same tree and inherits the same one; keeps collection from what it made.
package struct FinishPreparation: Sendable {
    struct SettledChild: Sendable {
        let layer: CommitLayer
        /// Digest of the tree that the layer was laid over.
        let base: Digest
        let root: Root
    }

    let check: ContentCheck?
    /// What open commits over this one will hold, by sequence number: those with large layers.
    let settled: [Int64: SettledChild]
    private let activity: Activity

    init(check: ContentCheck?, settled: [Int64: SettledChild] = [:], activity: Activity) {
        self.check = check
        self.settled = settled
        self.activity = activity
    }
}

extension History {
    /// Finishes an open commit. Blocks for as long as looking through what it changed takes.
    package func finish(
        _ handle: CommitHandle, description: String, error: String, force: Bool, _ terms: WriteTerms = WriteTerms(),
        as principal: Principal
    ) async throws {
        let handle = try pinned(handle)
        let prepared = try prepareFinish(handle, error: error)
        defer { withExtendedLifetime(prepared) {} }
        _ = try await transact(as: principal) {
            try $0.finishCommit(handle, description: description, error: error, force: force, terms, prepared: prepared)
        }
    }

    /// Makes what finishing `handle` needs of its trees, for ``HistoryTransaction/finishCommit``. Nil for what is not
    /// finished now, or without a look at its files: the transaction tells why, or it starts the commit itself. Blocks.
    package func prepareFinish(_ handle: CommitHandle, error: String) throws -> FinishPreparation? {
        if !error.isEmpty { return nil }
        let activity = store.beginWriting()
        let found = try read { catalog -> (commit: CommitRecord, base: Root, layered: [CommitRecord])? in
            guard let commit = try catalog.findCommit(handle), commit.isOpen, commit.layer == nil else { return nil }
            return (
                commit, try catalog.inheritedRoot(from: commit.parent), try catalog.layered(over: commit.sequence)
            )
        }
        guard let (commit, base, layered) = found else { return nil }
        var settled: [Int64: FinishPreparation.SettledChild] = [:]
        for child in layered {
            guard let layer = child.layer else { continue }
            let changes = store.changes(of: FileSet(layer), for: activity)
            guard changes.isLarge else { continue }
            settled[child.sequence] = FinishPreparation.SettledChild(
                layer: layer, base: commit.root.digest, root: try store.applyLarge(changes, to: commit.root))
        }
        let check = try ContentCheck(store: store, base: base, root: commit.root)
        return FinishPreparation(check: check, settled: settled, activity: activity)
    }
}

extension CatalogReader {
    /// The commit that `handle` names; nil if there is none.
    fileprivate func findCommit(_ handle: CommitHandle) throws -> CommitRecord? {
        do { return try existingCommit(handle) } catch let error as SpileError where error.code == .notFound {
            return nil
        }
    }
}
