import Core
import Versioning

/// Carries out one job of a transform, from its beginning to the transaction that ends it. Until that nothing of the
/// job can be seen, so it may be cut off at any moment and done again.
struct JobRun: Sendable {
    let context: TransformContext
    let site: LaunchSite
    let pipeline: PipelineRecord
    let key: JobKey
    /// The pipeline's workers; nil where each run of its code is a launch of its own.
    var pool: WorkerPool?

    /// What is to be done, or what was done of it.
    private enum Part: Sendable {
        /// All steps were found.
        case found(total: Int64, JobOutput.Changes?)
        case done(Tally, JobOutput.Changes?)
    }

    private struct Tally: Sendable {
        var counts = DatumCounts()
        var stats = DatumStats()
        /// The first datum of this worker that failed.
        var failure = ""

        mutating func add(_ outcome: DatumRun.Outcome, of datum: Datum) {
            counts.add(outcome.state)
            stats += outcome.stats
            if outcome.state == .failed, failure.isEmpty { failure = "datum \(datum.id) failed: \(outcome.reason)" }
        }
    }

    private struct Work: Sendable {
        var datum: Datum
        var index: Int64
    }

    /// Throws `aborted` where the job is over meanwhile, transient errors where a later try may do, others where none
    /// will, and `CancellationError`.
    func run() async throws {
        let egress = try JobEgress(of: self)
        // An earlier run has done the work.
        if let egress, try egress.isBegun() { return try await egress.run() }
        if try await work(for: egress) { try await egress?.run() }
    }

    /// Does all datums; whether the job goes on, which is then egressing.
    private func work(for egress: JobEgress?) async throws -> Bool {
        let (job, plan) = try await begin()
        context.progress.begin(key)
        defer { context.progress.end(key) }
        let result = try await work(job, plan)
        try Task.checkCancellation()
        var goesOn = false
        if egress == nil {
            try await context.history.land(result, of: key)
        } else {
            goesOn = try await context.history.lay(result, of: key)
        }
        let counts = result.counts
        context.logs.note(
            "job \(key.id): \(counts.total) datums, \(counts.processed) processed, \(counts.skipped) skipped, "
                + "\(counts.failed) failed, \(counts.recovered) recovered", worker: job.worker, of: pipeline.key,
            job: key.id)
        return goesOn
    }

    private func begin() async throws -> (TransformJob, JobPlan) {
        let token = SpoutRun.token(context.world.randomness)
        let hash = context.world.sha256(token)
        let (pipeline, key) = (pipeline, key)
        let (record, epoch) = try await context.history.transact(as: .server) {
            try TransformLedger.begin(key, of: pipeline, tokenHash: hash, in: $0)
        }
        let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        let (inputs, base) = try context.history.read { catalog in
            try catalog.requireInputs(of: spec)
            return (try catalog.inputs(of: record) ?? [], try JobBase.find(for: record, in: catalog))
        }
        let plan = try JobPlan(of: record, pipeline, spec, inputs: inputs, base: base, in: context.history)
        var launch = try LaunchPlan(
            pipeline: pipeline, epoch: epoch, token: String(decoding: token, as: UTF8.self), site: site)
        launch.secrets = try context.secrets.open(spec.transform?.secrets ?? [])
        var context = context
        context.registryConfig = try context.secrets.registryConfig(spec.imagePullSecrets)
        let job = TransformJob(
            context: context, pipeline: pipeline, spec: spec, record: record, plan: launch, pool: pool,
            inputs: plan.inputs)
        return (job, plan)
    }

