import Core
import Synchronization
import Versioning

/// Code that asks for its datums by calls (`pps.md` §9.4, §17), as one worker of a job runs it: started for the first
/// datum, started again after a try that failed, and ended with the job, since what it may read ends there too. Owned
/// by the worker's task.
final class BatchSession {
    private let job: TransformJob
    private let hold: SeatHold
    /// Names the worker in logs.
    private let name: String
    /// Counts the workers of the job, from 0.
    private let worker: Int
    private var code: Code?
    /// What the code works on, for the lines that it prints. Guarded by its mutex.
    private let subject: Subject

    private final class Subject: Sendable {
        let current = Mutex<TransformJob.Subject?>(nil)
    }

    /// The run of the code, from its start to its end.
    private struct Code {
        let seat: WorkerPool.Seat
        let desk: BatchDesk
        let port: any DatumPort
        let task: Task<Void, Never>
        /// Whether it waits for a datum.
        var isReady = false
    }

    init(job: TransformJob, pool: WorkerPool, name: String, worker: Int) {
        self.job = job
        hold = SeatHold(pool)
        self.name = name
        self.worker = worker
        subject = Subject()
    }

    /// Starts the code where it does not run; gives the number of the port where it asks.
    func start() async throws -> Int {
        if let code { return code.port.number }
        do { return try await start(in: try await hold.take()) } catch {
            guard error is WorkerGone || error is UnfitSeat else { throw error }
            await hold.giveBack(isGood: false)
            throw (error as? UnfitSeat)?.error ?? error
        }
    }

    private func start(in seat: WorkerPool.Seat) async throws -> Int {
        guard let ports = ports(of: seat) else { throw SpileError.bug("there are no ports for batching code") }
        let desk = BatchDesk(
            job: job.record.key, worker: name, number: worker, progress: job.context.progress)
        let port = try await ports.open(desk)
        do {
            let order = job.order(variables: [:], worker: name, port: port.number) { [subject] in
                subject.current.withLock { $0 }
            }
            let run = try await SeatedCode(seat: seat, job: job, order: order, variables: [:], port: port.number)
                .work(order.command, order.standardInput)
            let task = Task { desk.end(await seat.worker.run(run)) }
            code = Code(seat: seat, desk: desk, port: port, task: task)
            return port.number
        } catch {
            await port.close()
            throw error
        }
    }

    /// Code asks where it runs.
    private func ports(of seat: WorkerPool.Seat) -> (any DatumPorts)? {
        if case .far(let worker) = seat.place { worker } else { job.context.ports }
    }

    /// Gives the code, started before, the datum that is laid out for it, and waits for what it makes of it.
    func work(
        on attempt: DatumAttempt, _ order: LaunchOrder, _ files: inout any DatumFiles
    ) async throws -> DatumAttempt.Result {
        guard let code else { throw SpileError.bug("batching code was not started") }
        let seat = code.seat
        let outcome = await attempt.seated(in: seat, &files) { files in
            do {
                let first = try await attempt.noting { run in
                    run.begin { code.task.cancel() }
                    defer { run.begin(nil) }
                    return try await self.hand(&files, to: code, attempt, run)
                }
                if case .good = first { self.code?.isReady = true } else { await self.end() }
                let other = try await SeatedCode(
                    seat: seat, job: self.job, order: order, variables: attempt.variables, port: code.port.number)
                return try await attempt.afterFault(first, in: other)
            } catch {
                await self.end()
                throw error
            }
        }
        if !outcome.isSeatGood { await giveBack(isGood: false) }
        return try outcome.result.get()
    }

    private func hand(
        _ files: inout any DatumFiles, to code: Code, _ attempt: DatumAttempt, _ run: CodeRun
    ) async throws -> DatumAttempt.Result {
        if !code.isReady {
            switch try await event(at: code, attempt, run) {
            case .asked?: break
            case .ended(let end)?: return attempt.result(of: end, isEarly: true)
            case nil: return attempt.timedOut
            }
        }
        try await files.enter(code.seat)
        subject.current.withLock { $0 = TransformJob.Subject(attempt.datum) }
        // No more than what tells of the datum: anyone on this machine may ask at the port.
        let told = attempt.variables.merging(["PACH_JOB_ID": "\(job.record.key.id)"]) { $1 }
        code.desk.give(told.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        switch try await event(at: code, attempt, run) {
        case .asked(let error)?: return error.isEmpty ? .good : .failed(error)
        case .ended(let end)?: return attempt.result(of: end, isEarly: true)
        case nil: return attempt.timedOut
        }
    }

    /// What the code does next; nil if it has been ended because the datum's time was over.
    private func event(
        at code: Code, _ attempt: DatumAttempt, _ run: CodeRun
    ) async throws -> BatchDesk.Event? {
        let desk = code.desk
        return try await withTaskCancellationHandler {
            try await attempt.inTime(run, isDone: \.isAsking) { await desk.event() }
        } onCancel: {
            run.interrupt()
        }
    }

    /// Ends the code, if it runs.
    private func end() async {
        guard let code else { return }
        self.code = nil
        code.task.cancel()
        await code.task.value
        await code.port.close()
    }

    private func giveBack(isGood: Bool) async {
        await end()
        await hold.giveBack(isGood: isGood)
    }

    /// Ends the code and gives the worker back. To be called once there is nothing more to do.
    func close() async { await giveBack(isGood: true) }
}
