import Core
import Versioning

/// Tells of jobs, and ends or forgets them at a caller's wish (`pps.md` §10, §11). Whoever runs the code hears of what
/// changes here through history's events.
package struct Jobs: Sendable {
    let history: History
    let progress: JobProgress

    package init(history: History, progress: JobProgress) {
        self.history = history
        self.progress = progress
    }

    /// A job with what a listing shows of it besides its row.
    package struct View: Sendable {
        package var job: JobRecord
        /// Its output commit's branch; nil once that commit is gone.
        package var branch: String?
        /// The version of its pipeline that it runs by; nil once the pipeline is gone.
        package var pipeline: PipelineRecord?
        /// What it reads, by branch.
        package var inputs: [BranchKey: CommitID]
        /// How far it is; nil for a job that does not run.
        package var live: JobProgress.Live?

        /// Of its datums so far; final once the job is over.
        package var counts: DatumCounts { live?.counts ?? job.counts }
        /// What they took so far, likewise.
        package var stats: DatumStats { live?.stats ?? job.stats }
    }

    package static func missing(_ key: JobKey) -> SpileError { .notFound("job \"\(key)\" not found") }

    /// A job; `isOver`: once it is terminal. Throws `job … was deleted` if it goes meanwhile.
    package func inspect(_ key: JobKey, isOver: Bool, as principal: Principal) async throws -> View {
        try history.read { try Self.require(key.pipeline, by: principal, in: $0) }
        return try await seen(key, isOver: isOver)
    }

    /// The same for a caller who may see it.
    func seen(_ key: JobKey, isOver: Bool) async throws -> View {
        var wasThere = false
        while true {
            let generation = history.events.generation(repo: EventHub.jobs)
            let found = try history.read { catalog in try catalog.job(key).map { try view($0, in: catalog) } }
            guard let found else {
                throw wasThere ? SpileError.domain("job \(key) was deleted") : Self.missing(key)
            }
            if !isOver || found.job.state.isTerminal { return found }
            wasThere = true
            try await history.events.wait(repo: EventHub.jobs, after: generation)
        }
    }

    /// Ends a job, unless it is over, and closes its output commit with the reason as its error.
    package func stop(_ key: JobKey, reason: String, as principal: Principal) async throws {
        try await history.transact(as: principal) { try Self.stop(key, reason: reason, in: $0) }
    }

    /// The same within a transaction.
    package static func stop(_ key: JobKey, reason: String, in transaction: HistoryTransaction) throws {
        try transaction.refuseLaunches("it may not stop jobs")
        try transaction.require(.repoWrite, on: AccessResource(key.pipeline.repo(.user)))
        guard let job = try transaction.catalog.job(key) else { throw missing(key) }
        if job.state.isTerminal { return }
        try transaction.end(job, .killed, reason: reason.isEmpty ? "job stopped" : reason)
    }

    /// Ends a job and forgets it.
    package func delete(_ key: JobKey, as principal: Principal) async throws {
        try await history.transact(as: principal) { transaction in
            try Self.stop(key, reason: "job deleted", in: transaction)
            try transaction.forget(key)
        }
    }

    /// Checks that a caller may see a pipeline's jobs; code of a pipeline sees its own.
    static func require(_ pipeline: PipelineKey, by principal: Principal, in catalog: any CatalogReader) throws {
        try requireOwn(pipeline, by: principal)
        try catalog.require([.pipelineListJob], on: AccessResource(pipeline.repo(.user)), by: principal)
    }

    /// The second half of that: for where other permissions count.
    static func requireOwn(_ pipeline: PipelineKey, by principal: Principal) throws {
        guard case .launch(let own, _) = principal, own != pipeline else { return }
        throw Principal.refusal(of: own, "it may see its own jobs only")
    }

    func view(_ job: JobRecord, in catalog: any CatalogReader) throws -> View {
        let commit = try catalog.commit(sequence: job.commit)
        let pipeline = try catalog.pipeline(job.key.pipeline, version: job.version)
        var inputs: [BranchKey: CommitID] = [:]
        for input in try catalog.inputs(of: job) ?? [] {
            guard let branch = try input.branch.flatMap({ try catalog.branch(id: $0) }) else { continue }
            inputs[branch.key] = input.key.id
        }
        return View(
            job: job, branch: try commit?.branch.flatMap { try catalog.branch(id: $0)?.key.name }, pipeline: pipeline,
            inputs: inputs, live: job.state == .running ? progress[job.key] : nil)
    }
}
