import Core

/// What a caller asks of a branch (`pfs.md` §4.3, CreateBranch).
package struct BranchChange: Sendable {
    /// Where it shall point; nil leaves that.
    package var head: CommitHandle?
    /// What it derives from from now on: replaces what was.
    package var provenance: [BranchKey]
    /// Those of ``provenance`` whose new commits shall open none here: replaces what was.
    package var quiet: [BranchKey]
    /// What moves it; nil leaves that.
    package var trigger: BranchTrigger?

    package init(
        head: CommitHandle? = nil, provenance: [BranchKey] = [], quiet: [BranchKey] = [], trigger: BranchTrigger? = nil
    ) {
        self.head = head
        self.provenance = provenance
        self.quiet = quiet
        self.trigger = trigger
    }
}

extension HistoryTransaction {
    /// Makes a branch or changes its head and provenance (`pfs.md` §4.3).
    ///
    /// A new branch without head and provenance gets an empty finished AUTO commit; new, non-empty provenance adds an
    /// open AUTO commit; taking all provenance away adds none. Branches named in `provenance` are made if missing.
    package func createBranch(_ key: BranchKey, _ change: BranchChange = BranchChange()) throws {
        try authorizeBranch(of: key.repo)
        try NameRules.checkBranch(key.name)
        let repo = try catalog.existingRepo(key.repo)
        let existing = try catalog.branch(repo: repo.id, name: key.name)
        var change = change
        try restrictLaunch(&change, existing)
        try checkTrigger(change, on: key, existing, in: repo)
        let upstream = try upstreamBranches(change.provenance, of: key, existing)
        let quiet = try quietEdges(change, of: key)
        let head = try change.head.map { try resolveHead($0, for: key) }
        if let existing {
            try alter(existing, head: head, upstream: upstream, quiet: quiet, trigger: change.trigger)
        } else {
            try make(key, in: repo, head: head, upstream: upstream, quiet: quiet, trigger: change.trigger)
        }
        touch(repo: repo.id)
    }

    private func make(
        _ key: BranchKey, in repo: RepoRecord, head: CommitRecord?, upstream: [BranchRecord], quiet: Set<Int64>,
        trigger: BranchTrigger?
    ) throws {
        var branch = BranchRecord(
            repo: repo.id, key: key, head: head?.sequence, provenance: upstream.map(\.id), quiet: quiet,
            trigger: trigger, createdAt: now, updatedAt: now, createdBy: principal.name)
        branch.id = try catalog.insert(branch)
        if !upstream.isEmpty { noteDerivation(of: branch, from: upstream) }
        if trigger != nil { touchedRepos.insert(EventHub.triggers) }
        if head == nil || !upstream.isEmpty { try addAutoCommit(on: branch, isOpen: !upstream.isEmpty) }
    }

    private func alter(
        _ old: BranchRecord, head: CommitRecord?, upstream: [BranchRecord], quiet: Set<Int64>, trigger: BranchTrigger?
    ) throws {
        var branch = old
        branch.provenance = upstream.map(\.id)
        branch.quiet = quiet
        branch.head = head?.sequence ?? old.head
        branch.trigger = trigger ?? old.trigger
        guard branch != old else { return }
        let derivesAnew = Set(branch.provenance) != Set(old.provenance)
        branch.updatedAt = now
        try catalog.update(branch)
        if derivesAnew { noteDerivation(of: branch, from: upstream) }
        if branch.trigger != old.trigger {
            touchedRepos.insert(EventHub.triggers)
            heads.dropDistances()
        }
        if branch.head != old.head {
            moved[branch.id] = branch.key
            try freeKeys(of: old, movedTo: branch.head)
        }
        if derivesAnew && !upstream.isEmpty { try addAutoCommit(on: branch, isOpen: true) }
    }

    /// From now on a commit upstream has consequences.
    private func noteDerivation(of branch: BranchRecord, from upstream: [BranchRecord]) {
        derivedAnew.insert(branch.id)
        for repo in Set(upstream.map(\.repo)) { touch(repo: repo) }
    }

