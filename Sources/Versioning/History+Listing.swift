import Core
import Storage

/// Which commits a listing holds (`pfs.md` §4.4, ListCommit).
package struct CommitQuery: Sendable {
    package var repo: RepoKey
    /// Where to begin and then follow parents; needed for `from`.
    package var to: CommitHandle?
    /// Where to stop, itself left out.
    package var from: CommitHandle?
    /// 0 means all.
    package var limit: Int64
    package var isReverse: Bool
    package var origin: CommitOrigin?
    /// Without `to`: only commits started strictly before (in reverse: after) this.
    package var startedBeyond: Instant?

    package init(
        repo: RepoKey, to: CommitHandle? = nil, from: CommitHandle? = nil, limit: Int64 = 0, isReverse: Bool = false,
        origin: CommitOrigin? = nil, startedBeyond: Instant? = nil
    ) {
        self.repo = repo
        self.to = to
        self.from = from
        self.limit = limit
        self.isReverse = isReverse
        self.origin = origin
        self.startedBeyond = startedBeyond
    }
}

extension CommitQuery {
    fileprivate func accepts(_ commit: CommitRecord) -> Bool {
        if let origin, commit.origin != origin { return false }
        guard let startedBeyond, to == nil else { return true }
        return isReverse ? commit.started > startedBeyond : commit.started < startedBeyond
    }
}

extension History {
    /// Delivers the commits that `query` asks for, a page of the catalog at a time: memory does not grow with history.
    ///
    /// Where no repo is named, those of the repos that `shows` accepts, asked on the snapshot that is read; the others
    /// do not count for the limit.
    package func list(
        _ query: CommitQuery, shows: (RepoKey, any CatalogReader) throws -> Bool = { _, _ in true },
        _ deliver: (CommitView) async throws -> Void
    ) async throws {
        var left = query.limit <= 0 ? Int64.max : query.limit
        let take: (CommitView) async throws -> Bool = { view in
            try await deliver(view)
            left -= 1
            return left > 0
        }
        if query.to != nil || query.from != nil {
            try await listLineage(query, take)
        } else {
            try await listRepo(query, shows, take)
        }
    }

    private func listRepo(
        _ query: CommitQuery, _ shows: (RepoKey, any CatalogReader) throws -> Bool,
        _ take: (CommitView) async throws -> Bool
    ) async throws {
        let repo: Int64? = try query.repo.name.isEmpty ? nil : read { try $0.existingRepo(query.repo).id }
        var cursor: Int64?
        while true {
            let (page, end) = try read { catalog in
                let page = try catalog.commits(
                    repo: repo, order: query.isReverse ? .oldestFirst : .newestFirst, beyond: cursor, limit: 200)
                var listed = page.filter(query.accepts)
                if repo == nil { listed = try listed.filter { try shows($0.key.repo, catalog) } }
                return (try listed.map(catalog.view), page.last?.sequence)
            }
            guard let end else { return }
            for view in page { guard try await take(view) else { return } }
            cursor = end
        }
    }

    private func listLineage(_ query: CommitQuery, _ take: (CommitView) async throws -> Bool) async throws {
        guard let to = query.to else {
            throw SpileError.invalid("cannot use `from` commit without `to` commit", remedy: "give both")
        }
        guard !query.isReverse else { throw SpileError.invalid("cannot use `reverse` while also using `from` or `to`") }
        for handle in [to, query.from].compactMap({ $0 }) where handle.repo != query.repo {
            throw SpileError.invalid("`from` and `to` commits need to be from repo \(query.repo)")
        }
        let (start, stop) = try read { catalog in
            (try catalog.existingCommit(to).sequence, try query.from.map { try catalog.existingCommit($0).sequence })
        }
        var next: Int64? = start
        while let sequence = next, sequence != stop {
            let (page, end) = try read { catalog -> ([CommitView], Int64?) in
                var page: [CommitView] = []
                var next: Int64? = sequence
                for _ in 0..<200 {
                    guard let sequence = next, sequence != stop else { break }
                    guard let record = try catalog.commit(sequence: sequence) else {
                        throw SpileError(
                            .aborted, "the history of \(to) changed while it was listed", remedy: "list it again")
                    }
                    if query.accepts(record) { page.append(try catalog.view(record)) }
                    next = record.parent
                }
                return (page, next)
            }
            for view in page { guard try await take(view) else { return } }
            next = end
        }
    }

