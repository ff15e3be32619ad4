import Core
import Versioning

/// Runs the jobs of one transform, oldest first and one at a time, and keeps its state in the catalog. One task owns
/// it.
struct TransformRunner: Sendable {
    let context: TransformContext
    let site: LaunchSite
    let key: PipelineKey

    /// What went wrong in a row, and whose state was reported.
    private struct Memory {
        var failures: Int64 = 0
        /// The spec commit of the version: no other pipeline has it, one of the same name neither.
        var reported: CommitID?
        /// How often in a row no worker could be started.
        var faults: Int64 = 0
        /// The workers of what is in force; nil where each run of the code is a launch of its own.
        var pool: WorkerPool?
    }

    private enum Ending: Sendable {
        case ran((any Error)?)
        /// The job's row is over.
        case over
        /// Its time is over; with what kept it from being ended.
        case timeIsUp((any Error)?)
    }

    /// Returns when the pipeline is gone or is no transform any more, or the task is cancelled.
    func run() async {
        var memory = Memory()
        await run(&memory)
        await memory.pool?.close()
    }

    private func run(_ memory: inout Memory) async {
        while !Task.isCancelled {
            let generation = context.history.events.generation(repo: EventHub.jobs)
            do {
                guard let pipeline = try context.history.read({ try $0.pipeline(key) }) else {
                    return context.logs.remove(key)
                }
                guard pipeline.kind == .transform else { return }
                if let job = try await prepare(pipeline, &memory) {
                    try await carryOut(job, of: pipeline, &memory)
                    continue
                }
                try await context.history.events.wait(repo: EventHub.jobs, after: generation)
            } catch {
                guard await recover(from: error, &memory) else { return }
            }
        }
    }

    /// Brings the pipeline's state up to date and gives the job to be run, if there is one.
    private func prepare(_ pipeline: PipelineRecord, _ memory: inout Memory) async throws -> JobKey? {
        if pipeline.stopped {
            await close(&memory)
            try await report(.paused, "", of: pipeline, &memory)
            return nil
        }
        let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        if let fault = try LaunchPlan.fault(spec) ?? WorkerPool.batchingFault(of: pipeline, spec, at: site, context) {
            await close(&memory)
            try await report(.failure, fault, of: pipeline, &memory)
            try await endAll(reason: fault)
            return nil
        }
        guard try await readyWorkers(of: pipeline, &memory) else { return nil }
        let job = try await next()
        // Where there is nothing to do, what it failed with is gone.
        if job == nil { memory.failures = 0 }
        if memory.failures == 0 { try await report(.running, "", of: pipeline, &memory) }
        return job
    }

    /// Sees to it that workers of what is in force are ready; false if that is no longer in force before they are.
    private func readyWorkers(of pipeline: PipelineRecord, _ memory: inout Memory) async throws -> Bool {
        do {
            if memory.pool?.serves(pipeline) != true {
                await close(&memory)
                memory.pool = try WorkerPool(of: pipeline, at: site, context)
            }
            guard let pool = memory.pool else { return true }
            // An image may take long to fetch.
            guard try await end(of: { try await pool.prepare() }, orChangeOf: pipeline) else { return false }
            memory.faults = 0
            return true
        } catch {
            memory.faults += 1
            throw error
        }
    }

    private func close(_ memory: inout Memory) async {
        await memory.pool?.close()
        memory.pool = nil
    }

    /// The job to be run now. Those before it that can never run are ended.
    private func next() async throws -> JobKey? {
        while true {
            switch try context.history.read({ try TransformLedger.next(of: key, in: $0) }) {
            case .run(let job): return job
            case .wait: return nil
            case .giveUp(let job, let repos):
                try await context.history.transact(as: .server) {
                    try TransformLedger.end(job, .unrunnable, reason: ServiceJobs.reason(repos), in: $0)
                }
            }
        }
    }

    /// Runs a job to its end, to that of its row, or to that of its time.
    private func carryOut(_ job: JobKey, of pipeline: PipelineRecord, _ memory: inout Memory) async throws {
        let run = JobRun(context: context, site: site, pipeline: pipeline, key: job, pool: memory.pool)
        let limit = try PipelineSpec(canonical: pipeline.effectiveSpec).jobTimeout
        let problem = await withTaskGroup(of: Ending.self) { group in
            group.addTask {
                do { try await run.run() } catch { return .ran(error) }
                return .ran(nil)
            }
            group.addTask {
                await waitForEnd(of: job)
                return .over
            }
            if let limit {
                group.addTask {
                    do { try await end(job, after: limit) } catch { return .timeIsUp(error) }
                    return .timeIsUp(nil)
                }
            }
            var problem: (any Error)?
            for await ending in group {
                switch ending {
                case .ran(let error): problem = problem ?? error
                case .over: break
                // The job's row is over then.
                case .timeIsUp(nil): continue
                case .timeIsUp(let error): problem = error
                }
                group.cancelAll()
            }
            return problem
        }
        if let problem { try await judge(problem, of: job) }
        memory.failures = 0
    }

