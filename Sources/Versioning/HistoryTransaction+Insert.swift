import Core

/// What a new commit is to be, besides its place.
struct CommitContent {
    var description = ""
    /// Nil: what the parent has.
    var root: Root?
    /// What of it was written over a base that is not finished.
    var layer = CommitLayer()
    var error = ""
    var metadata: [String: String] = [:]
}

extension HistoryTransaction {
    /// Adds a commit as the new head of `branch`: the one place where commits are made.
    func insertCommit(
        on branch: BranchRecord, parent: CommitRecord?, origin: CommitOrigin, isOpen: Bool,
        _ content: CommitContent = CommitContent()
    ) throws -> CommitRecord {
        let base = try catalog.base(from: parent)
        // Over a base that is not finished yet it is finished together with that.
        let isSettled = base?.isFinished != false
        let root = try content.root ?? base?.readableRoot ?? .empty
        var commit = CommitRecord(
            repo: branch.repo, key: branch.key.repo.commit(id), branch: branch.id, parent: parent?.sequence,
            provenance: try heads(of: branch.provenance), origin: origin, description: content.description,
            started: now, finishing: isOpen ? nil : now, finished: isOpen || !isSettled ? nil : now,
            error: content.error,
            shortcut: content.error.isEmpty ? nil : try catalog.lastTried(from: parent)?.sequence, root: root,
            layer: isSettled ? nil : content.layer, createdBy: principal.name, metadata: content.metadata)
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
        moved[branch.id] = branch.key
        if commit.isFinished { noteFinished(commit, on: branch.key) }
        if isOpen, origin == .auto, branch.key.repo.type == .user { opened[commit.sequence] = branch.key }
        try noteHead(commit, of: branch)
        return commit
    }

    /// The commits that branches point at.
    func heads(of branches: [Int64]) throws -> [Int64] {
        try branches.map { id in
            guard let head = try catalog.branch(id: id)?.head else {
                throw SpileError.bug("branch number \(id) has no head")
            }
            return head
        }
    }

    /// Only this branch changed: what is known of the repo's other heads still holds.
    private func noteHead(_ commit: CommitRecord, of branch: BranchRecord) throws {
        touchedRepos.insert(branch.repo)
        let known = heads.entry(branch.key)
        let isLeaf =
            if let known, known.branch.id == branch.id { known.isLeaf } else {
                try catalog.directSubvenance(branch: branch.id).isEmpty
                    && catalog.triggeredBranches(repo: branch.repo).isEmpty
            }
        if !isLeaf { touchedRepos.insert(EventHub.jobs) }
        var branch = branch
        branch.head = commit.sequence
        branch.updatedAt = now
        heads.put(HeadCache.Entry(branch: branch, head: commit, isLeaf: isLeaf))
    }
}

extension CommitRecord {
    /// The root of its files; throws for a commit whose files were given up.
    package var readableRoot: Root {
        get throws {
            if isForgotten {
                throw SpileError.domain("the commit is forgotten: \(key)", remedy: "read another commit of its branch")
            }
            return root
        }
    }
}
