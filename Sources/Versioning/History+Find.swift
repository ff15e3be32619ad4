import Core
import Storage

/// A search for the commits that changed a file (`pfs.md` §4.4, FindCommits).
package struct CommitSearch: Sendable {
    /// The newest commit to look at; has to be finished.
    package var start: CommitHandle
    /// One file, literally.
    package var path: String
    /// The most commits to find; 0 means all.
    package var limit: Int
    /// When to stop looking; nil: at the first commit.
    package var stopAt: Instant?

    package init(start: CommitHandle, path: String, limit: Int = 0, stopAt: Instant? = nil) {
        self.start = start
        self.path = path
        self.limit = limit
        self.stopAt = stopAt
    }

    package enum Answer: Sendable, Equatable {
        /// A commit that changed the file, and how many were looked at before it.
        case found(CommitKey, searched: Int)
        /// The end: the last commit that was looked at, and how many were.
        case end(CommitKey, searched: Int)
    }
}

extension History {
    /// Looks at a commit and all before it, newest first, and tells which changed the file: added it, gave it other
    /// bytes, or removed it, in whichever datum. What a commit is compared with is what it was made from: the nearest
    /// ancestor that is not in error.
    ///
    /// Throws `notFound` for the start, and `unavailable` while it is not finished. Cost: two short descents a commit,
    /// none where nothing changed at all.
    package func find(
        _ search: CommitSearch, _ deliver: (CommitSearch.Answer) async throws -> Void
    ) async throws {
        let path = FilePath.clean(search.path)
        guard path != "/" else { throw SpileError.invalid("file_path names no file", remedy: "name one, such as /a/b") }
        let reading = store.beginReading()
        defer { withExtendedLifetime(reading) {} }
        let start = try read { try $0.existingCommit(search.start) }
        guard start.finished != nil else { throw SpileError.commitNotFinished(start.key) }
        var next: Int64? = start.sequence
        var base: Root?
        var last = start.key
        var searched = 0
        var found = 0
        walk: while let sequence = next {
            let page = try read { try $0.lineage(from: sequence, below: base, limit: Self.findPage) }
            for (commit, base) in page {
                if let stopAt = search.stopAt, clock.now() >= stopAt { break walk }
                if try differ(base, commit.root, at: path) {
                    try await deliver(.found(commit.key, searched: searched))
                    found += 1
                }
                searched += 1
                last = commit.key
                if found > 0 && found == search.limit { break walk }
            }
            (next, base) = (page.last?.commit.parent, page.last?.base)
            try Task.checkCancellation()
        }
        try await deliver(.end(last, searched: searched))
    }

    /// The newest commit, of `start` and those before it, that changed the file at `path`, or something below the
    /// directory whose path ends in `/`: added it, gave it other bytes, or removed it. Nil where none of the newest
    /// `limit` did. Cost: two short descents a commit, none where nothing changed at all. Blocks.
    package func lastChange(of path: String, upTo start: CommitRecord, limit: Int) throws -> CommitRecord? {
        let reading = store.beginReading()
        defer { withExtendedLifetime(reading) {} }
        var next: Int64? = start.sequence
        var base: Root?
        var left = limit
        while let sequence = next, left > 0 {
            let page = try read { try $0.lineage(from: sequence, below: base, limit: min(left, Self.findPage)) }
            for (commit, base) in page where try differ(base, commit.root, at: path) { return commit }
            left -= max(page.count, 1)
            (next, base) = (page.last?.commit.parent, page.last?.base)
            try Task.checkCancellation()
        }
        return nil
    }

    private static let findPage = 64

    private func differ(_ base: Root, _ root: Root, at path: String) throws -> Bool {
        if base.digest == root.digest { return false }
        let isDirectory = FilePath.endsInSeparator(path)
        var difference = store.diff(
            base, root, from: isDirectory ? .first(under: path) : .first(of: path),
            upTo: isDirectory ? .after(under: path) : .after(path))
        return try difference.next() != nil
    }
}

extension CatalogReader {
    /// A commit and those before it, each with the content it was made from. `base` is that of the commit's child.
    ///
    /// A commit in error passes on what it was made from: however many of them follow each other, each is read once.
    fileprivate func lineage(
        from sequence: Int64, below base: Root?, limit: Int
    ) throws -> [(commit: CommitRecord, base: Root)] {
        var page: [(commit: CommitRecord, base: Root)] = []
        var next: Int64? = sequence
        var base = base
        while let sequence = next, page.count < limit {
            // A commit that went away since the last page ends the search as a first commit does.
            guard let commit = try commit(sequence: sequence) else { break }
            if base == nil || commit.error.isEmpty { base = try inheritedRoot(from: commit.parent) }
            page.append((commit, base ?? .empty))
            next = commit.parent
        }
        return page
    }
}

extension SpileError {
    /// What is asked for will be there once the commit is finished.
    package static func commitNotFinished(_ key: CommitKey) -> SpileError {
        SpileError(
            .unavailable, "commit \(key) not finished", remedy: "finish it, then try again",
            detail: .resource(type: "pfs:commit", name: "\(key.id)", description: "commit not finished"))
    }
}
