import Core
import Storage

/// One CreateFileSet stream (`pfs.md` §4.8): the operations of a ModifyFile stream without a commit below them. What it
/// deletes takes effect when the file set is laid over something. Whole or not at all; dropping an upload leaves only
/// bytes that nothing refers to.
package final class FileSetUpload: FileOperations {
    package let history: History
    package let changes: ChangeWriter
    package let principal: Principal
    private var isDone = false

    package init(in history: History, as principal: Principal) {
        self.history = history
        self.principal = principal
        changes = history.store.beginChanges()
    }

    deinit { if !isDone { changes.abandon() } }

    /// Makes the file set durable, with the standard lease, and returns its handle.
    package func finish() async throws -> FileSetHandle {
        isDone = true
        let set = try changes.finish()
        // Garbage collection waits for the changes until the row that names their trees is there.
        defer { withExtendedLifetime(set) {} }
        let handle = FileSetHandle(history.randomness)
        if set.isLarge {
            let stored = try history.store.bulk { try history.store.fileSet(of: set, through: $0) }
            try await history.transact(as: principal) { try $0.insert(handle, stored) }
        } else {
            try await history.transact(as: principal) { transaction in
                let stored = try transaction.store.fileSet(of: set, through: transaction.slots)
                try transaction.insert(handle, stored)
            }
        }
        return handle
    }
}

extension HistoryTransaction {
    func insert(_ handle: FileSetHandle, _ set: FileSet, seconds: Double = FileSetLease.standard) throws {
        try insert(handle, content: set.content, deletions: set.deletions, seconds: seconds)
    }
}

extension FileSetRecord {
    var trees: FileSet { FileSet(content: content, deletions: deletions) }
}
