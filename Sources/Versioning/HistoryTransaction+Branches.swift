import Core

extension HistoryTransaction {
    /// Makes a branch or changes its head and provenance (`pfs.md` §4.3).
    ///
    /// A new branch without head and provenance gets an empty finished AUTO commit; new, non-empty provenance adds an
    /// open AUTO commit; taking all provenance away adds none. Branches named in `provenance` are made if missing.
    package func createBranch(_ key: BranchKey, head: CommitHandle?, provenance: [BranchKey]) throws {
        try authorizeWrite(to: key.repo)
        try NameRules.checkBranch(key.name)
        let repo = try catalog.existingRepo(key.repo)
        let upstream = try provenance.map { try upstreamBranch($0, of: key) }
        let headCommit = try head.map { try resolveHead($0, for: key) }

        if var branch = try catalog.branch(repo: repo.id, name: key.name) {
            let derivesAnew = Set(upstream) != Set(branch.provenance)
            let adds = !upstream.isEmpty && derivesAnew
            let movesHead = headCommit.map { $0.sequence != branch.head } ?? false
            guard derivesAnew || movesHead else { return }
            branch.provenance = upstream
            branch.head = headCommit?.sequence ?? branch.head
            branch.updatedAt = now
            try catalog.update(branch)
            if adds { try addAutoCommit(on: branch, isOpen: true) }
        } else {
            var branch = BranchRecord(
                repo: repo.id, key: key, head: headCommit?.sequence, provenance: upstream, createdAt: now,
                updatedAt: now, createdBy: principal.name)
            branch.id = try catalog.insert(branch)
            if headCommit == nil || !upstream.isEmpty { try addAutoCommit(on: branch, isOpen: !upstream.isEmpty) }
        }
        touch(repo: repo.id)
    }

    /// Deletes a branch; its commits stay (`pfs.md` §4.3).
    package func deleteBranch(_ key: BranchKey, force: Bool) throws {
        try authorizeWrite(to: key.repo)
        let branch = try catalog.existingBranch(key)
        try detach(branch, force: force)
        try catalog.deleteBranch(id: branch.id)
        touch(repo: branch.repo)
    }

    private func upstreamBranch(_ key: BranchKey, of downstream: BranchKey) throws -> Int64 {
        guard key.repo != downstream.repo else {
            throw SpileError.domain("repo \(key.repo) cannot be in the provenance of its own branch")
        }
        let repo = try catalog.existingRepo(key.repo)
        if let branch = try catalog.branch(repo: repo.id, name: key.name) { return branch.id }
        try createBranch(key, head: nil, provenance: [])
        return try catalog.existingBranch(key).id
    }

    private func resolveHead(_ handle: CommitHandle, for key: BranchKey) throws -> CommitRecord {
        guard handle.repo.name == key.repo.name else {
            throw SpileError.domain("branch and head commit must belong to the same repo")
        }
        return try catalog.existingCommit(CommitHandle(repo: key.repo, branch: handle.branch, id: handle.id))
    }

    private func addAutoCommit(on branch: BranchRecord, isOpen: Bool) throws {
        _ = try insertCommit(
            on: branch, parent: branch.head.map { try catalog.knownCommit($0) }, origin: .auto, description: "",
            isOpen: isOpen)
    }

    /// Only this branch changed: what is known of the repo's other heads still holds.
    private func noteHead(_ commit: CommitRecord, of branch: BranchRecord) {
        touchedRepos.insert(branch.repo)
        var branch = branch
        branch.head = commit.sequence
        branch.updatedAt = now
        heads.put(HeadCache.Entry(branch: branch, head: commit))
    }

    /// Adds a commit as the new head of `branch`: the one place where commits are made.
    func insertCommit(
        on branch: BranchRecord, parent: CommitRecord?, origin: CommitOrigin, description: String, isOpen: Bool,
        root: Root? = nil, error: String = "", metadata: [String: String] = [:]
    ) throws -> CommitRecord {
        let provenance = try branch.provenance.map { id -> Int64 in
            guard let head = try catalog.branch(id: id)?.head else {
                throw SpileError.bug("branch number \(id) has no head")
            }
            return head
        }
        let content =
            if let root { root } else if let parent, parent.error.isEmpty { parent.root } else {
                try catalog.inheritedRoot(from: parent?.sequence)
            }
        var commit = CommitRecord(
            repo: branch.repo, key: branch.key.repo.commit(id), branch: branch.id, parent: parent?.sequence,
            provenance: provenance, origin: origin, description: description, started: now,
            finishing: isOpen ? nil : now, finished: isOpen ? nil : now, error: error, root: content,
            createdBy: principal.name, metadata: metadata)
        do {
            commit.sequence = try catalog.insert(commit)
        } catch let error as SpileError where error.code == .alreadyExists {
            throw SpileError(
                .alreadyExists,
                "inconsistent dependencies: cannot create commit from \(branch.key); repo (\(branch.key.repo)) already "
                    + "has a commit in this transaction")
        }
        // I3: the head moves in the same transaction as the row it names.
        try catalog.setHead(branch: branch.id, to: commit.sequence, at: now)
        noteHead(commit, of: branch)
        return commit
    }
}
