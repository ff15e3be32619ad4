import CSpawn
import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What `spile worker` does: runs code for the server at the other end of a socket, one run after the other, until that
/// end is closed. One thread does everything.
package enum WorkerProgram {
    /// `arguments`: the path of the server's socket, and a folder that code finds at the end of its PATH, if any.
    /// Returns the exit code. To be called on a thread that is the only one.
    package static func run(_ arguments: [String]) -> Int32 {
        guard 1...2 ~= arguments.count, let path = arguments.first else {
            return fail("worker: started by the server alone, with the path of its socket")
        }
        do {
            let socket = try connect(path)
            guard spile_become_reaper() == 0 else { throw PosixFiles.fault("become the parent of", "all it starts") }
            let ends = spile_child_ends()
            guard ends >= 0 else { throw PosixFiles.fault("hear of", "the ends of what it starts") }
            var loop = WorkerLoop(socket: socket, ends: ends, tools: arguments.count > 1 ? arguments[1] : nil)
            return loop.run() ? 0 : 1
        } catch {
            return fail("worker: \(error)")
        }
    }

    /// A sidecar may come up later than the worker.
    private static func connect(_ path: String) throws -> WorkerSocket {
        let deadline = monotonicSeconds() + patience
        while true {
            do { return try WorkerSocket.connect(path) } catch {
                if monotonicSeconds() > deadline { throw error }
                usleep(connectPause)
            }
        }
    }

    /// Seconds, and microseconds.
    private static let patience = 60.0
    private static let connectPause: UInt32 = 20_000

    private static func fail(_ text: String) -> Int32 {
        try? PosixFiles.writeAll(Array((text + "\n").utf8), to: 2, path: "its errors")
        return 1
    }
}

/// The one loop of a worker: hears the server and what the code prints, and sees to the end of each run.
struct WorkerLoop {
    private let socket: WorkerSocket
    /// Readable when a child has ended.
    private let ends: Int32
    /// What stands at the end of code's PATH.
    private let tools: String?
    private var frames = WorkerFrames()
    private var code: WorkerCode?
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Milliseconds between two looks at what is left of a run that has ended.
    private static let sweepPause: Int32 = 2

    init(socket: WorkerSocket, ends: Int32, tools: String?) {
        self.socket = socket
        self.tools = tools
        self.ends = ends
    }

    /// False where something of a run could not be ended: whoever started the worker has to see to that.
    mutating func run() -> Bool {
        guard socket.send(.hello(version: WorkerFrame.version)) else { return true }
        while true {
            let streams = code?.files ?? []
            var polled = ([socket.number, ends] + streams).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            poll(&polled, nfds_t(polled.count), code?.isSweeping == true ? Self.sweepPause : -1)
            if polled[0].revents != 0, !hear() { return endAll() }
            for index in streams.indices where polled[index + 2].revents != 0 { pass(index) }
            if polled[1].revents != 0 { forgetEnds() }
            if !reap() {
                _ = endAll()
                return false
            }
        }
    }

    /// Hears what the server says; false when it is gone.
    private mutating func hear() -> Bool {
        let bytes = socket.receive(into: &buffer)
        if bytes.isEmpty { return false }
        for frame in frames.take(bytes) {
            switch frame {
            case .run(let number, let command, let variables, let folder, let input):
                begin(number, command: command, variables: variables, folder: folder, input: input)
            case .interrupt(let number): if code?.number == number { code?.kill() }
            case .openFiles:
                PfsOpening.open("/pfs")
                _ = socket.send(.filesOpen)
            default: return false
            }
        }
        return !frames.isBroken
    }

    private mutating func begin(
        _ number: UInt32, command: [String], variables: [String], folder: String, input: [UInt8]
    ) {
        guard code == nil else {
            _ = socket.send(.refused(number: number, reason: "another run is under way"))
            return
        }
        do {
            code = try WorkerCode(
                number, command: command, variables: variables, tools: tools, folder: folder, input: input)
        } catch {
            _ = socket.send(.refused(number: number, reason: "\(error)"))
        }
    }

    /// Passes on what the code printed.
    private mutating func pass(_ index: Int) {
        guard let number = code?.number, let bytes = code?.read(index, into: &buffer), !bytes.isEmpty else { return }
        _ = socket.send(.output(number: number, isError: index == 1, bytes: Array(bytes)))
    }

    private func forgetEnds() {
        var bytes = [UInt8](repeating: 0, count: 1024)
        while bytes.withUnsafeMutableBytes({ read(ends, $0.baseAddress, $0.count) }) > 0 {}
    }

    /// Sees to what has ended; false where a run could not be ended whole.
    private mutating func reap() -> Bool {
        guard code != nil else {
            WorkerCode.reapStrays()
            return true
        }
        guard let end = code?.reap() else { return true }
        for index in 0..<2 { while code?.hasMore(index) == true { pass(index) } }
        if let code { _ = socket.send(.ended(number: code.number, status: end.status)) }
        code?.close()
        code = nil
        return end.isWhole
    }

    /// Ends everything there is.
    private mutating func endAll() -> Bool {
        code?.kill()
        while code != nil {
            if let end = code?.reap() { return end.isWhole }
            usleep(UInt32(Self.sweepPause) * 1000)
        }
        return true
    }
}
