import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file of this machine, closed with this value.
struct LocalFile: ~Copyable {
    let number: Int32

    /// Nil where it cannot be opened: `errno` says why. Never follows a link at the end of `path`, nor waits for
    /// whoever is at the other end.
    init?(_ path: String, _ flags: Int32, mode: UInt32 = 0o600) {
        let opened = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode)
        guard opened >= 0 else { return nil }
        number = opened
    }

    deinit { close(number) }

    var status: stat? {
        var info = stat()
        return fstat(number, &info) == 0 ? info : nil
    }

    func writeAll(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { write(number, $0.baseAddress! + done, bytes.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Up to `limit` bytes from `offset` on; empty at the end, nil where it fails.
    func readBytes(at offset: UInt64, limit: Int) -> [UInt8]? {
        var result = -1
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            repeat {
                result = pread(number, buffer.baseAddress, limit, off_t(offset))
            } while result < 0 && errno == EINTR
            count = max(0, result)
        }
        return result < 0 ? nil : bytes
    }

    /// Whether the file that was opened, whatever path led to it, is below a folder of this machine.
    func lies(below folder: String) -> Bool {
        guard let place = Self.link("/proc/self/fd/\(number)"), let real = realpath(folder, nil) else { return false }
        defer { free(real) }
        return place.hasPrefix(String(cString: real) + "/")
    }

    // MARK: By path

    /// What stands at a path, links not followed; nil if nothing does.
    static func status(_ path: String) -> stat? {
        var info = stat()
        return lstat(path, &info) == 0 ? info : nil
    }

    /// To whom an open file belongs; nil where nobody can tell.
    static func owner(of number: Int32) -> UInt32? {
        var info = stat()
        return fstat(number, &info) == 0 ? info.st_uid : nil
    }

    /// Where a link points; nil if it is none.
    static func link(_ path: String) -> String? {
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
            let length = buffer.withMemoryRebound(to: CChar.self) { readlink(path, $0.baseAddress!, $0.count) }
            count = max(0, length)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// False where it cannot be made, also where it is there already: `errno` says why.
    static func makeFolder(_ path: String, mode: UInt32) -> Bool { mkdir(path, mode) == 0 }

    static func fault(_ what: String, _ path: String, errno code: Int32 = errno) -> SpileError {
        let kind: SpileError.Code =
            switch code {
            case ENOSPC, EDQUOT, EMFILE, ENFILE: .resourceExhausted
            case EAGAIN, ENOMEM, EINTR: .unavailable
            case ENAMETOOLONG, EISDIR, ENOTDIR: .invalidArgument
            default: .failedPrecondition
            }
        return SpileError(kind, "cannot \(what) \(path): \(String(cString: strerror(code)))")
    }
}

extension stat {
    var kind: mode_t { st_mode & S_IFMT }
    var isFolder: Bool { kind == S_IFDIR }
    var isRegular: Bool { kind == S_IFREG }
    var isLink: Bool { kind == S_IFLNK }
    var isFIFO: Bool { kind == S_IFIFO }
}
