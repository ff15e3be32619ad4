import Core
import Storage

/// An empty file as a write of its own: what counts is its name. Prepared beforehand, so that it can be made in a
/// transaction that decides more than that.
package struct MarkWrite: Sendable {
    fileprivate let set: ChangeSet

    /// The file at `path` takes the place of one that is there, and if it is to be `alone`, of all files. Throws for a
    /// path that cannot be one.
    package init(at path: String, alone: Bool, in history: History) throws {
        let changes = history.store.beginChanges()
        do {
            let path = try FilePath.validated(path)
            if alone { try changes.deleteTree(prefix: "/", datum: FilePath.defaultDatum) }
            try changes.delete(path: path, datum: FilePath.defaultDatum)
            try changes.add(
                path: path, datum: FilePath.defaultDatum, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
            set = try changes.finish()
        } catch {
            changes.abandon()
            throw error
        }
    }
}

extension HistoryTransaction {
    /// Writes the file into the open head of a branch, or else makes one finished commit of it, as the end of a
    /// ModifyFile stream does; returns the commit that holds it. Throws `notFound` for a missing repo.
    package func write(_ mark: MarkWrite, on key: BranchKey) throws -> CommitKey { try write(mark.set, on: key) }
}
