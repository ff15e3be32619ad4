import Core
import Dispatch
import Synchronization

/// What stands beside a far worker: it has the files at `/pfs` in hand, passes on what server and worker say to each
/// other, and serves the port at which code asks for its datums. It ends with either of the two.
package final class Sidecar: Sendable {
    private struct Calls {
        var last: UInt32 = 0
        var waiting: [UInt32: CheckedContinuation<FarFrame, any Error>] = [:]
        /// The question for a datum that the server has not answered: there is one, whoever waits for its answer.
        var outstanding: UInt32?
        /// Who does.
        var asker: UInt32?
        /// An answer that came when nobody waited for it any more: the next one who asks gets it.
        var undelivered: Result<FarFrame, any Error>?
        var isOver = false
    }

    private let server: WorkerSocket
    private let files: any SidecarFiles
    private let ports: any DatumPorts
    /// Where the worker is met.
    private let listener: WorkerSocket
    private let worker = Mutex<WorkerSocket?>(nil)
    private let orders = FrameQueue(capacity: 16)
    private let calls = Mutex(Calls())
    private let feed = Answer<[UInt8]>()
    private let wanted = Answer<Bool>()
    private let opening = Answer<Void>()

    /// Seconds that a worker may take to come.
    private static let patience = 120.0

    /// Connects to the server of `place`. Throws `unavailable` where that does not answer. Blocks.
    package init(_ place: LaunchSidecar, files: any SidecarFiles, ports: any DatumPorts) throws {
        listener = try WorkerSocket.listen(WorkerScratch.socket, in: files.scratch)
        server = try WorkerSocket.connect(place.host, port: place.port)
        self.files = files
        self.ports = ports
        guard server.send(.far(.join(version: WorkerFrame.version, key: place.key))) else {
            throw SpileError(.unavailable, "\(place.host):\(place.port) closed the connection")
        }
    }

    /// Returns when the server or the worker is gone. Blocks on disk: its task's executor may be blocked.
    package func run() async {
        let timer = Task { [self] in
            try await Task.sleep(for: .seconds(Self.patience))
            if worker.withLock({ $0 == nil }) { end() }
        }
        BlockingThread.start { [self] in hearServer() }
        BlockingThread.start { [self] in hearWorker() }
        var work = Work()
        while let order = await orders.next() { await follow(order, &work) }
        timer.cancel()
        await closePort(&work)
        try? await files.clear()
    }

    private func end() {
        for socket in [server, listener, worker.withLock { $0 }] { socket?.shut() }
        orders.close()
        feed.close()
        wanted.close()
        opening.close()
        let waiting = calls.withLock { calls in
            calls.isOver = true
            defer { calls.waiting = [:] }
            return calls.waiting.values
        }
        for call in waiting { call.resume(throwing: CancellationError()) }
    }

    private func say(_ frame: FarFrame) { if !server.send(.far(frame)) { end() } }

    // MARK: What the two say

    private func hearServer() {
        defer { end() }
        server.hear { frame in
            switch frame {
            case .run, .interrupt: return worker.withLock { $0 }?.send(frame) ?? false
            case .far(let order): take(order)
            default: return false
            }
            return true
        }
    }

    private func hearWorker() {
        defer { end() }
        guard let socket = listener.accept() else { return }
        worker.withLock { $0 = socket }
        socket.hear { frame in
            if case .filesOpen = frame {
                opening.give(.success(()))
                return true
            }
            return server.send(frame)
        }
    }

    private func take(_ frame: FarFrame) {
        switch frame {
        case .fed(let bytes): feed.give(.success(bytes))
        case .unfed(let fault): feed.give(.failure(fault.error))
        case .wanted(let isWanted): wanted.give(.success(isWanted))
        case .answer(let call, _), .status(let call, _), .cancelled(let call, _): answer(call, .success(frame))
        case .refuse(let call, let fault): answer(call, .failure(fault.error))
        default: orders.put(frame)
        }
    }

    // MARK: Orders

    /// What is being done.
    private struct Work {
        /// What kept a piece from being laid out; those after it are passed over.
        var fault: (any Error)?
        var port: (any DatumPort)?
        /// Whether no code has run since the worker opened what its user left.
        var isOpen = false
    }

    private func follow(_ order: FarFrame, _ work: inout Work) async {
        do {
            switch order {
            case .lay(let piece): lay(piece, &work)
            case .keep(let kept): say(.kept(try files.keep(kept)))
            case .layEnd:
                try finishLaying(&work)
                say(.done)
            case .take:
                try openFiles(&work)
                try await files.take(to: Taking(server: server, wanted: wanted))
                say(.done)
            case .clear:
                try openFiles(&work)
                (work.fault, work.isOpen) = (nil, false)
                try await files.clear()
                say(.done)
            case .open:
                let port = try await ports.open(SidecarDesk(sidecar: self))
                work.port = port
                say(.opened(port: UInt32(port.number)))
            case .shut: await closePort(&work)
            default: end()
            }
        } catch {
            say(.failed(FarFault(error)))
        }
    }

    private func closePort(_ work: inout Work) async {
        await work.port?.close()
        work.port = nil
        calls.withLock { ($0.outstanding, $0.undelivered) = (nil, nil) }
    }

    private func lay(_ piece: LaidPiece, _ work: inout Work) {
        if work.fault != nil { return }
        do { try files.lay(piece) } catch { work.fault = error }
    }

    private func finishLaying(_ work: inout Work) throws {
        work.isOpen = false
        if let fault = work.fault { throw fault }
        try files.finishLaying { [feed, server] number, offset in
            try feed.ask { server.send(.far(.wants(number: number, offset: offset))) }
        }
    }

    /// Lets the worker open what its user left there. Batching code lives on while its files are taken.
    private func openFiles(_ work: inout Work) throws {
        if work.isOpen, work.port == nil { return }
        try opening.ask { worker.withLock { $0 }?.send(.openFiles) ?? false }
        work.isOpen = true
    }

    // MARK: Calls of code

    private func answer(_ call: UInt32, _ answer: Result<FarFrame, any Error>) {
        let waiter = calls.withLock { calls -> CheckedContinuation<FarFrame, any Error>? in
            guard calls.outstanding == call else { return calls.waiting.removeValue(forKey: call) }
            calls.outstanding = nil
            let asker = calls.asker.flatMap { calls.waiting.removeValue(forKey: $0) }
            calls.asker = nil
            if asker == nil { calls.undelivered = answer }
            return asker
        }
        waiter?.resume(with: answer)
    }

    /// What is to be done for a call that has just come.
    fileprivate enum Step {
        case say(FarFrame)
        case wait
        case answer(Result<FarFrame, any Error>)
    }

    /// Asks the server for a datum. Whoever asks after one who has hung up waits for the same answer: the server has
    /// been told how the last datum went.
    fileprivate func next(error: String) async throws -> FarFrame {
        try await call { number, calls in
            if let answer = calls.undelivered {
                calls.undelivered = nil
                return .answer(answer)
            }
            if calls.asker != nil {
                return .answer(
                    .failure(SpileError(.failedPrecondition, "another call waits for the next datum already")))
            }
            calls.asker = number
            if calls.outstanding != nil { return .wait }
            calls.outstanding = number
            return .say(.asks(call: number, error: error))
        }
    }

    /// Asks the server something that it knows at once.
    fileprivate func ask(_ frame: (UInt32) -> FarFrame) async throws -> FarFrame {
        try await call { number, _ in .say(frame(number)) }
    }

    private func call(_ begin: (UInt32, inout Calls) -> Step) async throws -> FarFrame {
        let number = calls.withLock { calls in
            calls.last &+= 1
            return calls.last
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                let step = calls.withLock { calls -> Step in
                    if calls.isOver || Task.isCancelled { return .answer(.failure(CancellationError())) }
                    let step = begin(number, &calls)
                    if case .answer = step { return step }
                    calls.waiting[number] = waiter
                    return step
                }
                switch step {
                case .say(let frame): say(frame)
                case .wait: break
                case .answer(let answer): waiter.resume(with: answer)
                }
            }
        } onCancel: {
            let waiter = calls.withLock { calls in
                if calls.asker == number { calls.asker = nil }
                return calls.waiting.removeValue(forKey: number)
            }
            waiter?.resume(throwing: CancellationError())
        }
    }
}

