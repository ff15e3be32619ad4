import Core
import Storage

/// What a job has made, to be laid into its output commit and the commit that tells of its datums.
package struct JobResult: Sendable {
    /// Over what the output commit inherits, or over nothing; nil for no change.
    package var output: JobChanges?
    package var meta: JobChanges?
    /// What the changes are to be laid over: what both commits inherited when the job was planned.
    package var ground: JobGround
    package var counts: DatumCounts
    package var stats: DatumStats
    /// Why the job fails; empty for one that ends well. What a failed job has output is given up.
    package var failure: String

    package init(
        output: JobChanges?, meta: JobChanges?, ground: JobGround, counts: DatumCounts,
        stats: DatumStats = DatumStats(), failure: String = ""
    ) {
        self.output = output
        self.meta = meta
        self.ground = ground
        self.counts = counts
        self.stats = stats
        self.failure = failure
    }

    fileprivate var isFromScratch: Bool { ground == .nothing }
    fileprivate var isLarge: Bool { output?.set.isLarge == true || meta?.set.isLarge == true }
}

/// What a job's changes are relative to.
package enum JobGround: Sendable, Equatable {
    /// Nothing: what the commits inherit counts for nothing.
    case nothing
    /// The commits of an earlier job, by their sequence numbers.
    case commits(output: Int64, meta: Int64)
}

extension History {
    /// Ends a job: lays what it has made into its commits, closes them and settles its state, all in one transaction.
    /// Before that nothing of it can be seen, so a job that was cut off can be done again.
    ///
    /// The job succeeds unless it brings a failure of its own, or its output holds what no commit may hold. Blocks for
    /// as long as laying takes. Throws `aborted` if the job is over already, or if its commits no longer inherit what
    /// the changes are to be laid over: then it has to be begun anew.
    package func land(_ result: JobResult, of key: JobKey) async throws {
        for _ in 0..<3 where result.isLarge {
            let laid = try layAside(result, of: key)
            do {
                return try await transact(as: .server) { try $0.land(result, of: key, laid) }
            } catch is GroundMoved {
                continue
            }
        }
        try await transact(as: .server) { try $0.land(result, of: key, nil) }
    }

    /// Lays a large result beside the committer, over what the commits inherit now.
    private func layAside(_ result: JobResult, of key: JobKey) throws -> LaidJob {
        let grounds = try read { catalog in
            let (output, meta) = try catalog.openCommits(of: key)
            return LaidJob(
                outputGround: try catalog.inheritedRoot(from: output.parent),
                metaGround: try meta.map { try catalog.inheritedRoot(from: $0.parent) } ?? .empty)
        }
        var laid = grounds
        if let changes = result.output, result.failure.isEmpty {
            let root = try store.applyLarge(changes.set, to: result.isFromScratch ? .empty : laid.outputGround)
            laid.output = root
            laid.check = try ContentCheck(store: store, base: laid.outputGround, root: root)
        }
        if let changes = result.meta {
            laid.meta = try store.applyLarge(changes.set, to: result.isFromScratch ? .empty : laid.metaGround)
        }
        return laid
    }
}

/// What laying a job's result beside the committer has come to.
private struct LaidJob: Sendable {
    var outputGround: Root
    var metaGround: Root
    var output: Root?
    var meta: Root?
    var check: ContentCheck?
}

private struct GroundMoved: Error {}

extension CatalogReader {
    /// The commits of a job that is under way. Throws `aborted` if it is not.
    fileprivate func openCommits(of key: JobKey) throws -> (output: CommitRecord, meta: CommitRecord?) {
        guard let job = try job(key), !job.state.isTerminal, let output = try commit(sequence: job.commit),
            output.isOpen
        else { throw SpileError(.aborted, "job \"\(key)\" is over") }
        return (output, try metaCommit(of: output.key))
    }
}

extension HistoryTransaction {
    fileprivate func land(_ result: JobResult, of key: JobKey, _ laid: LaidJob?) throws {
        guard var job = try catalog.job(key) else { throw SpileError(.aborted, "job \"\(key)\" was deleted") }
        let (output, meta) = try catalog.openCommits(of: key)
        try check(result.ground, output, meta)
        job.counts = result.counts
        job.stats = result.stats
        try update(job)
        if let meta {
            let ground = laid.map { ($0.metaGround, $0.meta) }
            try replace(meta, with: result.meta, result.isFromScratch, laid: ground)
        }
        if result.failure.isEmpty {
            let ground = laid.map { ($0.outputGround, $0.output) }
            try replace(output, with: result.output, result.isFromScratch, laid: ground)
            let prepared = laid.map { FinishPreparation(check: $0.check, activity: activity) }
            _ = try finishCommit(CommitHandle(output.key), description: "", error: "", force: true, prepared: prepared)
        } else {
            try end(job, .failure, reason: result.failure)
        }
    }

    /// Commits that were removed meanwhile may have been what the job was planned over.
    private func check(_ ground: JobGround, _ output: CommitRecord, _ meta: CommitRecord?) throws {
        guard case .commits(let outputGround, let metaGround) = ground else { return }
        guard try catalog.inherited(by: output)?.sequence == outputGround,
            try meta.flatMap({ try catalog.inherited(by: $0) })?.sequence == metaGround
        else { throw SpileError(.aborted, "what commit \(output.key) begins with was removed while its job ran") }
    }

    /// Gives an open commit the tree that comes of changes to what it inherits; what was written to it else goes.
    private func replace(
        _ commit: CommitRecord, with changes: JobChanges?, _ isFromScratch: Bool,
        laid: (ground: Root, root: Root?)?
    ) throws {
        var commit = commit
        let ground = try catalog.inheritedRoot(from: commit.parent)
        if let laid, laid.ground.digest != ground.digest { throw GroundMoved() }
        let base = isFromScratch ? Root.empty : ground
        let root = try laid?.root ?? changes.map { try store.apply($0.set, to: base, through: slots) } ?? base
        if isFromScratch || commit.root.digest != ground.digest { world.discards.add() }
        commit.root = root
        try catalog.update(commit)
        touch(repo: commit.repo)
    }
}