    private func work(_ job: TransformJob, _ plan: JobPlan) async throws -> JobResult {
        // While a worker runs one datum's code, the next one is laid out for it.
        let isAhead = pool != nil && !job.spec.isBatching
        let workers = isAhead ? 2 * pipeline.workerCount : pipeline.workerCount
        let queue = WorkQueue<Work>(limit: 2 * workers)
        let parts = try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask { try await find(job, plan, queue) }
            for worker in 0..<workers {
                group.addTask { try await work(DatumRun(job: job, worker: worker), queue) }
            }
            var parts: [Part] = []
            do {
                while let part = try await group.next() { parts.append(part) }
            } catch {
                group.cancelAll()
                await queue.close(dropping: true)
                throw error
            }
            return parts
        }
        return result(of: parts, over: plan.ground)
    }

    /// Finds what is to be done; what is no longer part of the output it does itself.
    private func find(_ job: TransformJob, _ plan: JobPlan, _ queue: WorkQueue<Work>) async throws -> Part {
        var drops: JobOutput?
        let total: Int64
        do {
            total = try await withTaskCancellationHandler {
                try await plan.steps { step in
                    try Task.checkCancellation()
                    switch step {
                    case .process(let datum, let index):
                        context.progress.change(key) { $0.found += 1 }
                        // After a failure nothing more is begun, but all are counted.
                        _ = await queue.put(Work(datum: datum, index: index))
                    case .drop(let id):
                        let output = drops ?? JobOutput(context.history)
                        drops = output
                        try await plan.outputs(of: id) { try output.drop(output: $0, of: id) }
                        try output.dropRecord(of: id)
                    }
                    return true
                }
            } onCancel: {
                Task { await queue.close(dropping: true) }
            }
        } catch {
            await queue.close(dropping: true)
            throw error
        }
        await queue.close()
        context.progress.change(key) { $0.counts.total = total }
        return .found(total: total, try drops?.finish())
    }

    /// Does what there is until there is no more.
    private func work(_ run: DatumRun, _ queue: WorkQueue<Work>) async throws -> Part {
        let batch = run.batch
        do {
            let part = try await work(run, in: batch, queue)
            await batch?.close()
            return part
        } catch {
            await batch?.close()
            throw error
        }
    }

    private func work(_ run: DatumRun, in batch: BatchSession?, _ queue: WorkQueue<Work>) async throws -> Part {
        var output: JobOutput?
        var tally = Tally()
        while let work = await queue.take() {
            try Task.checkCancellation()
            let own = output ?? JobOutput(context.history)
            output = own
            let outcome: DatumRun.Outcome
            do {
                outcome = try await run.work(work.datum, index: work.index, in: batch, into: own)
            } catch is JobFailure.NotBegun {
                continue
            }
            tally.add(outcome, of: work.datum)
            if outcome.state == .failed {
                run.job.failure.note()
                await queue.close(dropping: true)
            }
            context.progress.change(key) { live in
                live.active[run.worker] = nil
                live.stats += outcome.stats
                live.counts.add(outcome.state)
            }
        }
        return .done(tally, try output?.finish())
    }

    private func result(of parts: [Part], over ground: JobGround) -> JobResult {
        var sum = Tally()
        var (dropped, made): ([JobOutput.Changes], [JobOutput.Changes]) = ([], [])
        for part in parts {
            switch part {
            case .found(let total, let changes):
                sum.counts.total = total
                dropped += changes.map { [$0] } ?? []
            case .done(let tally, let changes):
                sum.counts.processed += tally.counts.processed
                sum.counts.recovered += tally.counts.recovered
                sum.counts.failed += tally.counts.failed
                sum.stats += tally.stats
                if sum.failure.isEmpty { sum.failure = tally.failure }
                made += changes.map { [$0] } ?? []
            }
        }
        let worked = sum.counts.processed + sum.counts.recovered + sum.counts.failed
        // Of a failed job nobody knows what was left undone.
        if sum.failure.isEmpty { sum.counts.skipped = max(0, sum.counts.total - worked) }
        let changes = dropped + made
        return JobResult(
            output: context.history.joined(changes.map(\.output)), meta: context.history.joined(changes.map(\.meta)),
            ground: ground, counts: sum.counts, stats: sum.stats, failure: sum.failure)
    }
}

extension DatumCounts {
    fileprivate mutating func add(_ state: DatumRecord.State) {
        switch state {
        case .processed: processed += 1
        case .recovered: recovered += 1
        case .failed: failed += 1
        }
    }
}
