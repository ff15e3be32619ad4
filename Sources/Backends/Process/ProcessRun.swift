import Core
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// The module of the C library hides it; every Linux C library has it.
@_silgen_name("pipe2")
private func systemPipe(_: UnsafeMutablePointer<Int32>, flags: Int32) -> Int32

/// A program under watch: one thread waits for its end, another reads what it prints and sees to its group.
///
/// The leader is waited for last of all, so that its number, which is also its group's, cannot be given to another
/// process while signals may still be sent.
final class ProcessRun: Sendable {
    /// Guarded by the lock around it.
    private struct State {
        var hasLeaderEnded = false
        /// The shortest grace asked for since the loop last looked.
        var stopGrace: Double?
        /// Whether the pipe that wakes the loop is gone.
        var isClosed = false
    }

    let identity: ProcessIdentity
    private let output: Int32
    private let errors: Int32
    /// A byte wakes the reading thread.
    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let deliver: @Sendable (LaunchOutput) -> Void
    /// Runs when nothing of the run is left, before anybody is told.
    private let cleanUp: @Sendable () -> Void
    private let state = Mutex(State())
    private let ending = LaunchEnding()

    init(
        identity: ProcessIdentity, output: Int32, errors: Int32,
        deliver: @escaping @Sendable (LaunchOutput) -> Void, cleanUp: @escaping @Sendable () -> Void
    ) throws {
        self.identity = identity
        self.output = output
        self.errors = errors
        self.deliver = deliver
        self.cleanUp = cleanUp
        (wakeRead, wakeWrite) = try Self.makePipe()
    }

    static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard systemPipe(&ends, flags: O_CLOEXEC) == 0 else { throw PosixFiles.fault("make", "a pipe") }
        return (ends[0], ends[1])
    }

    func start() {
        BlockingThread.start { self.awaitLeader() }
        BlockingThread.start { self.watch() }
    }

    var isOver: Bool { ending.isOver }

    /// Waits until nothing of the run is left.
    func end() async -> LaunchExit { await ending.value() }

    func requestStop(grace: Double) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.stopGrace = min(state.stopGrace ?? .infinity, grace)
            wake()
        }
    }

    /// Only under the lock and before the pipe is closed.
    private func wake() {
        var byte: UInt8 = 0
        _ = write(wakeWrite, &byte, 1)
    }

    private func awaitLeader() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(identity.number), &info, WEXITED | Int32(bitPattern: UInt32(WNOWAIT))) != 0,
            errno == EINTR
        {}
        state.withLock { state in
            state.hasLeaderEnded = true
            wake()
        }
    }

    private func watch() {
        var phase = RunPhase(openStreams: 2)
        var streams = [
            (file: output, kind: LaunchOutput.Stream.standardOutput, lines: LineSplitter()),
            (file: errors, kind: LaunchOutput.Stream.standardError, lines: LineSplitter()),
        ]
        var isLeaderKnownEnded = false
        while !phase.isOver(at: monotonicSeconds()) {
            var polled = streams.map { pollfd(fd: $0.file, events: Int16(POLLIN), revents: 0) }
            polled.append(pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0))
            poll(&polled, nfds_t(polled.count), Self.timeout(phase.deadline))
            for index in streams.indices where streams[index].file >= 0 && polled[index].revents != 0 {
                if !read(&streams[index]) { send(phase.streamEnded(at: monotonicSeconds())) }
            }
            if polled[2].revents != 0 { drainWake() }
            let (hasEnded, grace) = state.withLock { state in
                defer { state.stopGrace = nil }
                return (state.hasLeaderEnded, state.stopGrace)
            }
            let now = monotonicSeconds()
            if let grace { send(phase.stopRequested(grace: grace, at: now)) }
            if hasEnded, !isLeaderKnownEnded {
                isLeaderKnownEnded = true
                send(phase.leaderEnded(at: now))
            }
            send(phase.timePassed(to: now))
        }
        for index in streams.indices where streams[index].file >= 0 { finish(&streams[index]) }
        conclude()
    }

    /// Milliseconds for `poll`; -1 for no end.
    private static func timeout(_ deadline: Double?) -> Int32 {
        guard let deadline else { return -1 }
        return Int32(max(0, min((deadline - monotonicSeconds()) * 1000 + 1, 60_000)))
    }

    private func drainWake() {
        var bytes = [UInt8](repeating: 0, count: 64)
        _ = bytes.withUnsafeMutableBytes { PosixFiles.systemRead(wakeRead, $0) }
    }

    private func send(_ signal: RunPhase.Signal?) {
        switch signal {
        case .terminate: kill(-identity.number, SIGTERM)
        case .kill: kill(-identity.number, SIGKILL)
        case nil: break
        }
    }

    /// Reads what there is; false at the end of the stream, which is then closed.
    private func read(_ stream: inout (file: Int32, kind: LaunchOutput.Stream, lines: LineSplitter)) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 32 << 10)
        let count = bytes.withUnsafeMutableBytes { PosixFiles.systemRead(stream.file, $0) }
        if count < 0, errno == EINTR || errno == EAGAIN { return true }
        if count > 0 {
            for line in stream.lines.take(bytes[..<count]) { deliver(LaunchOutput(stream: stream.kind, line: line)) }
            return true
        }
        finish(&stream)
        return false
    }

    private func finish(_ stream: inout (file: Int32, kind: LaunchOutput.Stream, lines: LineSplitter)) {
        if let line = stream.lines.finish() { deliver(LaunchOutput(stream: stream.kind, line: line)) }
        close(stream.file)
        stream.file = -1
    }

    private func conclude() {
        var status: Int32 = 0
        while waitpid(identity.number, &status, 0) < 0, errno == EINTR {}
        let exit = LaunchExit(waitStatus: status)
        cleanUp()
        state.withLock { state in
            state.isClosed = true
            close(wakeRead)
            close(wakeWrite)
        }
        ending.conclude(exit)
    }
}
