import Core
import Synchronization

/// Where the code of a datum runs.
protocol DatumCode: Sendable {
    /// What the datum's code is given.
    var order: LaunchOrder { get }

    /// Runs a command to its end; `run` interrupts it. Cancelling the task does so too. Throws where it is not the
    /// code's fault.
    func run(_ command: [String], _ input: [UInt8], _ run: CodeRun) async throws -> WorkerRunEnd

    /// The same for another run in the same place.
    var again: Self { get }
}

/// A run of code that can be killed from elsewhere: by its timeout, or by whoever asks for another try. Guarded by its
/// mutex.
final class CodeRun: Sendable {
    private struct State {
        var kill: (@Sendable () -> Void)?
        var isInterrupted = false
        var isOver = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Kills the run, or lets it be killed as soon as there is one. Any thread may call.
    func interrupt() {
        let kill = state.withLock { state in
            state.isInterrupted = true
            return state.kill
        }
        kill?()
    }

    /// The same, and waits until the run is over.
    func end() async {
        interrupt()
        await withCheckedContinuation { waiter in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(waiter) }
                return state.isOver
            }
            if isOver { waiter.resume() }
        }
    }

    /// The run is over. To be called once.
    func finish() {
        let waiters = state.withLock { state in
            state.isOver = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Tells how the run is killed; nil when there is nothing to kill any more.
    func begin(_ kill: (@Sendable () -> Void)?) {
        let isInterrupted = state.withLock { state in
            state.kill = kill
            return state.isInterrupted
        }
        if isInterrupted { kill?() }
    }
}

/// Each run a launch of its own.
struct LaunchedCode: DatumCode {
    let context: TransformContext
    private(set) var order: LaunchOrder

    init(context: TransformContext, order: LaunchOrder) {
        self.context = context
        self.order = order
    }

    var again: LaunchedCode {
        var other = self
        other.order.run = context.freshRun()
        return other
    }

    func run(_ command: [String], _ input: [UInt8], _ run: CodeRun) async throws -> WorkerRunEnd {
        var order = order
        (order.command, order.standardInput) = (command, input)
        let (launcher, handle): (any Launcher, LaunchHandle)
        do {
            (launcher, handle) = (context.launcher, try await context.launcher.start(order))
        } catch let error as SpileError where !error.isTransient {
            return .refused(error)
        }
        run.begin { Task { await launcher.stop(handle, grace: 0) } }
        defer { run.begin(nil) }
        return try await withTaskCancellationHandler {
            .ended(try await launcher.wait(handle))
        } onCancel: {
            Task { await launcher.stop(handle, grace: 0) }
        }
    }
}

/// Why a worker cannot be used, also for another datum.
struct UnfitSeat: Error {
    let error: any Error
}

/// A worker of the pipeline's pool.
struct SeatedCode: DatumCode {
    let seat: WorkerPool.Seat
    let order: LaunchOrder
    private let variables: [(name: String, value: String)]

    /// Lays out what the worker's code is given of its job.
    init(
        seat: WorkerPool.Seat, job: TransformJob, order: LaunchOrder, variables: [String: String], port: Int? = nil
    ) async throws {
        self.seat = seat
        self.order = order
        let paths: [String]
        do { paths = try await seat.keep(order.files, of: job.plan.epoch) } catch { throw UnfitSeat(error: error) }
        let places = Dictionary(zip(order.files.map(\.path), paths), uniquingKeysWith: { $1 })
        self.variables =
            job.told(job.variables(variables, port: port))
            + order.fileVariables.compactMap { file in places[file.path].map { (file.name, $0) } }
    }

    var again: SeatedCode { self }

    /// What the worker is to run for a command.
    func work(_ command: [String], _ input: [UInt8]) -> WorkerRun {
        WorkerRun(
            command: command, standardInput: input, variables: variables,
            workingDirectory: order.workingDirectory, output: order.output)
    }

    func run(_ command: [String], _ input: [UInt8], _ run: CodeRun) async throws -> WorkerRunEnd {
        let worker = seat.worker
        let work = work(command, input)
        let task = Task { await worker.run(work) }
        run.begin { task.cancel() }
        defer { run.begin(nil) }
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
