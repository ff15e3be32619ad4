import Core
import Storage

extension HistoryTransaction {
    /// Opens a commit as the new head of a branch, which is made if missing (`pfs.md` §4.4).
    package func startCommit(
        on key: BranchKey, parent: CommitHandle?, description: String, _ terms: WriteTerms = WriteTerms()
    ) throws -> CommitRecord {
        if let known = try started(terms, on: key) { return known }
        let (branch, parent) = try prepareCommit(on: key, parent: parent, terms)
        let content = CommitContent(description: description, metadata: try terms.merged(over: [:]))
        let commit = try insertCommit(on: branch, parent: parent, origin: .user, isOpen: true, content)
        try remember(terms, .start, commit)
        return commit
    }

    /// Takes back everything written to an open commit so far, its metadata too (`pfs.md` §4.4).
    package func clearCommit(_ handle: CommitHandle) throws {
        var commit = try catalog.existingCommit(handle)
        try authorizeWrite(to: commit.key.repo)
        guard commit.isOpen else {
            throw SpileError.domain(
                "cannot clear finished commit: \(commit.key)", remedy: "delete it, or start another")
        }
        try refuseLaid(commit)
        commit.root = try catalog.inheritedRoot(from: commit.parent)
        if commit.layer != nil { commit.layer = CommitLayer() }
        // A position must not outlive the data that it speaks of.
        commit.metadata = [:]
        world.discards.add()
        try catalog.update(commit)
        if let branch = commit.branch {
            try catalog.deleteIdempotencyRecords(branch: branch, commit: commit.sequence)
        }
        touch(repo: commit.repo)
    }

    /// The commits of a repo that are still open and head a branch, oldest first.
    package func openCommits(in repo: RepoKey) throws -> [CommitRecord] {
        guard let record = try catalog.repo(repo) else { return [] }
        return try catalog.branches(repo: record.id).compactMap(\.head)
            .map { try catalog.knownCommit($0) }
            .filter(\.isOpen).sorted { $0.sequence < $1.sequence }
    }

    /// Finds or makes the branch and the parent that a new commit needs, and refuses where the rules forbid one.
    func prepareCommit(
        on key: BranchKey, parent handle: CommitHandle?, _ terms: WriteTerms
    ) throws -> (BranchRecord, CommitRecord?) {
        try authorizeWrite(to: key.repo)
        guard !key.name.isEmpty else { throw SpileError.domain("branch must be specified") }
        if handle == nil, let known = heads.entry(key) {
            try known.branch.refuseOutput(for: principal)
            try terms.expectedHead?.check(known.head.key.id, "the head of branch \(key)")
            if known.head.isOpen { throw SpileError.parentUnfinished(known.head.key) }
            return (known.branch, known.head)
        }
        let repo = try catalog.existingRepo(key.repo)
        var branch: BranchRecord
        if let existing = try catalog.branch(repo: repo.id, name: key.name) {
            branch = existing
            try branch.refuseOutput(for: principal)
        } else {
            try NameRules.checkBranch(key.name)
            branch = BranchRecord(
                repo: repo.id, key: key, createdAt: now, updatedAt: now, createdBy: principal.name)
            branch.id = try catalog.insert(branch)
        }
        try checkHead(of: branch, terms)
        let parent: CommitRecord? =
            if let handle {
                try parentCommit(CommitHandle(repo: key.repo, branch: handle.branch, id: handle.id))
            } else {
                try branch.head.map { try catalog.knownCommit($0) }
            }
        if let parent, parent.isOpen { throw SpileError.parentUnfinished(parent.key) }
        return (branch, parent)
    }

    private func parentCommit(_ handle: CommitHandle) throws -> CommitRecord {
        do {
            return try catalog.existingCommit(handle)
        } catch let error as SpileError where error.code == .notFound {
            throw SpileError.notFound("parent commit \(handle) not found", remedy: error.message)
        }
    }

    /// What a transform puts out is closed by its job: others may do it by force, but what is told of a job's datums
    /// would not be whole then.
    func refuseTransformOutput(_ commit: CommitRecord, force: Bool) throws {
        guard !commit.provenance.isEmpty else { return }
        let key = PipelineKey(project: commit.key.repo.project, name: commit.key.repo.name)
        if force || principal == .server {
            guard commit.key.repo.type == .meta,
                try catalog.job(JobKey(pipeline: key, id: commit.key.id))?.state.isTerminal == false
            else { return }
        } else {
            guard try catalog.pipeline(key)?.kind == .transform else { return }
        }
        throw SpileError.domain("cannot finish a pipeline output or meta commit, use 'stop job' instead: \(commit.key)")
    }
}