    /// The commits that carry a set id and, before them, those of older sets that they derive from, in the order they
    /// were made (`pfs.md` §4.5).
    package func commitSet(_ id: CommitID) throws -> [CommitRecord] {
        try read { catalog in
            let members = try catalog.commits(set: id)
            guard !members.isEmpty else { throw SpileError.notFound("no commits found for commitset \(id)") }
            var found = Dictionary(uniqueKeysWithValues: members.map { ($0.sequence, $0) })
            var queue = members.flatMap(\.provenance)
            while let sequence = queue.popLast() {
                guard found[sequence] == nil else { continue }
                let commit = try catalog.knownCommit(sequence)
                found[sequence] = commit
                queue += commit.provenance
            }
            return found.values.sorted { $0.sequence < $1.sequence }
        }
    }

    /// Delivers commit sets, newest first; with a project, those with a commit in it.
    package func listCommitSets(
        project: ProjectKey?, _ deliver: (CommitID, [CommitView]) async throws -> Void
    ) async throws {
        var cursor: Int64?
        while true {
            let page = try read { catalog in
                try catalog.commitSets(beyond: cursor, limit: 100).map { set in
                    (set.id, set.sequence, try catalog.commits(set: set.id).map(catalog.view))
                }
            }
            guard let last = page.last else { return }
            for (id, _, members) in page {
                if let project, !members.contains(where: { $0.record.key.repo.project == project }) { continue }
                try await deliver(id, members)
            }
            cursor = last.1
        }
    }

    /// The files of the commit that `handle` names, as they stand now.
    package func files(_ handle: CommitHandle, datum: String = "") throws -> CommitFiles {
        let reading = store.beginReading()
        return try files(of: try readable(handle), datum: datum, reading)
    }

    /// The files of the parent of `commit`, or of an empty commit where it has none.
    package func parentFiles(of commit: CommitRecord) throws -> CommitFiles {
        guard let parent = commit.parent else {
            var empty = commit
            empty.root = .empty
            return CommitFiles(store: store, commit: empty)
        }
        let reading = store.beginReading()
        guard let parent = try read({ try $0.commit(sequence: parent) }) else {
            throw SpileError.domain("the parent of commit \(commit.key) was deleted")
        }
        return try files(of: parent, reading)
    }

    /// What ``files(_:datum:)`` gives, once a commit that is finishing is finished. An open one is read as it stands,
    /// unless it holds what no commit may (`pfs.md` §1.7).
    package func settledFiles(_ handle: CommitHandle, datum: String = "") async throws -> CommitFiles {
        let files = try files(handle, datum: datum)
        if files.commit.isOpen && files.commit.finished == nil { try refuseCollisions(in: files.commit) }
        guard files.commit.isFinishing else { return files }
        return try self.files(CommitHandle(try await settled(files.commit).key), datum: datum)
    }

    private func refuseCollisions(in commit: CommitRecord) throws {
        let base = try read { try $0.inheritedRoot(from: commit.parent) }
        var check = lastCheck.withLock { $0 }
        if check?.isOf(base, commit.root) != true {
            check = try ContentCheck(store: store, base: base, root: commit.root)
            lastCheck.withLock { [check] in $0 = check }
        }
        if let error = check?.error, !error.isEmpty { throw SpileError.domain(error) }
    }

    private func files(of commit: CommitRecord, datum: String = "", _ reading: Activity) throws -> CommitFiles {
        _ = try commit.readableRoot
        return CommitFiles(store: store, commit: commit, datum: datum, reading: reading)
    }
}
