import Core
import Versioning

/// What transforms read from and write to the catalog.
enum TransformLedger {
    /// What a pipeline can do next.
    enum Next {
        /// Its oldest job, whose inputs are complete.
        case run(JobKey)
        /// End its oldest job, which can never run: a commit in error is in its inputs, from these repos.
        case giveUp(JobKey, because: [String])
        /// Nothing, until something changes.
        case wait
    }

    /// Looks at the oldest job that is not over. The others wait for it, however many they are.
    static func next(of pipeline: PipelineKey, in catalog: any CatalogReader) throws -> Next {
        let live = JobFilter(pipeline: pipeline, isLive: true)
        guard let job = try catalog.jobs(live, order: .oldestFirst, beyond: nil, limit: 1).first,
            let output = try catalog.commit(sequence: job.commit), let inputs = try catalog.inputs(of: job)
        else { return .wait }
        let failed = inputs.filter { !$0.error.isEmpty }
        if !failed.isEmpty { return .giveUp(job.key, because: failed.map(\.key.repo.name).sorted()) }
        // What it begins with has to be settled, too.
        guard inputs.allSatisfy(\.isFinished), try catalog.inherited(by: output)?.isFinished != false else {
            return .wait
        }
        return .run(job.key)
    }

    /// Opens a launch for a job: what its code may do ends with the next one.
    static func begin(
        _ key: JobKey, of pipeline: PipelineRecord, tokenHash: Digest, in transaction: HistoryTransaction
    ) throws -> (JobRecord, epoch: Int64) {
        guard let inForce = try transaction.catalog.pipeline(key.pipeline), inForce.version == pipeline.version,
            !inForce.stopped, var job = try transaction.catalog.job(key), !job.state.isTerminal
        else { throw SpileError(.aborted, "job \"\(key)\" was ended before it was started") }
        if job.state == .running { job.restarts += 1 }
        job.state = .running
        job.startedAt = job.startedAt ?? transaction.now
        try transaction.update(job)
        let epoch = try Launches.open(of: pipeline, tokenHash: tokenHash, job: key.id, in: transaction)
        return (job, epoch)
    }

    static func end(
        _ key: JobKey, _ state: JobState, reason: String, in transaction: HistoryTransaction
    ) throws {
        guard let job = try transaction.catalog.job(key), !job.state.isTerminal else { return }
        try transaction.end(job, state, reason: reason)
    }
}
