import Core
import Storage

/// The pseudo repo `__filesets__`: file sets read as if they were commits (`pfs.md` §1.4). It has no row, so whatever
/// would create, write or list it finds no repo.
extension CommitHandle {
    /// Whether this names a file set.
    package var isFileSet: Bool { repo.name == RepoKey.fileSets }

    /// The handle that reads a file set.
    package init(fileSet handle: String) {
        self.init(repo: RepoKey(name: RepoKey.fileSets), id: handle)
    }
}

extension RepoKey {
    package static let fileSets = "__filesets__"
}

extension CatalogReader {
    /// What `handle` names, to be read: a commit, or a file set in a commit's clothes.
    func readable(_ handle: CommitHandle, at now: Instant) throws -> CommitRecord {
        guard handle.isFileSet else { return try existingCommit(handle) }
        let record = try livingFileSet(handle.text, at: now)
        return CommitRecord(
            repo: 0, key: handle.repo.commit(record.id.uuid), branch: nil, parent: nil, origin: .user,
            description: "FileSet - Virtual Commit", started: record.createdAt, finished: Instant(nanoseconds: 0),
            root: record.content)
    }
}

extension History {
    /// What `handle` names, to be read: a commit as it stands, or a file set in a commit's clothes, with no stage of
    /// its life but `finished`, which is the zero instant.
    package func readable(_ handle: CommitHandle) throws -> CommitRecord {
        try read { try $0.readable(handle, at: clock.now()) }
    }

    /// A file set whose trees a URL keeps, or whose lease holds; nil if it is gone.
    package func readableFileSet(_ id: FileSetID) throws -> FileSetRecord? {
        let record = try read { try $0.fileSet(id) }
        return record.flatMap { $0.isReadable(at: clock.now()) ? $0 : nil }
    }
}

extension CommitFiles {
    /// Every file whose path lies in `range`, in order, no directories.
    package func files(in range: PathRange, _ body: (FileView) async throws -> Bool) async throws {
        var cursor = store.scan(
            root, from: range.lower.isEmpty ? nil : .first(of: range.lower),
            upTo: range.upper.isEmpty ? nil : .first(of: range.upper))
        while let (key, entry) = try cursor.next() {
            guard accepts(key) else { continue }
            guard try await body(view(key, entry)) else { return }
        }
    }
}

extension PathRange {
    /// What lies in both; may be empty of paths.
    package func intersection(_ other: PathRange) -> PathRange {
        PathRange(
            lower: FilePath.precedes(lower, other.lower) ? other.lower : lower,
            upper: upper.isEmpty || (!other.upper.isEmpty && FilePath.precedes(other.upper, upper))
                ? other.upper : upper)
    }
}
