import Core

/// Branches that follow another branch of their repo (`pfs.md` §4.3.5).
extension HistoryTransaction {
    /// Checks a trigger that a caller gives to a branch, and that the two ways to follow do not meet on it.
    func checkTrigger(
        _ change: BranchChange, on key: BranchKey, _ existing: BranchRecord?, in repo: RepoRecord
    ) throws {
        guard let trigger = change.trigger else {
            if !change.provenance.isEmpty, existing?.trigger != nil { throw Self.followsTwice(key) }
            return
        }
        guard change.provenance.isEmpty else { throw Self.followsTwice(key) }
        try trigger.validate()
        guard trigger.branch != key.name else {
            throw SpileError.invalid("a branch cannot trigger on itself: \(key)")
        }
        var next: String? = trigger.branch
        var isFirst = true
        while let name = next {
            guard name != key.name else {
                throw SpileError.invalid("triggers cannot form a loop: \(key) would follow itself")
            }
            let branch = try catalog.branch(repo: repo.id, name: name)
            guard branch != nil || !isFirst else { throw SpileError.branchNotFound(key.repo.branch(name)) }
            next = branch?.trigger?.branch
            isFirst = false
        }
    }

    private static func followsTwice(_ key: BranchKey) -> SpileError {
        .invalid(
            "branch \(key) cannot have both a trigger and provenance",
            remedy: "a branch follows one way or the other; delete it first to change the way")
    }

    /// Frees the branches that follow one that goes, or refuses without `force`; its own trigger counts as well.
    func detachTriggers(of branch: BranchRecord, force: Bool) throws {
        let followers = try catalog.triggeredBranches(repo: branch.repo).filter {
            $0.trigger?.branch == branch.key.name
        }
        func refuse(_ why: String) -> SpileError {
            .domain("branch \"\(branch.key)\" cannot be deleted because \(why)", remedy: "use force to cut the tie")
        }
        if !force, let trigger = branch.trigger {
            throw refuse("it is triggered by branches [\(branch.key.repo.branch(trigger.branch))]")
        }
        if !force, !followers.isEmpty {
            throw refuse("it triggers branches [\(followers.map(\.key.description).joined(separator: " "))]")
        }
        if branch.trigger != nil || !followers.isEmpty { touchedRepos.insert(EventHub.triggers) }
        for var follower in followers {
            follower.trigger = nil
            follower.updatedAt = now
            try catalog.update(follower)
        }
    }

    /// Moves the branches that commits finished here trigger, and what is triggered by these in turn. What derives
    /// from them gets a commit set of its own.
    func fireTriggers() throws {
        for (commit, branch) in finished where commit.error.isEmpty {
            if heads.entry(branch)?.isLeaf == true { continue }
            let waiting = try catalog.triggeredBranches(repo: commit.repo).filter { $0.trigger?.cron.isEmpty == true }
            if waiting.isEmpty { continue }
            guard let source = try catalog.branch(repo: commit.repo, name: branch.name),
                source.head == commit.sequence
            else { continue }
            let fired = try chain(from: source.key.name, commit, among: waiting)
            if fired.isEmpty { continue }
            try within(as: .server) { inner in
                for branch in fired { try inner.moveHead(of: branch, to: commit) }
            }
        }
    }

    private func chain(
        from source: String, _ commit: CommitRecord, among waiting: [BranchRecord]
    ) throws -> [BranchRecord] {
        var fired: [BranchRecord] = []
        var queue = [source]
        while let name = queue.popLast() {
            for branch in waiting where branch.trigger?.branch == name && !fired.contains(where: { $0.id == branch.id })
            {
                guard try fires(branch, on: commit) else { continue }
                fired.append(branch)
                queue.append(branch.key.name)
            }
        }
        return fired
    }

    private func fires(_ branch: BranchRecord, on commit: CommitRecord) throws -> Bool {
        guard let trigger = branch.trigger, branch.head != commit.sequence else { return false }
        let head = try branch.head.map { try catalog.knownCommit($0) }
        let finished = commit.finishing ?? now
        return trigger.fires(
            in: BranchTrigger.Situation(
                growth: Int64(clamping: commit.root.bytes) - Int64(clamping: head?.root.bytes ?? 0),
                headFinished: head?.finishing, newFinished: finished,
                commitsBetween: try distance(of: branch.id, from: head, to: commit, limit: trigger.commits)))
    }

    /// Commits behind `head` up to and with `commit`, at least as exactly as `limit` needs. An AUTO root does not
    /// count. Goes on from what was counted for the commit before.
    private func distance(
        of branch: Int64, from head: CommitRecord?, to commit: CommitRecord, limit: Int64
    ) throws -> Int64 {
        if limit == 0 { return 0 }
        let known = heads.distance(branch: branch, from: head?.key.id)
        var count: Int64 = 0
        var next: CommitRecord? = commit
        while count < limit, let one = next, one.sequence != head?.sequence {
            if let known, known.to == one.key.id {
                count += known.commits
                break
            }
            if one.parent == nil, one.origin == .auto { break }
            count += 1
            next = try one.parent.map { try catalog.knownCommit($0) }
        }
        heads.put(HeadCache.Distance(from: head?.key.id, to: commit.key.id, commits: count), branch: branch)
        return count
    }

    /// Moves a branch with a schedule to the head of the one it follows. What derives from it follows even if the head
    /// is the same: that is what the schedule is for.
    func fireSchedule(of id: Int64, due: Instant) throws {
        guard let branch = try catalog.branch(id: id), let trigger = branch.trigger, !trigger.cron.isEmpty,
            let next = try catalog.nextFiring(of: branch), next <= due,
            let source = try catalog.branch(repo: branch.repo, name: trigger.branch), let head = source.head
        else { return }
        let commit = try catalog.knownCommit(head)
        // A commit that is not finished is nothing to show yet: the branch moves at the next time.
        if !commit.isFinished { return try catalog.setHead(branch: branch.id, to: branch.head ?? head, at: now) }
        try moveHead(of: branch, to: commit)
    }
}

extension CatalogReader {
    /// When a branch with a schedule is due: the first time after it last moved.
    func nextFiring(of branch: BranchRecord) throws -> Instant? {
        guard let trigger = branch.trigger, !trigger.cron.isEmpty else { return nil }
        let started = try branch.head.map { try knownCommit($0).started } ?? branch.createdAt
        return try CronSchedule(trigger.cron).next(after: max(started, branch.updatedAt))
    }
}
