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
        _ = try await place(result, of: key, isToEgress: false)
    }

    /// As ``land(_:of:)``, but a job that has come to a good end is left egressing, with its commits open: its output
    /// is whole, cannot be changed, and has to be taken elsewhere before the job is over. False where it is over
    /// already, because it brings a failure or its output holds what no commit may hold.
    package func lay(_ result: JobResult, of key: JobKey) async throws -> Bool {
        try await place(result, of: key, isToEgress: true)
    }

    private func place(_ result: JobResult, of key: JobKey, isToEgress: Bool) async throws -> Bool {
        for _ in 0..<3 where result.isLarge {
            let laid = try layAside(result, of: key)
            do {
                return try await transact(as: .server) { try $0.land(result, of: key, laid, isToEgress: isToEgress) }
            } catch is GroundMoved {
                continue
            }
        }
        return try await transact(as: .server) { try $0.land(result, of: key, nil, isToEgress: isToEgress) }
    }

    /// Ends a job that was left egressing, once its output is where it belongs. Throws `aborted` if it is over already.
    package func closeLaid(_ key: JobKey) async throws {
        let output = CommitHandle(key.pipeline.repo(.user).commit(key.id))
        let prepared = try prepareFinish(output, error: "")
        try await transact(as: .server) { transaction in
            let (output, _) = try transaction.catalog.openCommits(of: key)
            _ = try transaction.finishCommit(
                CommitHandle(output.key), description: "", error: "", force: true, prepared: prepared)
        }
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
    /// Whether the job goes on.
    fileprivate func land(_ result: JobResult, of key: JobKey, _ laid: LaidJob?, isToEgress: Bool) throws -> Bool {
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
            let root = try replace(output, with: result.output, result.isFromScratch, laid: ground)
            if isToEgress, try isSound(root, over: output, laid?.check) {
                job.state = .egressing
                try update(job)
                return true
            }
            let prepared = laid.map { FinishPreparation(check: $0.check, activity: activity) }
            _ = try finishCommit(CommitHandle(output.key), description: "", error: "", force: true, prepared: prepared)
        } else {
            try end(job, .failure, reason: result.failure)
        }
        return false
    }

    /// Whether a commit may hold a tree.
    private func isSound(_ root: Root, over commit: CommitRecord, _ checked: ContentCheck?) throws -> Bool {
        let ground = try catalog.inheritedRoot(from: commit.parent)
        if let checked, checked.isOf(ground, root) { return checked.error.isEmpty }
        return try ContentCheck(store: store, base: ground, root: root).error.isEmpty
    }

    /// Commits that were removed meanwhile may have been what the job was planned over.
    private func check(_ ground: JobGround, _ output: CommitRecord, _ meta: CommitRecord?) throws {
        guard case .commits(let outputGround, let metaGround) = ground else { return }
        guard try catalog.inherited(by: output)?.sequence == outputGround,
            try meta.flatMap({ try catalog.inherited(by: $0) })?.sequence == metaGround
        else { throw SpileError(.aborted, "what commit \(output.key) begins with was removed while its job ran") }
    }

    /// Gives an open commit the tree that comes of changes to what it inherits; what was written to it else goes.
    @discardableResult
    private func replace(
        _ commit: CommitRecord, with changes: JobChanges?, _ isFromScratch: Bool,
        laid: (ground: Root, root: Root?)?
    ) throws -> Root {
        var commit = commit
        let ground = try catalog.inheritedRoot(from: commit.parent)
        if let laid, laid.ground.digest != ground.digest { throw GroundMoved() }
        let base = isFromScratch ? Root.empty : ground
        let root = try laid?.root ?? changes.map { try store.apply($0.set, to: base, through: slots) } ?? base
        if isFromScratch || commit.root.digest != ground.digest { world.discards.add() }
        commit.root = root
        try catalog.update(commit)
        touch(repo: commit.repo)
        return root
    }
}
