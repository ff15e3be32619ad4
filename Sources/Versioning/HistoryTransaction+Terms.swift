import Core

/// What a write asks for besides its change (``WriteTerms``), kept in the transaction of the write: so one commit, its
/// positions and the key that names it are durable together, or none of them.
extension HistoryTransaction {
    /// The commit that an earlier write to `target` with the same key made or went into; nil for a new key.
    func written(_ key: String, to target: Upload.Target) throws -> CommitKey? {
        let repo: RepoKey
        let branch: Int64?
        switch target {
        case .openCommit(let key):
            repo = key.repo
            branch = try catalog.existingCommit(CommitHandle(key)).branch
        case .newCommit(let key):
            repo = key.repo
            branch = try branchNumber(key)
        }
        // Whom the server would not let write learns nothing, and a launch that was replaced is told so.
        try authorizeWrite(to: repo)
        return try branch.flatMap { try earlier(key, .write, on: $0) }.map { repo.commit($0.record.commit) }
    }

    /// The commit that an earlier call with the same key started on a branch; nil for a new key.
    func started(_ terms: WriteTerms, on key: BranchKey) throws -> CommitRecord? {
        guard let text = terms.key else { return nil }
        try authorizeWrite(to: key.repo)
        return try branchNumber(key).flatMap { try earlier(text, .start, on: $0) }?.commit
    }

    /// The commit that an earlier call with the same key finished on the branch of `commit`; nil for a new key.
    ///
    /// Who names a branch means the commit that was its head then. Who names another commit by its id is told: as it
    /// is still open, taking the call for done would leave the branch stuck.
    func finishedBefore(_ commit: CommitRecord, _ handle: CommitHandle, _ terms: WriteTerms) throws -> CommitRecord? {
        guard let key = terms.key, let branch = commit.branch,
            let found = try earlier(key, .finish, on: branch)
        else { return nil }
        if found.record.sequence == commit.sequence { return commit }
        let finished = commit.key.repo.commit(found.record.commit)
        guard let known = found.commit, case .head = try CommitPicker(handle).base else {
            throw SpileError(
                .failedPrecondition, "the idempotency key was used to finish commit \(finished), not \(commit.key)",
                remedy: "if both hold the same, drop the second; else finish it with a key of its own")
        }
        return known
    }

    /// Keeps the key of a call that is carried out in this transaction.
    func remember(_ terms: WriteTerms, _ operation: KeyedOperation, _ commit: CommitRecord) throws {
        guard let key = terms.key else { return }
        guard let branch = commit.branch else {
            throw SpileError(
                .failedPrecondition, "the branch of commit \(commit.key) was deleted: there is none to keep a key for",
                remedy: "leave the idempotency key out")
        }
        let number = try catalog.put(
            IdempotencyRecord(
                branch: branch, operation: operation, key: key, sequence: commit.sequence, commit: commit.key.id,
                doneAt: now))
        guard number % Self.trimEvery == 0 else { return }
        let window = Int64(Limits.idempotencyKeyHours) * 3600 * 1_000_000_000
        // Twice as many as came since the last time: so it catches up with a window that has passed.
        try catalog.trimIdempotencyRecords(
            branch: branch, upTo: number - Int64(Limits.idempotencyKeysKept),
            olderThan: Instant(nanoseconds: now.nanoseconds - window),
            orUpTo: number - Int64(Limits.idempotencyKeysMost), limit: Int(2 * Self.trimEvery))
    }

    /// Throws unless the head of a branch is what the caller expects.
    func checkHead(of branch: BranchRecord, _ terms: WriteTerms) throws {
        guard let expected = terms.expectedHead else { return }
        let head = try branch.head.map { try catalog.knownCommit($0).key.id }
        try expected.check(head, "the head of branch \(branch.key)")
    }

    /// The same for the branch that an open commit was started on.
    func checkHead(over commit: CommitRecord, _ terms: WriteTerms) throws {
        guard terms.expectedHead != nil else { return }
        guard let branch = try commit.branch.flatMap({ try catalog.branch(id: $0) }) else {
            throw SpileError(
                .failedPrecondition, "the branch of commit \(commit.key) was deleted: it has no head",
                remedy: "leave the expected head out")
        }
        try checkHead(of: branch, terms)
    }

    /// Throws unless the parent of a commit that is to be finished is what the caller expects.
    func checkParent(of commit: CommitRecord, _ terms: WriteTerms) throws {
        guard let expected = terms.expectedHead else { return }
        let parent = try commit.parent.map { try catalog.knownCommit($0).key.id }
        try expected.check(parent, "the parent of commit \(commit.key)")
    }

    private static var trimEvery: Int64 { 256 }

    private func branchNumber(_ key: BranchKey) throws -> Int64? {
        if let known = heads.entry(key) { return known.branch.id }
        return try catalog.branch(repo: try catalog.existingRepo(key.repo).id, name: key.name)?.id
    }

    /// What is known of a key, if that still stands.
    ///
    /// What a commit in error holds is handed on to no other: to write it again is the only way to have it, so the key
    /// of such a write is free. A commit that was squashed lives on in those after it.
    private func earlier(
        _ key: String, _ operation: KeyedOperation, on branch: Int64
    ) throws -> (record: IdempotencyRecord, commit: CommitRecord?)? {
        guard let record = try catalog.idempotencyRecord(branch: branch, operation: operation, key: key) else {
            return nil
        }
        let commit = try catalog.commit(sequence: record.sequence)
        switch operation {
        case .write: if commit?.error.isEmpty == false { return nil }
        case .start: if commit?.error.isEmpty != true { return nil }
        case .finish: break
        }
        return (record, commit)
    }
}

extension WriteTerms {
    /// `map` with the metadata of the write laid over it.
    func merged(over map: [String: String]) throws(SpileError) -> [String: String] {
        if metadata.isEmpty { return map }
        return try MetadataEdit.Change.merge(metadata).applied(to: map)
    }
}
