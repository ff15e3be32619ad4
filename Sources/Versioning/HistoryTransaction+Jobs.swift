import Core

/// Jobs as far as history makes and ends them (`pps.md` §2, §10): a job begins when a commit is opened on its
/// pipeline's output branch, and is over when that commit is closed.
extension HistoryTransaction {
    /// Makes the jobs of the commits that propagation has opened here and that are still open.
    ///
    /// Each has an instant of its own, in whole microseconds: lists go on behind that of the last job that was seen
    /// (`pps.md` §17), and clients may know it no closer.
    func openJobs() throws {
        var created = now.nanoseconds / 1_000 * 1_000
        for (sequence, branch) in opened.sorted(by: { $0.key < $1.key }) {
            let key = PipelineKey(project: branch.repo.project, name: branch.repo.name)
            guard let pipeline = try catalog.pipeline(key), pipeline.kind != .spout,
                let commit = try catalog.commit(sequence: sequence), commit.isOpen,
                try PipelineSpec(canonical: pipeline.effectiveSpec).outputBranch == branch.name,
                try catalog.job(JobKey(pipeline: key, id: commit.key.id)) == nil
            else { continue }
            _ = try catalog.insert(
                JobRecord(
                    key: JobKey(pipeline: key, id: commit.key.id), version: pipeline.version, commit: sequence,
                    createdAt: Instant(nanoseconds: created)))
            created += 1_000
            touch(job: commit.repo)
        }
        opened = [:]
    }

    /// Changes a job that is not terminal; the caller names no terminal state here.
    package func update(_ job: JobRecord) throws {
        try catalog.update(job)
        if let commit = try catalog.commit(sequence: job.commit) { touch(job: commit.repo) }
    }

    /// Ends a job that is not terminal and closes its output commit: with the reason as its error, unless it succeeds.
    package func end(_ job: JobRecord, _ state: JobState, reason: String = "") throws {
        try settle(job, state, reason)
        guard let commit = try catalog.commit(sequence: job.commit), commit.isOpen else { return }
        let error = state == .success ? "" : reason.isEmpty ? "\(state)" : reason
        _ = try finishCommit(CommitHandle(commit.key), description: "", error: error, force: true)
    }

    /// Kills what is under way of a pipeline.
    package func killJobs(of pipeline: PipelineKey, reason: String) throws {
        let live = JobFilter(pipeline: pipeline, isLive: true)
        while let job = try catalog.jobs(live, order: .oldestFirst, beyond: nil, limit: 1).first {
            try end(job, .killed, reason: reason)
        }
    }

    /// Forgets a job.
    package func forget(_ key: JobKey) throws {
        try catalog.deleteJob(key)
        touchedRepos.insert(EventHub.jobs)
    }

    /// An output commit was closed: by whom ever, its job is over, and so is what is told of its datums.
    func closeJob(of commit: CommitRecord) throws {
        guard isOutput(commit) else { return }
        if let job = try liveJob(of: commit) {
            try settle(job, commit.error.isEmpty ? .success : .failure, commit.error)
        }
        try closeMeta(of: commit, error: commit.error)
    }

    /// An output commit goes: its job cannot end well.
    func loseJob(of commit: CommitRecord) throws {
        guard let job = try liveJob(of: commit) else { return }
        let reason = "output commit removed"
        try settle(job, .killed, reason)
        try closeMeta(of: commit, error: reason)
    }

    /// What a job has laid into its commits stays as it is while it leaves: nobody may change it.
    func refuseLaid(_ commit: CommitRecord) throws {
        guard commit.origin == .auto else { return }
        let repo = commit.key.repo
        let key = JobKey(pipeline: PipelineKey(project: repo.project, name: repo.name), id: commit.key.id)
        guard try catalog.job(key)?.state == .egressing else { return }
        throw SpileError.domain(
            "commit \(commit.key) cannot be changed: what job \"\(key)\" has put out leaves for its egress",
            remedy: "wait for the job, or stop it")
    }

    private func closeMeta(of output: CommitRecord, error: String) throws {
        guard let meta = try catalog.metaCommit(of: output.key), meta.isOpen else { return }
        _ = try finishCommit(CommitHandle(meta.key), description: "", error: error, force: true)
    }

    /// Whether a commit can be the output of a job.
    private func isOutput(_ commit: CommitRecord) -> Bool {
        commit.origin == .auto && !commit.provenance.isEmpty && commit.key.repo.type == .user
    }

    private func liveJob(of commit: CommitRecord) throws -> JobRecord? {
        let repo = commit.key.repo
        guard isOutput(commit) else { return nil }
        let key = JobKey(pipeline: PipelineKey(project: repo.project, name: repo.name), id: commit.key.id)
        guard let job = try catalog.job(key), job.commit == commit.sequence, !job.state.isTerminal else { return nil }
        return job
    }

    private func settle(_ job: JobRecord, _ state: JobState, _ reason: String) throws {
        var job = job
        job.state = state
        job.reason = reason
        job.finishedAt = now
        try update(job)
        try endLaunch(of: job.key)
    }

    /// The token that a transform's code was given for a job is good for nothing when that is over (`pps.md` §8).
    private func endLaunch(of key: JobKey) throws {
        guard var launch = try catalog.launch(key.pipeline), launch.handle == LaunchRecord.transform(key.id) else {
            return
        }
        let word = { self.world.randomness.next() }
        launch.tokenHash = Digest(words: (word(), word(), word(), word()))
        try catalog.put(launch)
    }

    private func touch(job repo: Int64) {
        touchedRepos.insert(repo)
        touchedRepos.insert(EventHub.jobs)
    }
}

extension CatalogReader {
    /// The commit that tells of the datums of an output commit (`pps.md` §9.5); nil for one that has none.
    package func metaCommit(of output: CommitKey) throws -> CommitRecord? {
        let repo = RepoKey(project: output.repo.project, name: output.repo.name, type: .meta)
        return try self.repo(repo).flatMap { try commit(repo: $0.id, id: output.id) }
    }

    /// What a job's output commit derives from; nil if that commit is gone.
    package func inputs(of job: JobRecord) throws -> [CommitRecord]? {
        try commit(sequence: job.commit)?.provenance.map { try knownCommit($0) }
    }
}
