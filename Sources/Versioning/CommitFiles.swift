import Core
import Storage

/// The files of one commit, read only (`pfs.md` §4.7).
///
/// Everything is lazy: cost and memory follow what is asked for, not the size of the commit. Calls block on disk.
package struct CommitFiles: Sendable {
    package let store: Store
    package let commit: CommitRecord
    /// Restricts to the content of one datum; empty means all.
    package let datum: String
    /// Keeps garbage collection from the files for as long as this value lives (``Store/beginReading()``). An entry
    /// taken out of it is only good beside it.
    private let reading: Activity
    var root: Root { commit.root }

    /// `reading` begins before the commit is looked up, unless nobody can delete it meanwhile.
    package init(store: Store, commit: CommitRecord, datum: String = "", reading: Activity? = nil) {
        self.reading = reading ?? store.beginReading()
        self.store = store
        self.commit = commit
        self.datum = datum
    }

    /// The file or directory at a literal path, or nil. The root of an empty commit is not there.
    package func inspect(_ path: String) throws -> FileView? {
        let path = FilePath.clean(path)
        if path != "/", let file = try file(path) { return file }
        return try directory(path == "/" ? "/" : path + "/")
    }

    /// The file at a cleaned path, or nil.
    func file(_ path: String) throws -> FileView? {
        var cursor = store.scan(root, from: .first(of: path), upTo: .after(path))
        while let (key, entry) = try cursor.next() {
            if accepts(key) { return view(key, entry) }
        }
        return nil
    }

    /// The directory at a path ending in `/`, or nil if nothing is below it.
    package func directory(_ path: String) throws -> FileView? {
        guard datum.isEmpty else { return try restrictedDirectory(path) }
        let sum = try store.aggregate(root, from: .first(under: path), upTo: .after(under: path))
        guard sum.entries > 0 else { return nil }
        return FileView(path: path, datum: "", size: sum.bytes, digest: sum.fingerprint.digest, entry: nil)
    }

    /// The sums in the tree count all datums: for one of them the files are counted.
    private func restrictedDirectory(_ path: String) throws -> FileView? {
        var cursor = store.scan(root, from: .first(under: path), upTo: .after(under: path))
        var view: FileView?
        while let (key, entry) = try cursor.next() {
            guard accepts(key) else { continue }
            let known = view ?? FileView(path: path, datum: "", size: 0, digest: .zero, entry: nil)
            view = FileView(
                path: path, datum: "", size: known.size + entry.size,
                digest: Hashing.sha256(known.digest.bytes + Array(key.path.utf8) + entry.digest.bytes), entry: nil)
        }
        return view
    }

    func accepts(_ key: TreeKey) -> Bool { datum.isEmpty || datum == key.datum }

    func view(_ key: TreeKey, _ entry: FileEntry) -> FileView {
        FileView(path: key.path, datum: key.datum, size: entry.size, digest: entry.digest, entry: entry)
    }
}

/// A page of a listing: where it begins, which way it goes, how much it holds.
package struct Page: Sendable {
    /// The path after which (going backward: before which) the page begins; empty means from the end.
    package var marker: String
    /// 0 means all.
    package var limit: Int
    package var isReverse: Bool

    package init(marker: String = "", limit: Int = 0, isReverse: Bool = false) {
        self.marker = marker
        self.limit = limit
        self.isReverse = isReverse
    }

    package static let all = Page()

    /// Whether `path` lies beyond the marker.
    func reaches(_ path: String) -> Bool {
        if marker.isEmpty { return true }
        return isReverse ? FilePath.precedes(path, marker) : FilePath.precedes(marker, path)
    }

    /// Checks the rules of `pfs.md` §4.7.
    package func validate() throws(SpileError) {
        if limit > Limits.filesPerPage {
            throw .invalid("cannot return more than \(Limits.filesPerPage) files at a time")
        }
        if limit < 0 { throw .invalid("number must not be negative") }
        if isReverse && limit == 0 { throw .invalid("number must be > 0 when reverse is true") }
    }
}
