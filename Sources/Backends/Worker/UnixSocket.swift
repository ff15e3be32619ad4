import CSpawn
import Core
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open socket of this machine, closed with this value. Calls block; any thread may shut it.
final class UnixSocket: Sendable {
    let number: Int32
    /// Frames of several threads go out one after the other: a long one is sent in pieces.
    private let sending = Mutex(())

    private init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// A socket `name` in `folder` that others connect to. Whoever gets to the file may: the folder has to see to who
    /// that is.
    static func listen(_ name: String, in folder: String) throws -> UnixSocket {
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw PosixFiles.fault("open", folder) }
        defer { close(directory) }
        // An address holds a hundred bytes only, and folders may lie deeper than that.
        let number = spile_listen("/proc/self/fd/\(directory)/\(name)")
        guard number >= 0 else { throw PosixFiles.fault("make socket", "\(folder)/\(name)") }
        return UnixSocket(number)
    }

    static func connect(_ path: String) throws -> UnixSocket {
        let number = spile_connect(path)
        guard number >= 0 else { throw PosixFiles.fault("connect to", path) }
        return UnixSocket(number)
    }

    /// Waits for whoever connects; nil once this is shut.
    func accept() -> UnixSocket? {
        let number = spile_accept(number)
        return number >= 0 ? UnixSocket(number) : nil
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

    /// Ends what both sides wait for.
    func shut() { spile_shut(number) }
}
