import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Log files on a local disk, below one folder.
package struct DiskLogFiles: LogFiles {
    private let root: String

    /// `root` is made when the first line is written.
    package init(root: String) { self.root = root }

    package func list(_ folder: String) throws -> [(name: String, size: Int)] {
        let path = "\(root)/\(folder)"
        return (PosixFiles.names(path) ?? []).compactMap { name in
            PosixFiles.size("\(path)/\(name)").map { (name, $0) }
        }
    }

    package func append(_ bytes: [UInt8], to file: String, in folder: String) throws {
        let path = "\(root)/\(folder)/\(file)"
        var descriptor = Self.openToAppend(path)
        if descriptor < 0, errno == ENOENT {
            try PosixFiles.makeFolder("\(root)/\(folder)", mode: 0o750)
            descriptor = Self.openToAppend(path)
        }
        guard descriptor >= 0 else { throw PosixFiles.fault("open log", path) }
        defer { close(descriptor) }
        try PosixFiles.writeAll(bytes, to: descriptor, path: path)
    }

    private static func openToAppend(_ path: String) -> Int32 {
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    }

    package func read(_ file: String, in folder: String, from offset: Int, limit: Int) throws -> [UInt8] {
        let path = "\(root)/\(folder)/\(file)"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return [] }
        guard descriptor >= 0 else { throw PosixFiles.fault("read log", path) }
        defer { close(descriptor) }
        let result = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = max(-1, pread(descriptor, buffer.baseAddress, limit, off_t(offset)))
            if count < 0 { count = 0 }
        }
        return result
    }

    package func remove(_ file: String, in folder: String) throws {
        let path = "\(root)/\(folder)/\(file)"
        guard unlink(path) == 0 || errno == ENOENT else { throw PosixFiles.fault("remove log", path) }
    }

    package func removeFolder(_ folder: String) throws { PosixFiles.removeTree("\(root)/\(folder)") }
}
