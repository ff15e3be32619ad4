import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Objects as files of one folder. Safe to use from any thread; one process at a time (an advisory lock on the folder
/// is held as long as the store lives).
///
/// Small objects are zero-filled ahead of use by a background thread, so that a small write is an overwrite, which
/// syncs faster than an append. Bulk objects are written with O_DIRECT where the file system allows it, else buffered.
package final class LocalDisk: ObjectStore {
    package let properties = ObjectStoreProperties(alignment: 4096)
    let folder: String
    private let lock: FolderLock
    private let spares: SpareFiles

    /// Opens `folder`, which is made if it is missing. Throws `failedPrecondition` if another process has it open.
    package init(folder: String) throws {
        self.folder = folder
        lock = try FolderLock(folder)
        spares = SpareFiles(folder: folder)
        spares.removeLeftovers()
    }

    deinit { spares.stop() }

    /// Lets another store have the folder while this one is still referred to; this one must not be used afterwards.
    package func release() { lock.release() }

    private func path(_ name: String) -> String {
        precondition(!name.isEmpty && !name.contains("/"), "an object's name is a plain file name")
        return folder + "/" + name
    }

    func syncFolder() throws { try lock.sync() }

    /// Gives an object of another store a second name here, durably, in place of what has that name; false where the
    /// two are not on one file system, or this has no such names. Right for objects that are never written to again.
    package func share(_ name: String, of other: LocalDisk) throws -> Bool {
        let path = path(name)
        var isLinked = link(other.path(name), path) == 0
        if !isLinked, errno == EEXIST {
            unlink(path)
            isLinked = link(other.path(name), path) == 0
        }
        guard isLinked else {
            switch errno {
            case EXDEV, EPERM, EMLINK, EOPNOTSUPP, EACCES: return false
            default: throw Posix.error("link", other.path(name))
            }
        }
        try syncFolder()
        return true
    }

    package func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        let path = path(name)
        if access(path, F_OK) == 0 { throw SpileError(.alreadyExists, "\(path) exists already") }
        let file: LocalFile
        switch purpose {
        case .small:
            let spare = try spares.take(capacity: capacity)
            if rename(spare, path) != 0 { throw Posix.error("rename to", path) }
            file = try LocalFile(path: path, store: self, flags: O_RDWR, isDirect: false)
        case .bulk:
            file = try LocalFile(path: path, store: self, flags: O_RDWR | O_CREAT | O_EXCL, isDirect: true)
            try file.reserve(capacity)
        }
        try syncFolder()
        return file
    }

    package func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        let file = try LocalFile(path: path(name), store: self, flags: O_RDWR, isDirect: false)
        try file.cut(to: size)
        return file
    }

    package func open(_ name: String) throws -> any ReadableObject {
        try LocalReader(path: path(name))
    }

    package func list() throws -> [ObjectListing] {
        guard let stream = opendir(folder) else { throw Posix.error("list", folder) }
        defer { closedir(stream) }
        var found: [ObjectListing] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            var status = stat()
            guard stat(folder + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            found.append(ObjectListing(name: name, size: Int(status.st_size)))
        }
        return found
    }

    package func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let temporary = folder + "/.replace-" + name
        unlink(temporary)
        let file = try LocalFile(path: temporary, store: self, flags: O_RDWR | O_CREAT | O_EXCL, isDirect: true)
        var written = 0
        do {
            try file.reserve(size)
            try fill { bytes in
                try file.write(bytes, at: written)
                written += bytes.count
            }
            guard written == size else { throw SpileError.bug("\(name) got \(written) bytes instead of \(size)") }
            try file.finish(size: size, as: name)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    package func remove(_ name: String) throws {
        if unlink(path(name)) != 0, errno != ENOENT { throw Posix.error("remove", path(name)) }
        try syncFolder()
    }
}

/// Maps what the system says to what the caller can do.
enum Posix {
    static func error(_ operation: String, _ path: String, code: Int32 = errno) -> SpileError {
        let text = "cannot \(operation) \(path): \(String(cString: strerror(code)))"
        switch code {
        case ENOSPC, EDQUOT:
            return SpileError(.resourceExhausted, text, remedy: "make room on the disk, then try again")
        case EIO:
            return SpileError(.dataLoss, text, remedy: "check the disk and its log")
        case ENOENT:
            return SpileError(.notFound, text)
        case EEXIST:
            return SpileError(.alreadyExists, text)
        case EACCES, EPERM, EROFS:
            return SpileError(.permissionDenied, text, remedy: "check the folder's owner and mount options")
        case EMFILE, ENFILE:
            return SpileError(.resourceExhausted, text, remedy: "raise the limit of open files")
        default:
            return SpileError(.unavailable, text)
        }
    }
}

/// `open(2)` and `close(2)` under names that no method hides.
func openFile(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { open(path, flags, mode) }
func closeFile(_ descriptor: Int32) { _ = close(descriptor) }

extension Posix {
    /// Writes all bytes at `offset`. Throws what the system says, of the file at `path`.
    static func writeAll(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String, at offset: Int
    ) throws {
        guard let start = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let result = pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw Posix.error("write \(bytes.count) bytes at \(offset) to", path) }
            done += result
        }
    }

    /// Makes a file, or a folder's list of names, durable.
    static func syncFile(_ path: String) throws {
        let descriptor = openFile(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Posix.error("open", path) }
        defer { closeFile(descriptor) }
        if fsync(descriptor) != 0 { throw Posix.error("sync", path) }
    }
}
