import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// Local files by plain system calls: the command starts in milliseconds because nothing larger is loaded for them.
enum Files {
    /// What a path names, symbolic links followed.
    enum Kind { case file, folder, other, missing }

    static func kind(_ path: String) -> Kind {
        var info = stat()
        guard stat(path, &info) == 0 else { return .missing }
        switch info.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// Size in bytes, nil where there is no such file.
    static func size(_ path: String) -> Int? {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : nil
    }

    static func isSymbolicLink(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
    }

    /// The names in a folder in byte order, without `.` and `..`.
    static func list(_ folder: String) throws -> [String] {
        guard let handle = opendir(folder) else { throw lastError("open folder", folder) }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The regular files below a folder, depth first in byte order, as paths that start with `folder`.
    static func walk(_ folder: String) throws -> [String] {
        var found: [String] = []
        for name in try list(folder) {
            let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
            if kind(path) == .folder, !isSymbolicLink(path) {
                found += try walk(path)
            } else {
                found.append(path)
            }
        }
        return found
    }

    /// The whole file.
    static func read(_ path: String) throws -> [UInt8] {
        let source = try Descriptor(reading: path)
        defer { source.close() }
        return try source.readAll(path)
    }

    /// Writes beside the target and renames over it, so that a reader sees the old or the new file. Mode 0600.
    static func replace(_ path: String, with bytes: [UInt8]) throws {
        let temporary = "\(path).\(getpid()).tmp"
        let sink = try Descriptor(creating: temporary, mode: 0o600)
        do {
            try bytes.withUnsafeBytes { try sink.write($0, to: temporary) }
            sink.close()
        } catch {
            sink.close()
            unlink(temporary)
            throw error
        }
        try rename(temporary, to: path)
    }

    static func rename(_ from: String, to target: String) throws {
        #if canImport(Glibc)
            let failed = Glibc.rename(from, target) != 0
        #elseif canImport(Musl)
            let failed = Musl.rename(from, target) != 0
        #else
            let failed = Foundation.rename(from, target) != 0
        #endif
        if failed {
            let error = lastError("replace", target)
            unlink(from)
            throw error
        }
    }

    static func remove(_ path: String) { unlink(path) }

    /// Makes a folder and those above it; an existing one is fine.
    static func makeFolder(_ path: String, mode: mode_t = 0o755) throws {
        if path.isEmpty || kind(path) == .folder { return }
        try makeFolder(parent(path), mode: mode)
        if mkdir(path, mode) != 0 && errno != EEXIST { throw lastError("make folder", path) }
    }

    /// The path from the root on; one that is not is taken from the working folder.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + path
    }

    /// The part before the last slash; empty for a bare name.
    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func baseName(_ path: String) -> String {
        var trimmed = Substring(path)
        while trimmed.count > 1 && trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
        guard let slash = trimmed.lastIndex(of: "/"), trimmed.count > 1 else { return String(trimmed) }
        return String(trimmed[trimmed.index(after: slash)...])
    }

    static func lastError(_ action: String, _ path: String) -> Failure {
        Failure("cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}

/// An open file. The owner closes it, once.
struct Descriptor: Sendable {
    let number: Int32

    static let input = Descriptor(owning: 0)
    static let output = Descriptor(owning: 1)
    static let error = Descriptor(owning: 2)

    /// Takes over an open file.
    init(owning number: Int32) { self.number = number }

    init(reading path: String) throws {
        number = open(path, O_RDONLY | O_CLOEXEC)
        if number < 0 { throw Files.lastError("read", path) }
    }

    init(creating path: String, mode: mode_t = 0o644) throws {
        number = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        if number < 0 { throw Files.lastError("write", path) }
    }

    init(appending path: String) throws {
        number = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if number < 0 { throw Files.lastError("write", path) }
    }

    var isTerminal: Bool { isatty(number) == 1 }

    func close() {
        #if canImport(Glibc)
            _ = Glibc.close(number)
        #elseif canImport(Musl)
            _ = Musl.close(number)
        #else
            _ = Foundation.close(number)
        #endif
    }

    /// Up to `buffer.count` bytes; 0 at the end. Blocks.
    func read(into buffer: UnsafeMutableRawBufferPointer, of name: String) throws -> Int {
        while true {
            #if canImport(Glibc)
                let count = Glibc.read(number, buffer.baseAddress, buffer.count)
            #elseif canImport(Musl)
                let count = Musl.read(number, buffer.baseAddress, buffer.count)
            #else
                let count = Foundation.read(number, buffer.baseAddress, buffer.count)
            #endif
            if count >= 0 { return count }
            if errno != EINTR { throw Files.lastError("read", name) }
        }
    }

    func readAll(_ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = try chunk.withUnsafeMutableBytes { try read(into: $0, of: name) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// All of `buffer`. A reader that went away ends the process quietly, as it ends every filter.
    func write(_ buffer: UnsafeRawBufferPointer, to name: String) throws {
        var rest = buffer
        while !rest.isEmpty {
            #if canImport(Glibc)
                let count = Glibc.write(number, rest.baseAddress, rest.count)
            #elseif canImport(Musl)
                let count = Musl.write(number, rest.baseAddress, rest.count)
            #else
                let count = Foundation.write(number, rest.baseAddress, rest.count)
            #endif
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EPIPE && number == 1 {
                _exit(1)
            } else if errno != EINTR {
                throw Files.lastError("write", name)
            }
        }
    }

    /// Whether a read would return at once.
    private func isReadable(waiting milliseconds: Int32) -> Bool {
        var query = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return poll(&query, 1, milliseconds) != 0
    }

    /// Returns when a read would not block. The wait itself happens outside the cooperative pool, which on a small
    /// machine has a single thread that the connection needs too.
    func waitUntilReadable() async {
        if isReadable(waiting: 0) { return }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                while !isReadable(waiting: -1) {}
                continuation.resume()
            }
        }
    }
}
