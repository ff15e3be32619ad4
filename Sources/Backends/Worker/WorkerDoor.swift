import Core
import Dispatch
import Synchronization

/// Where sidecars of far workers come to: a port of this server, which opens with the first who is expected. Who comes
/// says a key first, and is let in once.
package final class WorkerDoor: Sendable {
    /// How workers find this machine.
    package enum Address: Sendable {
        case host(String)
        /// The address by which this machine reaches another one that they reach too.
        case toward(host: String, port: Int)
    }

    private struct State {
        var listener: (socket: WorkerSocket, port: Int)?
        var guests: [String: WorkerGuest] = [:]
        /// Those who have not said a key yet, the oldest first.
        var strangers: [WorkerSocket] = []
        var isClosed = false
    }

    private let address: Address
    private let wantedPort: Int
    private let state = Mutex(State())

    private static let mostStrangers = 64
    private static let patience = 10
    private static let longestGreeting = 256

    /// `port`: 0 for a free one.
    package init(_ address: Address, port: Int = 0) {
        self.address = address
        wantedPort = port
    }

    /// Lets whoever says `key` in. Throws where the port cannot be had, or nobody could find it.
    func expect(_ key: String) throws -> (guest: WorkerGuest, host: String, port: Int) {
        let host = try host()
        let guest = WorkerGuest { [weak self] in self?.forget(key) }
        let port = try state.withLock { state in
            if state.isClosed { throw SpileError(.unavailable, "the server ends") }
            let listener = try state.listener ?? WorkerSocket.listen(port: wantedPort)
            if state.listener == nil {
                state.listener = listener
                BlockingThread.start { [weak self, socket = listener.socket] in
                    while let came = socket.acceptFar() { self?.receive(came) }
                }
            }
            state.guests[key] = guest
            return listener.port
        }
        return (guest, host, port)
    }

    /// Nobody comes in any more.
    package func close() {
        let (listener, guests) = state.withLock { state in
            state.isClosed = true
            defer { (state.listener, state.guests) = (nil, [:]) }
            return (state.listener, state.guests.values)
        }
        listener?.socket.shut()
        for guest in guests { guest.shut() }
    }

    private func host() throws -> String {
        switch address {
        case .host(let host): return host
        case .toward(let host, let port):
            guard let own = WorkerSocket.ownAddress(toward: host, port: port) else {
                throw SpileError(
                    .unavailable, "this machine knows no address of its own by which workers could find it",
                    remedy: "give it with --kubernetes-address")
            }
            return own
        }
    }

    private func forget(_ key: String) { state.withLock { $0.guests[key] = nil } }

    private func receive(_ socket: WorkerSocket) {
        // Whoever takes long makes room for others.
        let oldest = state.withLock { state in
            state.strangers.append(socket)
            return state.strangers.count > Self.mostStrangers ? state.strangers.removeFirst() : nil
        }
        oldest?.shut()
        BlockingThread.start { [self] in
            let greeting = Self.greeting(on: socket)
            let guest = state.withLock { state in
                state.strangers.removeAll { $0 === socket }
                return greeting.flatMap { state.guests.removeValue(forKey: $0.key) }
            }
            guest?.come(greeting?.version == WorkerFrame.version ? socket : nil)
        }
    }

    /// What a stranger says first; nil where that is no key.
    private static func greeting(on socket: WorkerSocket) -> (version: UInt32, key: String)? {
        let deadline = monotonicSeconds() + Double(patience)
        socket.waitAtMost(seconds: patience)
        defer { socket.waitAtMost(seconds: 0) }
        var frames = WorkerFrames()
        frames.longest = longestGreeting
        // No more than the greeting: what follows is the link's.
        var buffer: [UInt8] = [0]
        while !frames.isBroken, monotonicSeconds() < deadline {
            let bytes = socket.receive(into: &buffer)
            if bytes.isEmpty { return nil }
            guard let frame = frames.take(bytes).first else { continue }
            guard case .far(.join(let version, let key)) = frame else { return nil }
            return (version, key)
        }
        return nil
    }
}

/// One who is expected. Whoever waits for it does so on a thread.
final class WorkerGuest: WorkerListener {
    private let came = Mutex<(socket: WorkerSocket?, isOther: Bool)>((nil, false))
    private let turn = DispatchSemaphore(value: 0)
    private let forget: @Sendable () -> Void

    init(_ forget: @escaping @Sendable () -> Void) { self.forget = forget }

    /// Nil: it is of another version.
    func come(_ socket: WorkerSocket?) {
        came.withLock { $0 = (socket, socket == nil) }
        turn.signal()
    }

    var metOtherVersion: Bool { came.withLock { $0.isOther } }

    func accept() -> WorkerSocket? {
        turn.wait()
        // Whoever asks again gets the same answer.
        turn.signal()
        return came.withLock { $0.socket }
    }

    func shut() {
        forget()
        turn.signal()
    }
}

/// Where a worker that was started is met.
protocol WorkerListener: Sendable {
    /// Waits for it; nil once this is shut.
    func accept() -> WorkerSocket?
    func shut()
    /// Whether what came was of another version than this server, and so was not let in.
    var metOtherVersion: Bool { get }
}

extension WorkerSocket: WorkerListener {
    /// It says so itself, later.
    var metOtherVersion: Bool { false }
}
