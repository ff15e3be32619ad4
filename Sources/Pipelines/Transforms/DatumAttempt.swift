import Core
import Versioning

/// One try of a datum: its files laid out, its code run, what the code left taken.
struct DatumAttempt: Sendable {
    let job: TransformJob
    /// Names the worker in logs.
    let name: String
    /// Counts the workers of the job, from 0.
    let worker: Int
    let datum: Datum
    let inputs: [LaidInput]
    let variables: [String: String]
    /// Whether the datum was not begun before: then a job that has failed meanwhile leaves it so.
    var isFirst = true

    enum Result {
        case good
        /// The code failed, or left what cannot be taken.
        case failed(String)
        /// It failed, and `err_cmd` took care of that.
        case recovered(String)
        /// What ran it is gone.
        case lost(String)

        /// What was wrong.
        var fault: String? {
            switch self {
            case .good: nil
            case .failed(let fault), .recovered(let fault), .lost(let fault): fault
            }
        }

        var outcome: (DatumRecord.State, reason: String) {
            switch self {
            case .good: (.processed, "")
            case .failed(let fault), .lost(let fault): (.failed, fault)
            case .recovered(let fault): (.recovered, fault)
            }
        }
    }

    /// Adds to `stats` what it took. Throws where it is not the code's fault, `CancellationError`, and
    /// ``JobFailure/NotBegun``.
    func run(
        _ stats: inout DatumStats, on hold: SeatHold?, in batch: BatchSession?, into output: JobOutput
    ) async throws -> Result {
        let began = job.context.world.clock.now()
        // The code comes up while the datum is laid out.
        let (port, subject): (Int?, TransformJob.Subject)
        do { (port, subject) = (try await batch?.start(), TransformJob.Subject(datum)) } catch is WorkerGone {
            return .lost("its worker is gone")
        }
        let order = job.order(variables: variables, worker: name, port: port) { subject }
        var files = try await files(order, into: output)
        do {
            let laid = job.context.world.clock.now()
            let result = try await code(order, &files, on: hold, in: batch)
            let ran = job.context.world.clock.now()
            let moving = files.movingSeconds
            stats.downloadSeconds += laid.seconds(since: began) + moving.in
            stats.processSeconds += ran.seconds(since: laid) - moving.in - moving.out
            guard case .good = result else {
                try await files.remove()
                return result
            }
            let taken = try await take(&files, &stats)
            stats.uploadSeconds += job.context.world.clock.now().seconds(since: ran) + moving.out
            try await files.remove()
            return taken
        } catch {
            try? await files.remove()
            throw error
        }
    }

    private func files(_ order: LaunchOrder, into output: JobOutput) async throws -> any DatumFiles {
        if job.pool?.place == .far {
            return FarFiles(
                inputs, variables: job.told(order.environment), of: datum.id, into: output,
                clock: job.context.world.clock)
        }
        let folder = try await PfsFolder.lay(
            inputs, variables: order.environment, at: job.context.freshFolder(),
            owner: job.context.launcher.pfsOwner(of: order), isForStage: job.pool != nil)
        return NearFiles(folder, of: datum.id, into: output)
    }

    /// Takes what the code left. What cannot be taken is the code's fault, like a bad exit.
    private func take(_ files: inout any DatumFiles, _ stats: inout DatumStats) async throws -> Result {
        do {
            stats.uploadBytes = try await files.take()
            return .good
        } catch {
            guard let fault = Self.codesFault(error) else { throw error }
            return .failed(fault)
        }
    }

    /// What of an error in taking what code left is the code's own fault; nil where it is not.
    static func codesFault(_ error: any Error) -> String? {
        guard let error = error as? SpileError else { return nil }
        return [.failedPrecondition, .unknown, .invalidArgument].contains(error.code) ? "\(error)" : nil
    }

    /// Runs the code, in a worker where there are such.
    private func code(
        _ order: LaunchOrder, _ files: inout any DatumFiles, on hold: SeatHold?, in batch: BatchSession?
    ) async throws -> Result {
        if let batch { return try await batch.work(on: self, order, &files) }
        guard let hold else {
            var order = order
            order.pfsFolder = files.folder
            return try await tryCode(LaunchedCode(context: job.context, order: order))
        }
        let seat = try await hold.take()
        let outcome = await seated(in: seat, &files) { files in
            if isFirst { try job.failure.check() }
            let code = try await SeatedCode(seat: seat, job: job, order: order, variables: variables)
            try await files.enter(seat)
            return try await tryCode(code)
        }
        // A try that failed is followed by the next one in the same place.
        if outcome.isSeatGood, case .success(.failed) = outcome.result {
        } else {
            await hold.giveBack(isGood: outcome.isSeatGood)
        }
        return try outcome.result.get()
    }

    /// What came of a run in a worker, and whether the worker is as good as before.
    typealias Seated = (result: Swift.Result<Result, any Error>, isSeatGood: Bool)

