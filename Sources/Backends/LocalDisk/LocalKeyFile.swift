import Core
import Foundation

/// A key of 32 bytes in a file that only its owner may read (mode 0600).
package struct LocalKeyFile: KeyFile {
    package let path: String
    package static let keyBytes = 32

    package init(_ path: String) { self.path = path }

    package func read() throws -> [UInt8]? {
        let file = openFile(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw Posix.error("open", path)
        }
        defer { closeFile(file) }
        var status = stat()
        if fstat(file, &status) != 0 { throw Posix.error("look at", path) }
        guard status.st_mode & 0o077 == 0 else {
            throw SpileError(
                .failedPrecondition, "\(path) is a key that others on this machine may read",
                remedy: "chmod 600 \(path)")
        }
        var key = [UInt8](repeating: 0, count: Self.keyBytes + 1)
        let count = key.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) }
        if count < 0 { throw Posix.error("read", path) }
        guard count == Self.keyBytes else {
            throw SpileError(
                .dataLoss, "\(path) is not a key of \(Self.keyBytes) bytes", remedy: "put it back from a backup")
        }
        return Array(key.prefix(count))
    }

    package func make(_ key: [UInt8]) throws -> [UInt8] {
        let fresh = path + ".new"
        // What a crash left of an earlier try.
        unlink(fresh)
        var rest: [UInt8]? = key
        _ = try FileShare.write(fresh) {
            defer { rest = nil }
            return rest
        }
        defer { unlink(fresh) }
        // A link, unlike a rename, never replaces a key that is there.
        if link(fresh, path) != 0, errno != EEXIST { throw Posix.error("make", path) }
        try Posix.syncFile(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        guard let made = try read() else { throw SpileError(.unavailable, "\(path) is gone as soon as it was made") }
        return made
    }
}
