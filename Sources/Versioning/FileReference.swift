import Core
import Storage

/// A file as a caller names it.
package struct FileReference: Sendable {
    package var commit: CommitHandle
    package var path: String
    /// Restricts to the content of one datum; empty means all.
    package var datum: String

    package init(commit: CommitHandle, path: String, datum: String = "") {
        self.commit = commit
        self.path = path
        self.datum = datum
    }
}

/// A file or a directory as it stands in a commit (`pfs.md` §2.7).
package struct FileView: Sendable {
    /// Absolute; a directory's ends in `/`.
    package var path: String
    /// Empty for a directory.
    package var datum: String
    package var size: UInt64
    /// Equal bytes, equal digest; a directory's depends on the names and bytes below it.
    package var digest: Digest
    /// Nil for a directory.
    package var entry: FileEntry?

    package var isDirectory: Bool { entry == nil }
}
