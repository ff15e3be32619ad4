import Core
import Synchronization

/// A far worker as its server sees it: a ``WorkerLink`` whose other end is the worker's sidecar.
final class FarLink: FarWorker {
    /// What asks for datums, and its calls that wait for an answer.
    private struct Desk {
        var desk: (any DatumDesk)?
        var calls: [UInt32: Task<Void, Never>] = [:]
    }

    private let link: WorkerLink
    private let heard: Heard

    /// What comes from the sidecar, guarded by its mutexes, and where answers go.
    private final class Heard: Sendable {
        let replies = FrameQueue(capacity: 16)
        let content = Mutex<LazyContent?>(nil)
        let desk = Mutex(Desk())
        let outbox: FrameOutbox

        init(_ outbox: FrameOutbox) { self.outbox = outbox }

        func close() {
            replies.close()
            outbox.close()
        }
    }

    /// `socket`: on which the sidecar has joined, and said nothing more yet.
    init(socket: WorkerSocket, handle: LaunchHandle, launcher: any Launcher) {
        let outbox = FrameOutbox(capacity: 8) { frame in
            if socket.send(.far(frame)) { return true }
            socket.shut()
            return false
        }
        let heard = Heard(outbox)
        self.heard = heard
        link = WorkerLink(socket: socket, handle: handle, launcher: launcher) { Self.hear($0, heard) }
    }

    func start(watching exit: Task<LaunchExit, Never>) async -> WorkerLink.Greeting {
        // What was heard and nobody took must not keep the end from being heard.
        Task { [heard] in
            _ = await exit.value
            heard.close()
        }
        return await link.start(watching: exit)
    }

    // MARK: The worker

    var isAlive: Bool { link.isAlive && !heard.outbox.isClosed }
    func run(_ run: WorkerRun) async -> WorkerRunEnd { await link.run(run) }

    func stop() async {
        heard.close()
        await link.stop()
    }

    func end() async -> LaunchExit { await link.end() }

    // MARK: Its files

    func keep(_ files: [WorkerFile]) async throws -> [String] {
        try await send(.keep(files))
        guard case .kept(let paths) = try await reply() else { throw confused() }
        return paths
    }

    func lay(_ piece: LaidPiece) async throws { try await send(.lay(piece)) }

    func finishLaying(_ content: @escaping LazyContent) async throws {
        heard.content.withLock { $0 = content }
        try await ask(.layEnd)
    }

    func take(to sink: any TakenSink) async throws {
        try await withTaskCancellationHandler {
            try await send(.take)
            while true {
                let frame = try await reply()
                if case .done = frame { return }
                do { try await pass(frame, to: sink) } catch {
                    // What else is on its way is of no use to anybody.
                    giveUp()
                    throw error
                }
            }
        } onCancel: {
            giveUp()
        }
    }

    /// Nothing more is said or heard.
    private func giveUp() {
        heard.close()
        link.giveUp()
    }

    private func pass(_ frame: FarFrame, to sink: any TakenSink) async throws {
        switch frame {
        case .takenFile(let path): try sink.begin(path)
        case .takenBytes(let bytes): try sink.add(bytes)
        case .takenInput(let path, let name, let source): try sink.put(path, name: name, source: source)
        case .takenChunk(let length, let hash):
            let isKnown = try sink.add(chunk: hash, length: Int(length))
            try await send(.wanted(!isKnown))
        default: throw confused()
        }
    }

    func clear() async throws {
        defer { heard.content.withLock { $0 = nil } }
        try await ask(.clear)
    }

    private func send(_ frame: FarFrame) async throws { if await !heard.outbox.put(frame) { throw WorkerGone() } }

    private func ask(_ frame: FarFrame) async throws {
        try await send(frame)
        guard case .done = try await reply() else { throw confused() }
    }

    private func reply() async throws -> FarFrame {
        guard let frame = await heard.replies.next() else { throw WorkerGone() }
        if case .failed(let fault) = frame { throw fault.error }
        return frame
    }

    private func confused() -> SpileError { SpileError(.unavailable, "a worker's sidecar answered what nobody asked") }

    // MARK: Who asks for datums

    func open(_ desk: any DatumDesk) async throws -> any DatumPort {
        heard.desk.withLock { $0.desk = desk }
        try await send(.open)
        guard case .opened(let port) = try await reply() else { throw confused() }
        return FarPort(number: Int(port)) { [heard] in
            _ = await heard.outbox.put(.shut)
            Self.close(heard)
        }
    }

    private static func close(_ heard: Heard) {
        let calls = heard.desk.withLock { state in
            defer { state = Desk() }
            return state.calls.values
        }
        for call in calls { call.cancel() }
    }

    private struct FarPort: DatumPort {
        let number: Int
        let shut: @Sendable () async -> Void
        func close() async { await shut() }
    }

    // MARK: What the sidecar says

    private static func hear(_ frame: FarFrame?, _ heard: Heard) {
        guard let frame else {
            heard.close()
            return close(heard)
        }
        switch frame {
        case .wants(let number, let offset):
            guard let content = heard.content.withLock({ $0 }) else { return }
            let answer: FarFrame
            do { answer = .fed(try content(number, offset)) } catch { answer = .unfed(FarFault(error)) }
            Task { await heard.outbox.put(answer) }
        case .asks(let number, let error):
            serve(number, heard) { .answer(call: number, try await $0.next(error: error)) }
        case .statusAsked(let number): serve(number, heard) { .status(call: number, try await $0.status()) }
        case .cancelAsked(let number, let job, let filters):
            serve(number, heard) { .cancelled(call: number, try await $0.cancel(job: job, filters: filters)) }
        default: heard.replies.put(frame)
        }
    }

    private static func serve(
        _ number: UInt32, _ heard: Heard, _ body: @escaping @Sendable (any DatumDesk) async throws -> FarFrame
    ) {
        heard.desk.withLock { state in
            guard let desk = state.desk else { return }
            state.calls[number] = Task {
                let answer: FarFrame
                do { answer = try await body(desk) } catch { answer = .refuse(call: number, FarFault(error)) }
                heard.desk.withLock { $0.calls[number] = nil }
                _ = await heard.outbox.put(answer)
            }
        }
    }
}