    /// Runs code in a worker, and takes the files away from there.
    func seated(
        in seat: WorkerPool.Seat, _ files: inout any DatumFiles,
        _ body: (inout any DatumFiles) async throws -> Result
    ) async -> Seated {
        var result: Result?
        var fault: (any Error)?
        do { result = try await body(&files) } catch { fault = error }
        let unfit = fault as? UnfitSeat
        fault = unfit?.error ?? fault
        do {
            if fault is WorkerGone { throw WorkerGone() }
            let left = try await files.leave(seat, after: result)
            let isSeatGood = left.isSeatGood && unfit == nil
            guard let result = left.result else {
                return (.failure(fault ?? SpileError.bug("a run has no result")), isSeatGood)
            }
            if case .lost = result { return (.success(result), false) }
            return (.success(result), isSeatGood)
        } catch is WorkerGone {
            if let fault, !(fault is WorkerGone) { return (.failure(fault), false) }
            // Who is cancelled while a worker has the files gives it up himself.
            if Task.isCancelled { return (.failure(CancellationError()), false) }
            return (.success(.lost("its worker \(await seat.worker.end().text)")), false)
        } catch {
            return (.failure(fault ?? error), false)
        }
    }

    private func tryCode(_ code: some DatumCode) async throws -> Result {
        let command = job.spec.transform?.command ?? []
        return try await afterFault(try await run(code, command, code.order.standardInput), in: code)
    }

    /// Lets `err_cmd` take care of a run that failed, if there is one.
    func afterFault(_ result: Result, in code: some DatumCode) async throws -> Result {
        let command = job.spec.errorCommand
        guard case .failed(let fault) = result, !command.isEmpty, !Task.isCancelled else { return result }
        let second = try await run(code.again, command, LaunchPlan.input(job.spec.errorInput))
        return if case .good = second { .recovered(fault) } else { result }
    }

    /// Runs a command to its end, or to that of its time.
    private func run(_ code: some DatumCode, _ command: [String], _ input: [UInt8]) async throws -> Result {
        try await noting { run in
            guard let end = try await inTime(run, isDone: \.isOwn, { try await code.run(command, input, run) })
            else { return timedOut }
            return result(of: end)
        }
    }

    /// Shows a run among those under way while `body` has it.
    func noting(_ body: (CodeRun) async throws -> Result) async throws -> Result {
        let run = CodeRun()
        let active = JobProgress.Active(
            worker: name, datum: datum.id, files: datum.files, commits: job.inputs.commits,
            since: job.context.world.clock.now(),
            end: { await run.end() })
        job.context.progress.change(job.record.key) { $0.active[worker] = active }
        defer {
            job.context.progress.change(job.record.key) { $0.active[worker]?.end = nil }
            run.finish()
        }
        return try await body(run)
    }

    /// What a try is whose time was over.
    var timedOut: Result { .failed("it ran longer than datum_timeout, \(job.spec.datumTimeout ?? 0) s") }

    /// What the end of a run means. `isEarly`: it had not told yet that it was done.
    func result(of end: WorkerRunEnd, isEarly: Bool = false) -> Result {
        switch end {
        case .refused(let error): return .failed("the code could not be started: \(error)")
        case .lost(let exit): return .lost("its worker \(exit.text)")
        case .ended(let exit) where isEarly: return .failed("user code exited prematurely: it \(exit.text)")
        case .ended(.exited(let code)):
            let isAccepted = job.spec.transform?.acceptedExitCodes.contains(Int64(code)) == true
            return code == 0 || isAccepted ? .good : .failed("exited with code \(code)")
        case .ended(let exit): return .failed(exit.text)
        }
    }

    /// What `body` gives, which ends when the run is interrupted; nil if that was because the datum's time was over.
    /// `isDone` tells what it gives by itself from what it gives when it is interrupted.
    func inTime<Value: Sendable>(
        _ run: CodeRun, isDone: (Value) -> Bool, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        let context = job.context
        guard let timeout = job.spec.datumTimeout else {
            let value = try await body()
            try Task.checkCancellation()
            return value
        }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                // Cancelled when the run has ended before.
                guard (try? await context.world.sleep(timeout)) != nil else { throw CancellationError() }
                run.interrupt()
                return nil
            }
            var (value, fault, isTimeUp): (Value?, (any Error)?, Bool) = (nil, nil, false)
            // The run is over in either case, and each may have come first.
            while let ending = await group.nextResult() {
                group.cancelAll()
                switch ending {
                case .success(let given?): value = given
                case .success(nil): isTimeUp = true
                case .failure(let error): if !(error is CancellationError) { fault = error }
                }
            }
            try Task.checkCancellation()
            if let value, !isTimeUp || isDone(value) { return value }
            if let fault { throw fault }
            return nil
        }
    }
}

extension WorkerRunEnd {
    /// Whether the code came to an end of its own.
    var isOwn: Bool { if case .ended(.exited) = self { true } else { false } }
}