    /// Returns when the job is over, for whatever reason, or the task is cancelled.
    private func waitForEnd(of job: JobKey) async {
        while true {
            let generation = context.history.events.generation(repo: EventHub.jobs)
            let isOver = try? context.history.read { try $0.job(job)?.state.isTerminal ?? true }
            if isOver == true { return }
            guard (try? await context.history.events.wait(repo: EventHub.jobs, after: generation)) != nil else {
                return
            }
        }
    }

    private func end(_ job: JobKey, after seconds: Double) async throws {
        let started = try context.history.read { try $0.job(job)?.startedAt }
        let now = context.world.clock.now()
        let left = seconds - now.seconds(since: started ?? now)
        guard (try? await context.world.sleep(max(0, left))) != nil else { return }
        try await context.history.transact(as: .server) {
            try TransformLedger.end(job, .killed, reason: " jobtimed out", in: $0)
        }
    }

    /// What an error of a run means: nothing for a job that is over, its end where no later try would do.
    private func judge(_ problem: any Error, of job: JobKey) async throws {
        if problem is CancellationError { return }
        guard let error = problem as? SpileError else { throw problem }
        if error.code == .aborted { return }
        if error.isTransient { throw error }
        try await context.history.transact(as: .server) {
            try TransformLedger.end(job, .failure, reason: "\(error)", in: $0)
        }
    }

    private func endAll(reason: String) async throws {
        let key = key
        let live = JobFilter(pipeline: key, isLive: true)
        guard try !context.history.read({ try $0.jobs(live, order: .oldestFirst, beyond: nil, limit: 1).isEmpty })
        else { return }
        try await context.history.transact(as: .server) { try $0.killJobs(of: key, reason: reason) }
    }

    /// Waits after an error that may pass; false where there is nothing to go on for.
    private func recover(from error: any Error, _ memory: inout Memory) async -> Bool {
        if Task.isCancelled || context.history.events.hasClosed { return false }
        if memory.faults == 0 { memory.failures += 1 }
        context.logger.warning(
            "a transform cannot go on", metadata: ["pipeline": "\(key)", "error": "\(error)"])
        let pipeline = try? context.history.read { try $0.pipeline(key) }
        if let pipeline { try? await report(.crashing, "\(error)", of: pipeline, &memory) }
        let chance = context.world.randomness.fraction()
        let pause = context.policy.pause(failures: memory.failures + memory.faults, chance: chance)
        let world = context.world
        guard let pipeline else { return (try? await world.sleep(pause)) != nil }
        // What is changed may be the remedy, and is not kept waiting.
        if (try? await end(of: { try await world.sleep(pause) }, orChangeOf: pipeline)) == false { memory.failures = 0 }
        return !Task.isCancelled
    }

    /// Runs `body` to its end, or until the pipeline is no longer what it was, when it is cancelled; whether it came to
    /// its end.
    private func end(
        of body: @escaping @Sendable () async throws -> Void, orChangeOf pipeline: PipelineRecord
    ) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask {
                await waitForChange(of: pipeline)
                return false
            }
            let hasEnded = await group.nextResult()
            group.cancelAll()
            while await group.nextResult() != nil {}
            return try hasEnded?.get() ?? false
        }
    }

    /// Returns when another version is in force, or the pipeline was stopped or deleted, or the task is cancelled.
    private func waitForChange(of pipeline: PipelineRecord) async {
        while true {
            let generation = context.history.events.generation(repo: EventHub.jobs)
            let isSame = try? context.history.read { catalog in
                let now = try catalog.pipeline(key)
                return now?.specCommit == pipeline.specCommit && now?.stopped == pipeline.stopped
            }
            if isSame == false { return }
            guard (try? await context.history.events.wait(repo: EventHub.jobs, after: generation)) != nil else {
                return
            }
        }
    }

    /// Writes the pipeline's state unless it stands there.
    private func report(
        _ state: PipelineState, _ reason: String, of pipeline: PipelineRecord, _ memory: inout Memory
    ) async throws {
        if memory.reported == pipeline.specCommit, pipeline.state == state, pipeline.reason == reason { return }
        var report = StateReport(version: pipeline.version, state: state, reason: reason)
        if state == .running || state == .crashing { report.startedAt = context.world.clock.now() }
        try await HistoryLedger(history: context.history).report(report, of: key)
        memory.reported = pipeline.specCommit
        context.reported(key)
        context.logs.note("\(state): \(reason)", of: key)
    }
}
