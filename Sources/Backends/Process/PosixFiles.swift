import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The few file calls that launches and logs are made of, with errors that name the path.
enum PosixFiles {
    static func fault(_ what: String, _ path: String, errno code: Int32 = errno) -> SpileError {
        let kind: SpileError.Code =
            switch code {
            case ENOSPC, EDQUOT, EMFILE, ENFILE: .resourceExhausted
            case EAGAIN, ENOMEM, EINTR: .unavailable
            default: .failedPrecondition
            }
        return SpileError(kind, "cannot \(what) \(path): \(String(cString: strerror(code)))")
    }

    /// Makes a folder and the missing ones above it.
    static func makeFolder(_ path: String, mode: UInt32 = 0o755) throws {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw fault("make folder", path)
        }
        try makeFolder(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0, errno != EEXIST { throw fault("make folder", path) }
    }

    static func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw fault("write", path) }
        defer { close(file) }
        try writeAll(bytes, to: file, path: path)
    }

    static func writeAll(_ bytes: [UInt8], to file: Int32, path: String) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { systemWrite(file, $0.baseAddress! + done, bytes.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fault("write", path) }
            done += count
        }
    }

    /// One `read`, by the system's own name for it: types that have a `read` of their own hide that.
    static func systemRead(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(file, buffer.baseAddress, buffer.count)
        #else
            Musl.read(file, buffer.baseAddress, buffer.count)
        #endif
    }

    private static func systemWrite(_ file: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(file, start, count)
        #else
            Musl.write(file, start, count)
        #endif
    }

    /// All of a small file; nil if it cannot be read.
    static func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var result: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while result.count < limit {
            let count = block.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(result.count)) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            result += block[..<count]
        }
        return result
    }

    /// The names in a folder, sorted, without `.` and `..`; nil if it cannot be read.
    static func names(_ path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let name = next(in: folder) { names.append(String(cString: name)) }
        return names.sorted()
    }

    /// Opens a folder to go through what is in it; nil where `name` below the open folder `parent` is none, or a link.
    static func openFolder(_ name: [CChar], in parent: Int32) -> OpaquePointer? {
        let file = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { return nil }
        guard let folder = fdopendir(file) else {
            _ = close(file)
            return nil
        }
        return folder
    }

    /// The next name in an open folder but `.` and `..`, with the zero at its end; any bytes may stand in it.
    static func next(in folder: OpaquePointer) -> [CChar]? {
        while let entry = readdir(folder) {
            let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: capacity) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            let dot = CChar(UInt8(ascii: "."))
            if name != [dot, 0], name != [dot, dot, 0] { return name }
        }
        return nil
    }

    /// Removes a file, or a folder with all it holds; what cannot be removed stays. No link is followed, whoever puts
    /// one in the place of a folder meanwhile.
    static func removeTree(_ path: String) { remove(Array(path.utf8CString), in: AT_FDCWD) }

    private static func remove(_ name: [CChar], in parent: Int32) {
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
        guard let folder = openFolder(name, in: parent) else { return }
        defer { closedir(folder) }
        var names: [[CChar]] = []
        while let entry = next(in: folder) { names.append(entry) }
        for entry in names { remove(entry, in: dirfd(folder)) }
        _ = unlinkat(parent, name, AT_REMOVEDIR)
    }

    static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Size in bytes; nil if there is no such file.
    static func size(_ path: String) -> Int? {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : nil
    }
}

/// Threads for calls that block: those must not wait on the cooperative pool.
enum BlockingThread {
    /// Runs `body` on a thread of its own.
    static func start(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 512 << 10)
        let box = Unmanaged.passRetained(Body(run: body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        precondition(code == 0, "no thread could be made: \(String(cString: strerror(code)))")
    }

    /// Runs `body` on a thread of its own and returns what it returns.
    static func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            start { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    private final class Body {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// Seconds of a clock that only goes forward.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
