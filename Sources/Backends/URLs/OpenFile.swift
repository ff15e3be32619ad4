import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file or folder that is open for reading, and closed with the last reference. One owner at a time.
final class OpenFile {
    let path: String
    let isFolder: Bool
    private let descriptor: Int32

    /// Opens a folder by its path, links and all.
    init(folder path: String) throws {
        descriptor = openFolder(path)
        self.path = path
        isFolder = true
        guard descriptor >= 0 else { throw PosixFiles.fault("open folder", path) }
    }

    private init(_ descriptor: Int32, path: String, isFolder: Bool) {
        self.descriptor = descriptor
        self.path = path
        self.isFolder = isFolder
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Opens what stands in this folder under a name: a file or a folder, never through a link.
    func open(_ name: String) throws -> OpenFile {
        let inside = path == "/" ? "/\(name)" : "\(path)/\(name)"
        guard isFolder else { throw Self.missing(inside) }
        // Looked at before it is opened: opening a device or a pipe can do something.
        var info = stat()
        guard fstatat(descriptor, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { throw Self.fault(inside) }
        try Self.check(info, inside)
        let opened = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard opened >= 0 else { throw Self.fault(inside) }
        // And afterwards: it may be another one by now.
        guard fstat(opened, &info) == 0 else {
            close(opened)
            throw Self.fault(inside)
        }
        let file = OpenFile(opened, path: inside, isFolder: info.st_mode & S_IFMT == S_IFDIR)
        try Self.check(info, inside)
        return file
    }

    private static func check(_ info: stat, _ path: String) throws {
        switch info.st_mode & S_IFMT {
        case S_IFREG, S_IFDIR: return
        case S_IFLNK:
            throw SpileError(
                .permissionDenied, "\(path) is a symbolic link, which is not followed",
                remedy: "name what it points at")
        default: throw SpileError(.permissionDenied, "\(path) is neither a file nor a folder")
        }
    }

    private static func missing(_ path: String) -> SpileError { .notFound("\(path) is not there") }

    private static func fault(_ path: String) -> SpileError {
        switch errno {
        case ENOENT, ENOTDIR: missing(path)
        case EACCES, EPERM: SpileError(.permissionDenied, "the server may not read \(path)")
        case ELOOP: SpileError(.permissionDenied, "\(path) is a symbolic link, which is not followed")
        default: PosixFiles.fault("read", path)
        }
    }

    /// Hands on the bytes, a block at a time; one empty block for an empty file.
    func read(_ block: UnsafeMutableRawBufferPointer, _ receive: (UnsafeRawBufferPointer) throws -> Void) throws {
        var offset = 0
        while true {
            let count = pread(descriptor, block.baseAddress, block.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PosixFiles.fault("read", path) }
            if count == 0 && offset > 0 { return }
            try receive(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(block)[..<count]))
            if count == 0 { return }
            offset += count
        }
    }

    /// Tells the names in a folder, in no order, one at a time.
    func forEachName(_ body: (String) throws -> Void) throws {
        // A descriptor of its own, which the stream takes over.
        let copy = dup(descriptor)
        guard copy >= 0, let stream = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            throw PosixFiles.fault("list", path)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw PosixFiles.fault("list", path) }
                return
            }
            let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: capacity) { String(validatingCString: $0) }
            }
            guard let name else { throw SpileError.domain("a name in \(path) is not UTF-8", remedy: "rename it") }
            if name != ".", name != ".." { try body(name) }
        }
    }
}

/// The system's call, which a method here hides.
private func openFolder(_ path: String) -> Int32 { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