/// The server's desk as code finds it where it runs.
private struct SidecarDesk: DatumDesk {
    let sidecar: Sidecar

    func next(error: String) async throws -> [String] {
        guard case .answer(_, let variables) = try await sidecar.next(error: error) else {
            throw SpileError.bug("a call for a datum was answered by something else")
        }
        return variables
    }

    func status() async throws -> DatumDeskStatus {
        guard case .status(_, let status) = try await sidecar.ask({ .statusAsked(call: $0) }) else {
            throw SpileError.bug("a status was answered by something else")
        }
        return status
    }

    func cancel(job: String, filters: [String]) async throws -> Bool {
        let answer = try await sidecar.ask { .cancelAsked(call: $0, job: job, filters: filters) }
        if case .cancelled(_, let isDone) = answer { return isDone }
        return false
    }
}

/// Sends what code left to the server.
private final class Taking: TakenSink {
    private let server: WorkerSocket
    private let wanted: Answer<Bool>

    init(server: WorkerSocket, wanted: Answer<Bool>) {
        self.server = server
        self.wanted = wanted
    }

    func begin(_ path: String) throws { try say(.takenFile(path: path)) }

    /// In pieces, of which some are on their way at a time.
    func add(_ bytes: [UInt8]) throws {
        for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
            try say(.takenBytes(Array(bytes[start..<min(bytes.count, start + Self.pieceBytes)])))
        }
    }

    private static let pieceBytes = 256 << 10

    func add(chunk hash: Digest, length: Int) throws -> Bool {
        try !wanted.ask { server.send(.far(.takenChunk(length: UInt32(length), hash))) }
    }

    func put(_ path: String, name: String, source: String) throws {
        try say(.takenInput(path: path, name: name, source: source))
    }

    private func say(_ frame: FarFrame) throws {
        if !server.send(.far(frame)) { throw SpileError(.unavailable, "the server is gone") }
    }
}

/// A question to the server or the worker, of a thread that waits for the answer, one at a time.
private final class Answer<Value: Sendable>: Sendable {
    private let answer = Mutex<Result<Value, any Error>?>(nil)
    private let turn = DispatchSemaphore(value: 0)

    /// `send`: false where nobody hears it. Throws where who was asked is gone.
    func ask(_ send: () -> Bool) throws -> Value {
        if send() { turn.wait() }
        let answer = answer.withLock { answer in
            defer { answer = nil }
            return answer
        }
        guard let answer else { throw SpileError(.unavailable, "nobody is there who could answer") }
        return try answer.get()
    }

    func give(_ given: Result<Value, any Error>) {
        answer.withLock { $0 = given }
        turn.signal()
    }

    func close() { turn.signal() }
}
