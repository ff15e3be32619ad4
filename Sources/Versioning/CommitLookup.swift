import Core

/// How a caller's words become a commit (`pfs.md` §1.3).
extension CatalogReader {
    package func existingRepo(_ key: RepoKey) throws -> RepoRecord {
        guard let repo = try repo(key) else { throw SpileError.repoNotFound(key) }
        return repo
    }

    package func existingBranch(_ key: BranchKey) throws -> BranchRecord {
        let repo = try existingRepo(key.repo)
        guard let branch = try branch(repo: repo.id, name: key.name) else { throw SpileError.branchNotFound(key) }
        return branch
    }

    /// The commit that `handle` names. Throws `notFound` for a missing repo, branch or commit.
    package func existingCommit(_ handle: CommitHandle) throws -> CommitRecord {
        // A file set's handle would not read as a commit's; what may be a file set asks for what is readable.
        if handle.isFileSet { throw SpileError.repoNotFound(handle.repo) }
        return try existingCommit(CommitPicker(handle))
    }

    /// The commit that `picker` names. Throws `notFound` for a missing repo, branch or commit.
    ///
    /// Going `back` costs a look-up a step, counting from the start of a branch one or two a commit of the branch, and
    /// holds one or two commits at a time.
    package func existingCommit(_ picker: CommitPicker) throws -> CommitRecord {
        let start = try start(of: picker)
        switch picker.base {
        case .head, .id: return try ancestor(of: start, back: picker.back, picker)
        case .root(_, let offset):
            return try ancestor(of: fromRoot(of: start, offset: offset, picker), back: picker.back, picker)
        }
    }

    /// The commit with this sequence number; that it exists is an invariant.
    package func knownCommit(_ sequence: Int64) throws -> CommitRecord {
        guard let commit = try commit(sequence: sequence) else {
            throw SpileError.bug("commit number \(sequence) is referred to but not in the catalog")
        }
        return commit
    }

    /// Where a picker starts from. An error names what is missing and the commit that is asked for, in this order:
    /// clients look at the beginning (`clients.md` §3).
    private func start(of picker: CommitPicker) throws -> CommitRecord {
        do {
            return try start(picker.base, in: try existingRepo(picker.repo))
        } catch let error as SpileError where error.code == .notFound {
            if error.message.hasPrefix("commit ") { throw error }
            throw SpileError.notFound("\(error.message): commit \(picker) not found", remedy: error.remedy)
        }
    }

    private func start(_ base: CommitPicker.Base, in repo: RepoRecord) throws -> CommitRecord {
        switch base {
        case .head(let key), .root(let key, _):
            guard let branch = try branch(repo: repo.id, name: key.name), let head = branch.head else {
                throw SpileError.branchNotFound(key)
            }
            return try knownCommit(head)
        case .id(let key):
            if let commit = try commit(repo: repo.id, id: key.id) { return commit }
            if let alias = try alias(of: key.id, in: repo.id) { return alias }
            throw SpileError.commitNotFound(CommitHandle(key))
        }
    }

    private func ancestor(of commit: CommitRecord, back: Int, _ picker: CommitPicker) throws -> CommitRecord {
        var commit = commit
        for _ in 0..<back {
            guard let parent = commit.parent else { throw invalidOffset(picker) }
            commit = try knownCommit(parent)
        }
        return commit
    }

    /// The commit `offset` after the first one of a lineage, found without holding the lineage: one walker goes
    /// `offset` commits ahead of the other, and when it stands at the first commit the other one is there.
    private func fromRoot(of head: CommitRecord, offset: Int, _ picker: CommitPicker) throws -> CommitRecord {
        var ahead = try ancestor(of: head, back: offset, picker)
        var commit = head
        while let parent = ahead.parent {
            ahead = try knownCommit(parent)
            guard let next = commit.parent else { throw SpileError.bug("commit \(commit.key) has lost its parent") }
            commit = try knownCommit(next)
        }
        return commit
    }

    private func invalidOffset(_ picker: CommitPicker) -> SpileError {
        .domain("invalid offset for ancestor: \(picker) walks past the root")
    }

    /// The newest commit of a repo in the transitive provenance of the commits that carry a set id: so that
    /// `input@<set id of an output>` names what the output was made from.
    private func alias(of id: CommitID, in repo: Int64) throws -> CommitRecord? {
        var queue = try commits(set: id).flatMap(\.provenance)
        var seen = Set(queue)
        var found: CommitRecord?
        while let sequence = queue.popLast() {
            let commit = try knownCommit(sequence)
            if commit.repo == repo && commit.sequence > (found?.sequence ?? 0) { found = commit }
            for upstream in commit.provenance where seen.insert(upstream).inserted { queue.append(upstream) }
        }
        return found
    }

    /// What a commit started from `parent` inherits from: the nearest ancestor that is not in error, open or not.
    func base(from parent: CommitRecord?) throws -> CommitRecord? {
        let last = try lastTried(from: parent)
        return last?.error.isEmpty == true ? last : nil
    }

    /// The base of a commit started from `parent`, or where it has none its first ancestor. A line of commits in error
    /// is walked once: each of them knows how far back it goes (``CommitRecord/shortcut``).
    func lastTried(from parent: CommitRecord?) throws -> CommitRecord? {
        var last = parent
        while let commit = last, !commit.error.isEmpty, let parent = commit.parent {
            last = try commit.shortcut.flatMap { try self.commit(sequence: $0) } ?? knownCommit(parent)
        }
        return last
    }

    /// What a commit inherits from; nil for nothing.
    package func inherited(by commit: CommitRecord) throws -> CommitRecord? { try base(from: commit.parent) }

    /// The same for the parent's number.
    func base(from parent: Int64?) throws -> CommitRecord? { try base(from: parent.map { try knownCommit($0) }) }

    /// What a commit started from `parent` inherits: the content of its base.
    func inheritedRoot(from parent: Int64?) throws -> Root { try base(from: parent)?.readableRoot ?? .empty }
}

extension History {
    /// `handle` as the id it stands for now, where finding that means a walk over many commits: for callers that are
    /// about to hand it to ``transact(as:_:)``, whose thread nobody may keep busy. Any other handle, and one that names
    /// nothing, comes back as it is. Blocks.
    package func pinned(_ handle: CommitHandle) throws -> CommitHandle {
        if handle.isFileSet { return handle }
        let picker = try CommitPicker(handle)
        let pinned = try pinned(picker)
        if case .id(let key) = pinned.base, pinned != picker { return CommitHandle(key) }
        return handle
    }

    /// The same for a picker.
    package func pinned(_ picker: CommitPicker) throws -> CommitPicker {
        if case .root = picker.base {} else if picker.back <= Self.shortWalk { return picker }
        do {
            return CommitPicker(.id(try read { try $0.existingCommit(picker) }.key))
        } catch let error as SpileError where error.code == .notFound {
            return picker
        }
    }

    /// So many look-ups may be made inside a transaction.
    private static let shortWalk = 64
}
