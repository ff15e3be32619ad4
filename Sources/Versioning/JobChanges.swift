import Core
import Storage

/// Changes that belong into one of a job's commits, being collected: tagged with the datum that made them. Owned by one
/// task; calls block on disk. Dropping it without ``finish()`` leaves only bytes that nothing refers to.
package final class JobStream {
    private let changes: ChangeWriter
    private var isDone = false

    package init(_ history: History) { changes = history.store.beginChanges() }

    deinit { if !isDone { changes.abandon() } }

    /// Appends bytes to what this stream holds of a file; none at all makes sure that it exists.
    package func add(_ path: String, of datum: Digest, bytes: UnsafeRawBufferPointer) throws {
        try changes.add(path: path, datum: "\(datum)", bytes: bytes)
    }

    /// Appends a chunk by its hash; false where its bytes have to be added (``ChangeWriter``).
    package func add(_ path: String, of datum: Digest, chunk hash: Digest, length: Int) throws -> Bool {
        try changes.add(path: path, datum: "\(datum)", chunk: hash, length: length)
    }

    /// Gives a file the content of one of a commit, by reference: false if that is none.
    package func put(_ path: String, of datum: Digest, content view: FileView) throws -> Bool {
        guard let entry = view.entry else { return false }
        try changes.put(entry, path: path, datum: "\(datum)", append: false)
        return true
    }

    /// Removes a file that the datum made: one that is inherited, and what this stream holds of it.
    package func delete(_ path: String, of datum: Digest) throws { try changes.delete(path: path, datum: "\(datum)") }

    /// The same for all below a folder, whose path ends in `/`.
    package func deleteAll(below folder: String, of datum: Digest) throws {
        try changes.deleteTree(prefix: folder, datum: "\(datum)")
    }

    /// The last call.
    package func finish() throws -> JobChanges {
        isDone = true
        return JobChanges(set: try changes.finish())
    }
}

/// Changes that belong into one of a job's commits.
package struct JobChanges: Sendable {
    let set: ChangeSet
}

extension History {
    /// The changes of several streams as one's: of two that change the same file of a datum, the later comes after the
    /// earlier. Nil for none.
    package func joined(_ parts: [JobChanges]) -> JobChanges? { store.joined(parts.map(\.set)).map(JobChanges.init) }
}
