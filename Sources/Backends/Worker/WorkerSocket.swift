import CSpawn
import Core
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open socket, of this machine or to another, closed with this value. Calls block; any thread may shut it.
final class WorkerSocket: Sendable {
    let number: Int32
    /// Frames of several threads go out one after the other: a long one is sent in pieces.
    private let sending = Mutex(())

    private init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// A socket `name` in `folder` that others connect to. Whoever gets to the file may: the folder has to see to who
    /// that is.
    static func listen(_ name: String, in folder: String) throws -> WorkerSocket {
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw PosixFiles.fault("open", folder) }
        defer { close(directory) }
        // An address holds a hundred bytes only, and folders may lie deeper than that.
        let number = spile_listen("/proc/self/fd/\(directory)/\(name)")
        guard number >= 0 else { throw PosixFiles.fault("make socket", "\(folder)/\(name)") }
        return WorkerSocket(number)
    }

    static func connect(_ path: String) throws -> WorkerSocket {
        let number = spile_connect(path)
        guard number >= 0 else { throw PosixFiles.fault("connect to", path) }
        return WorkerSocket(number)
    }

    /// A port of all of this machine's addresses, 0 for a free one; gives its number too.
    static func listen(port: Int) throws -> (socket: WorkerSocket, port: Int) {
        var taken: Int32 = 0
        let number = spile_listen_port(Int32(port), &taken)
        guard number >= 0 else { throw PosixFiles.fault("listen at", "port \(port)") }
        return (WorkerSocket(number), Int(taken))
    }

    /// Connects to a port of another machine. Throws `unavailable` where that does not answer.
    static func connect(_ host: String, port: Int) throws -> WorkerSocket {
        let number = spile_connect_port(host, "\(port)")
        guard number >= 0 else {
            throw SpileError(.unavailable, "cannot connect to \(host):\(port): \(String(cString: strerror(errno)))")
        }
        return WorkerSocket(number)
    }

    /// The address of this machine by which it reaches another one; nil where that is nowhere.
    static func ownAddress(toward host: String, port: Int) -> String? {
        var text = [CChar](repeating: 0, count: 128)
        guard spile_own_address(host, "\(port)", &text, text.count) == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The next that comes to a port; nil once this is shut.
    func acceptFar() -> WorkerSocket? {
        let number = spile_accept_port(number)
        return number >= 0 ? WorkerSocket(number) : nil
    }

    /// Bounds each wait for bytes; 0 for no bound.
    func waitAtMost(seconds: Int) { spile_wait_at_most(number, Int32(seconds)) }

    /// Waits for whoever connects; nil once this is shut.
    func accept() -> WorkerSocket? {
        let number = spile_accept(number)
        return number >= 0 ? WorkerSocket(number) : nil
    }

    /// False when nobody reads at the other end any more.
    func send(_ frame: WorkerFrame) -> Bool {
        let bytes = frame.bytes
        return sending.withLock { _ in bytes.withUnsafeBytes { spile_send(number, $0.baseAddress, $0.count) } == 0 }
    }

    /// Waits for bytes; empty at the end.
    func receive(into buffer: inout [UInt8]) -> ArraySlice<UInt8> {
        let count = buffer.withUnsafeMutableBytes { spile_receive(number, $0.baseAddress, $0.count) }
        return buffer[..<max(0, count)]
    }

    /// Hands on each frame that comes, until the end, what is no frame, or until `body` gives false.
    func hear(_ body: (WorkerFrame) -> Bool) {
        var frames = WorkerFrames()
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while !frames.isBroken {
            let bytes = receive(into: &buffer)
            if bytes.isEmpty { return }
            for frame in frames.take(bytes) { if !body(frame) { return } }
        }
    }

    /// Ends what both sides wait for.
    func shut() { spile_shut(number) }
}
