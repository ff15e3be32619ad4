import Core
import Logging
import Versioning

/// Works on the datums of one job, one after the other: lays out what the code sees, runs it, takes what it leaves
/// (`pps.md` §9.4). One worker; its calls block on disk.
struct DatumRun: Sendable {
    let job: TransformJob
    /// Counts the workers of the job, from 0.
    let worker: Int

    /// What became of a datum.
    struct Outcome: Sendable {
        var state: DatumRecord.State
        var reason = ""
        var stats = DatumStats()
    }

    /// Works on a datum until a try succeeds, `err_cmd` takes care of one, or all have failed. Throws where it is not
    /// the code's fault, and `CancellationError`.
    func work(_ datum: Datum, index: Int64, into output: JobOutput) async throws -> Outcome {
        let variables = datum.variables(commits: job.commits, output: job.record.key.id)
        let inputs = datum.files.compactMap(job.laid)
        var outcome = Outcome(state: .failed)
        outcome.stats.downloadBytes = datum.files.reduce(0) { $0 + $1.size }
        for attempt in 1...job.spec.datumTries {
            try Task.checkCancellation()
            let fault = try await attemptOnce(datum, inputs, variables, &outcome, into: output)
            guard let fault else { break }
            outcome.reason = fault
            job.context.logs.note(
                "datum \(datum.id): try \(attempt) of \(job.spec.datumTries) failed: \(fault)", worker: name,
                of: job.pipeline.key, job: job.record.key.id, datum: datum.id)
            if outcome.state == .recovered { break }
        }
        var record = record(of: datum, index: index)
        (record.state, record.reason, record.stats) = (outcome.state, outcome.reason, outcome.stats)
        try await output.keep(record, variables: variables.sorted { $0.key < $1.key }.map { ($0, $1) }, inputs: inputs)
        return outcome
    }

    private var name: String { "\(job.worker)-\(worker)" }

    private func record(of datum: Datum, index: Int64) -> DatumRecord {
        DatumRecord(
            id: datum.id, job: job.record.key,
            inputs: datum.files.map {
                DatumRecord.Input($0, commit: job.commits[$0.input.index] ?? job.record.key.id)
            },
            hash: datum.hash(salt: job.pipeline.salt), index: index)
    }

    /// One try. Nil if it was good, else what was wrong.
    private func attemptOnce(
        _ datum: Datum, _ inputs: [LaidInput], _ variables: [String: String], _ outcome: inout Outcome,
        into output: JobOutput
    ) async throws -> String? {
        var order = job.order(variables: variables, datum: datum, worker: name)
        let began = job.context.world.clock.now()
        let folder = try await PfsFolder.lay(
            inputs, variables: order.environment, at: job.context.freshFolder(),
            owner: job.context.launcher.pfsOwner(of: order))
        do {
            order.pfsFolder = folder.path
            let laid = job.context.world.clock.now()
            outcome.stats.downloadSeconds += laid.seconds(since: began)
            let fault = try await run(order, datum, timeout: job.spec.datumTimeout)
            let ran = job.context.world.clock.now()
            outcome.stats.processSeconds += ran.seconds(since: laid)
            var result: String? = fault
            if fault == nil {
                result = try await take(folder, datum, &outcome, into: output)
                outcome.stats.uploadSeconds += job.context.world.clock.now().seconds(since: ran)
            } else if try await recovers(order, datum) {
                outcome.state = .recovered
            }
            try await folder.remove()
            return result
        } catch {
            try? await folder.remove()
            throw error
        }
    }

    /// Takes what the code left. What cannot be taken is the code's fault, like a bad exit.
    private func take(
        _ folder: PfsFolder, _ datum: Datum, _ outcome: inout Outcome, into output: JobOutput
    ) async throws -> String? {
        do {
            try await folder.finish()
            outcome.stats.uploadBytes = try await output.take(folder, of: datum.id)
            outcome.state = .processed
            outcome.reason = ""
            return nil
        } catch let error as SpileError where [.failedPrecondition, .unknown, .invalidArgument].contains(error.code) {
            return "\(error)"
        }
    }

    /// Whether `err_cmd` takes care of a try that failed.
    private func recovers(_ order: LaunchOrder, _ datum: Datum) async throws -> Bool {
        guard !job.spec.errorCommand.isEmpty, !Task.isCancelled else { return false }
        var order = order
        order.command = job.spec.errorCommand
        order.standardInput = TransformJob.bytes(of: job.spec.errorInput)
        order.run = job.context.freshRun()
        return try await run(order, datum, timeout: job.spec.datumTimeout) == nil
    }

    /// Runs code to its end. Nil if it ended well, else how it ended.
    private func run(_ order: LaunchOrder, _ datum: Datum, timeout: Double?) async throws -> String? {
        let launcher = job.context.launcher
        let handle: LaunchHandle
        do {
            handle = try await launcher.start(order)
        } catch let error as SpileError where !error.isTransient {
            return "the code could not be started: \(error)"
        }
        note(datum, handle)
        defer { job.context.progress.change(job.record.key) { $0.active[worker]?.handle = nil } }
        let exit = try await withTaskCancellationHandler {
            try await wait(for: handle, timeout: timeout)
        } onCancel: {
            Task { await launcher.stop(handle, grace: 0) }
        }
        try Task.checkCancellation()
        switch exit {
        case nil: return "it ran longer than datum_timeout, \(timeout ?? 0) s"
        case .exited(let code):
            if code == 0 || job.spec.transform?.acceptedExitCodes.contains(Int64(code)) == true { return nil }
            return "exited with code \(code)"
        case .signalled(let number): return "was ended by signal \(number)"
        case .unknown: return "ended unseen"
        }
    }

    private func note(_ datum: Datum, _ handle: LaunchHandle) {
        let active = JobProgress.Active(
            worker: name, datum: datum.id, files: datum.files, commits: job.commits,
            since: job.context.world.clock.now(), handle: handle)
        job.context.progress.change(job.record.key) { $0.active[worker] = active }
    }

    /// How a run ended; nil for one that was ended because its time was over.
    private func wait(for handle: LaunchHandle, timeout: Double?) async throws -> LaunchExit? {
        let context = job.context
        guard let timeout else { return try await context.launcher.wait(handle) }
        return try await withThrowingTaskGroup(of: LaunchExit?.self) { group in
            group.addTask { try await context.launcher.wait(handle) }
            group.addTask {
                // Cancelled when the run has ended before.
                guard (try? await context.world.sleep(timeout)) != nil else { return .unknown }
                await context.launcher.stop(handle, grace: 0)
                return nil
            }
            var endings = [try await group.next() ?? nil]
            group.cancelAll()
            // The run is over in either case, and each may have come first.
            for try await ending in group { endings.append(ending) }
            let exited = endings.first { if case .exited? = $0 { true } else { false } }
            return exited ?? (endings.contains(nil) ? nil : endings[0])
        }
    }
}
