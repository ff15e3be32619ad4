import Core
import Synchronization

/// A worker as its server sees it: its launch, and the socket to it. A thread of its own hears what it says.
final class WorkerLink: Worker {
    /// Guarded by the lock around it.
    private struct State {
        var lastNumber: UInt32 = 0
        var current: Current?
        var isGone = false
    }

    /// The run under way.
    private struct Current {
        var number: UInt32
        var output: @Sendable (LaunchOutput) -> Void
        var waiter: CheckedContinuation<WorkerRunEnd?, Never>
    }

    private let socket: WorkerSocket
    private let handle: LaunchHandle
    private let launcher: any Launcher
    private let state = Mutex(State())
    private let ending = LaunchEnding()
    /// Gets what a far worker's sidecar says beside, in order, and nil when nothing more comes.
    private let far: (@Sendable (FarFrame?) -> Void)?

    /// Seconds that a worker has to end by itself once its server has hung up.
    private static let grace = 2.0

    /// `socket`: on which the worker has said nothing yet.
    init(
        socket: WorkerSocket, handle: LaunchHandle, launcher: any Launcher,
        far: (@Sendable (FarFrame?) -> Void)? = nil
    ) {
        self.socket = socket
        self.far = far
        self.handle = handle
        self.launcher = launcher
    }

    var isAlive: Bool { !ending.isOver && state.withLock { !$0.isGone } }

    func end() async -> LaunchExit { await ending.value() }

    /// What a worker says first.
    enum Greeting { case ready, otherVersion, none }

    /// Waits until the worker says that it is ready, then hears it until its end. One that says something else, or
    /// nothing, has to be stopped.
    func start(watching exit: Task<LaunchExit, Never>) async -> Greeting {
        Task {
            let exit = await exit.value
            // Wakes the hearing thread where something else holds the other end.
            socket.shut()
            ending.conclude(exit)
        }
        return await withCheckedContinuation { continuation in
            BlockingThread.start { self.hear(continuation) }
        }
    }

    // MARK: Runs

    func run(_ run: WorkerRun) async -> WorkerRunEnd {
        let end = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in begin(run, waiter) }
        } onCancel: {
            interrupt()
        }
        guard let end else { return .lost(await ending.value()) }
        return end
    }

    private func begin(_ run: WorkerRun, _ waiter: CheckedContinuation<WorkerRunEnd?, Never>) {
        let number = state.withLock { state -> UInt32? in
            precondition(state.current == nil, "a worker was given two runs at a time")
            if state.isGone { return nil }
            state.lastNumber &+= 1
            state.current = Current(number: state.lastNumber, output: run.output, waiter: waiter)
            return state.lastNumber
        }
        guard let number else { return waiter.resume(returning: nil) }
        let frame = WorkerFrame.run(
            number: number, command: run.command, variables: run.variables.map { "\($0.name)=\($0.value)" },
            folder: run.workingDirectory, input: run.standardInput)
        // Where nobody hears it any more, the hearing thread tells the waiter.
        _ = socket.send(frame)
        // A cancellation before there was a number found nothing to interrupt.
        if Task.isCancelled { interrupt() }
    }

    /// Ends what is between worker and server, and with it the worker.
    func giveUp() { socket.shut() }

    private func interrupt() {
        guard let number = state.withLock({ $0.current?.number }) else { return }
        if far == nil {
            _ = socket.send(.interrupt(number: number))
        } else {
            // Files may be on their way, for as long as the other end takes.
            BlockingThread.start { [socket] in _ = socket.send(.interrupt(number: number)) }
        }
    }

    func stop() async {
        socket.shut()
        await launcher.stop(handle, grace: Self.grace)
        _ = await ending.value()
    }

    // MARK: What it says

    private func hear(_ greeting: CheckedContinuation<Greeting, Never>) {
        var greeting: CheckedContinuation<Greeting, Never>? = greeting
        var streams = (LineSplitter(), LineSplitter())
        socket.hear { frame in
            if case .hello(let version) = frame {
                greeting?.resume(returning: version == WorkerFrame.version ? .ready : .otherVersion)
                greeting = nil
            } else {
                take(frame, &streams)
            }
            return true
        }
        let waiter = state.withLock { state in
            state.isGone = true
            defer { state.current = nil }
            return state.current?.waiter
        }
        waiter?.resume(returning: nil)
        greeting?.resume(returning: .none)
        socket.shut()
        far?(nil)
        // A worker of this machine ends when it hears nobody any more; another machine may be out of reach.
        if far != nil { Task { await launcher.stop(handle, grace: Self.grace) } }
    }

    private func take(_ frame: WorkerFrame, _ streams: inout (LineSplitter, LineSplitter)) {
        switch frame {
        case .output(let number, let isError, let bytes):
            guard let output = current(number)?.output else { return }
            if isError {
                for line in streams.1.take(bytes) { output(LaunchOutput(stream: .standardError, line: line)) }
            } else {
                for line in streams.0.take(bytes) { output(LaunchOutput(stream: .standardOutput, line: line)) }
            }
        case .ended(let number, let status):
            guard let current = current(number) else { return }
            if let line = streams.0.finish() { current.output(LaunchOutput(stream: .standardOutput, line: line)) }
            if let line = streams.1.finish() { current.output(LaunchOutput(stream: .standardError, line: line)) }
            conclude(number, .ended(LaunchExit(waitStatus: status)))
        case .refused(let number, let reason):
            conclude(number, .refused(SpileError(.failedPrecondition, reason)))
        case .far(let frame): far?(frame)
        case .run, .interrupt, .hello, .openFiles, .filesOpen: return
        }
    }

    private func current(_ number: UInt32) -> Current? {
        state.withLock { $0.current?.number == number ? $0.current : nil }
    }

    private func conclude(_ number: UInt32, _ end: WorkerRunEnd) {
        let waiter = state.withLock { state -> CheckedContinuation<WorkerRunEnd?, Never>? in
            guard state.current?.number == number else { return nil }
            defer { state.current = nil }
            return state.current?.waiter
        }
        waiter?.resume(returning: end)
    }
}
