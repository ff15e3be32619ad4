import Core
import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A file of this machine that holds an object's bytes as long as somebody needs them. It has no name: what a crash
/// leaves of it is nothing. Any thread may read and write; the bytes' order is the callers' business.
final class SpoolFile: Sendable {
    private let path: String
    private let descriptor: Int32

    /// Numbers the names that spool files have for a moment.
    private static let counter = Atomic<Int>(0)

    /// An empty one in `folder`, which belongs to this process.
    init(folder: String) throws {
        path = "\(folder)/\(Self.counter.add(1, ordering: .relaxed).newValue)"
        unlink(path)
        descriptor = openFile(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Posix.error("make", path) }
        unlink(path)
    }

    deinit { closeFile(descriptor) }

    /// Writes all bytes or throws `resourceExhausted` (the disk is full) or `dataLoss`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        try Posix.writeAll(bytes, to: descriptor, path, at: offset)
    }

    func write(_ buffer: ByteBuffer, at offset: Int) throws {
        try buffer.withUnsafeReadableBytes { try write($0, at: offset) }
    }

    /// May be short, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try LocalReader.read(descriptor, path, into: buffer, at: offset)
    }

    /// A range that was written, in memory. What was never written is zero, also behind the end.
    func bytes(_ range: Range<Int>) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: range.count)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: range.count) { target in
            var done = 0
            while done < range.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: target[done..<range.count])
                let count = try read(into: rest, at: range.lowerBound + done)
                if count == 0 {
                    rest.initializeMemory(as: UInt8.self, repeating: 0)
                    break
                }
                done += count
            }
            return range.count
        }
        return buffer
    }
}

/// A spool file as an object open for reading.
final class SpoolReader: ReadableObject {
    let size: Int
    private let file: SpoolFile

    init(_ file: SpoolFile, size: Int) {
        self.file = file
        self.size = size
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        let count = min(buffer.count, size - offset)
        guard count > 0 else { return 0 }
        return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
    }
}