    /// Deletes a branch; its commits stay (`pfs.md` §4.3).
    package func deleteBranch(_ key: BranchKey, force: Bool) throws {
        try refuseLaunches("it may not delete branches")
        let branch = try catalog.existingBranch(key)
        try require(.repoDeleteBranch, on: AccessResource(key.repo))
        try detach(branch, force: force)
        try detachTriggers(of: branch, force: force)
        try catalog.deleteBranch(id: branch.id)
        moved[branch.id] = nil
        derivedAnew.remove(branch.id)
        touch(repo: branch.repo)
    }

    /// Points a branch at a commit of its repo; what derives from it follows.
    func moveHead(of branch: BranchRecord, to commit: CommitRecord) throws {
        try freeKeys(of: branch, movedTo: commit.sequence)
        try catalog.setHead(branch: branch.id, to: commit.sequence, at: now)
        moved[branch.id] = branch.key
        touch(repo: branch.repo)
    }

    /// Forgets the keys of writes that a branch no longer holds once its head has moved: those of commits behind the
    /// last one that the old lineage and the new one share.
    private func freeKeys(of branch: BranchRecord, movedTo head: Int64?) throws {
        guard try catalog.hasIdempotencyRecords(branch: branch.id) else { return }
        var (old, new) = (branch.head, head)
        while let a = old, let b = new, a != b {
            // A parent has the smaller number.
            if a > b { old = try catalog.knownCommit(a).parent } else { new = try catalog.knownCommit(b).parent }
        }
        let shared = old == new ? old ?? 0 : 0
        try catalog.deleteIdempotencyRecords(branch: branch.id, after: shared)
    }

    // MARK: What a caller asks for

    /// A launch's token writes commits and moves heads; what branches derive from is its pipeline's business.
    private func restrictLaunch(_ change: inout BranchChange, _ existing: BranchRecord?) throws {
        guard case .launch = principal else { return }
        if !change.provenance.isEmpty || change.trigger != nil {
            try refuseLaunches("it may not set what a branch derives from or follows")
        }
        guard let existing else { return }
        change.provenance = try existing.provenance.compactMap { try catalog.branch(id: $0)?.key }
        change.quiet = try existing.quiet.compactMap { try catalog.branch(id: $0)?.key }
    }

    private func upstreamBranches(
        _ keys: [BranchKey], of key: BranchKey, _ existing: BranchRecord?
    ) throws -> [BranchRecord] {
        var seen: Set<BranchKey> = []
        let upstream = try keys.filter { seen.insert($0).inserted }.map { try upstreamBranch($0, of: key) }
        guard let existing else { return upstream }
        let downstream = try reachable(from: existing.id)
        for branch in upstream where downstream.contains(branch.id) {
            throw SpileError(
                .internal, "cycle detected because \(branch.key) is already in the subvenance of \(key)",
                remedy: "a branch cannot derive from what derives from it")
        }
        return upstream
    }

    private func upstreamBranch(_ key: BranchKey, of downstream: BranchKey) throws -> BranchRecord {
        guard key.repo != downstream.repo else {
            throw SpileError.domain("repo \(key.repo) cannot be in the provenance of its own branch")
        }
        let repo = try catalog.existingRepo(key.repo)
        if let branch = try catalog.branch(repo: repo.id, name: key.name) { return branch }
        try createBranch(key)
        return try catalog.existingBranch(key)
    }

    private func quietEdges(_ change: BranchChange, of key: BranchKey) throws -> Set<Int64> {
        try Set(
            change.quiet.map { upstream in
                guard change.provenance.contains(upstream) else {
                    throw SpileError.domain(
                        "branch propagation spec of \(key) names \(upstream), which is not in its direct provenance",
                        remedy: "name branches that provenance lists")
                }
                return try catalog.existingBranch(upstream).id
            })
    }

    private func resolveHead(_ handle: CommitHandle, for key: BranchKey) throws -> CommitRecord {
        guard handle.repo.name == key.repo.name else {
            throw SpileError.domain("branch and head commit must belong to the same repo")
        }
        let commit = try catalog.existingCommit(CommitHandle(repo: key.repo, branch: handle.branch, id: handle.id))
        if commit.isForgotten { throw SpileError.forgottenHead(commit.key) }
        return commit
    }

    private func addAutoCommit(on branch: BranchRecord, isOpen: Bool) throws {
        _ = try insertCommit(
            on: branch, parent: branch.head.map { try catalog.knownCommit($0) }, origin: .auto, isOpen: isOpen)
    }
}
