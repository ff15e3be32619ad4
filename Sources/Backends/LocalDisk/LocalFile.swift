import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// `O_DIRECT`, which the C library shows to GNU sources only; 0 where there is none.
#if os(Linux) && (arch(x86_64) || arch(i386))
private let directFlag: Int32 = 0o40000
#elseif os(Linux) && (arch(arm64) || arch(arm))
private let directFlag: Int32 = 0o200000
#else
private let directFlag: Int32 = 0
#endif

/// A file being written. Writing belongs to one owner; `read` uses a descriptor of its own.
final class LocalFile: WritableObject {
    private let path: String
    private let store: LocalDisk
    private let descriptor: Int32
    /// Opened for direct writes, or -1 where the file system has none.
    private let direct: Int32
    private let reader: Int32

    init(path: String, store: LocalDisk, flags: Int32, isDirect: Bool) throws {
        self.path = path
        self.store = store
        descriptor = openFile(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Posix.error("open", path) }
        reader = openFile(path, O_RDONLY | O_CLOEXEC)
        guard reader >= 0 else {
            let code = errno
            closeFile(descriptor)
            throw Posix.error("open", path, code: code)
        }
        direct = isDirect && directFlag != 0 ? openFile(path, O_WRONLY | O_CLOEXEC | directFlag) : -1
    }

    deinit {
        closeFile(descriptor)
        closeFile(reader)
        if direct >= 0 { closeFile(direct) }
    }

    /// Reserves space without writing it; a file system that cannot is no error, a full disk is.
    func reserve(_ capacity: Int) throws {
        #if os(Linux)
        let code = posix_fallocate(descriptor, 0, off_t(capacity))
        if code == ENOSPC || code == EDQUOT { throw Posix.error("reserve \(capacity) bytes in", path, code: code) }
        #endif
    }

    func cut(to size: Int) throws {
        if ftruncate(descriptor, off_t(size)) != 0 { throw Posix.error("cut", path) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        let isAligned = (offset | bytes.count | Int(bitPattern: bytes.baseAddress)) & 4095 == 0
        let target = direct >= 0 && isAligned ? direct : descriptor
        var done = 0
        while done < bytes.count {
            let result = pwrite(target, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if result < 0 {
                if errno == EINTR { continue }
                throw Posix.error("write \(bytes.count) bytes at \(offset) to", path)
            }
            guard result > 0 else { throw Posix.error("write to", path, code: EIO) }
            done += result
            // A short direct write may end anywhere; its rest goes through the page cache.
            if done < bytes.count, target == direct {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                return try Posix.writeAll(rest, to: descriptor, path, at: offset + done)
            }
        }
    }

    func sync() throws {
        if fdatasync(descriptor) != 0 { throw Posix.error("sync", path) }
    }

    func finish(size: Int, as name: String) throws {
        try cut(to: size)
        if fsync(descriptor) != 0 { throw Posix.error("sync", path) }
        let target = store.folder + "/" + name
        if rename(path, target) != 0 { throw Posix.error("rename \(path) to", target) }
        try store.syncFolder()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try LocalReader.read(reader, path, into: buffer, at: offset)
    }
}

/// A file open for reading, from any thread.
final class LocalReader: ReadableObject {
    let size: Int
    private let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = openFile(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Posix.error("open", path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            closeFile(descriptor)
            throw Posix.error("look at", path, code: code)
        }
        size = Int(status.st_size)
    }

    deinit { closeFile(descriptor) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try Self.read(descriptor, path, into: buffer, at: offset)
    }

    static func read(
        _ descriptor: Int32, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws -> Int {
        while true {
            let result = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if result >= 0 { return result }
            if errno != EINTR { throw Posix.error("read \(buffer.count) bytes at \(offset) of", path) }
        }
    }
}
