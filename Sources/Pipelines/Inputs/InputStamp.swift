import Core
import Versioning

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The time of last change that an input's file is given: when its commit was finished, and in the nanoseconds a hash
/// of its path and size. A file that still bears it is the commit's own, byte for byte; one that the program wrote to,
/// or put in its place, is not.
enum InputStamp {
    static func time(of path: String, size: UInt64, in commit: CommitRecord) -> timespec {
        let instant = commit.finished ?? commit.started
        return timespec(
            tv_sec: time_t(instant.seconds), tv_nsec: Int(hash(path, size) % 1_000_000_000))
    }

    static func isOn(_ info: stat, _ path: String, in commit: CommitRecord) -> Bool {
        let wanted = time(of: path, size: UInt64(info.st_size), in: commit)
        return info.st_mtim.tv_sec == wanted.tv_sec && info.st_mtim.tv_nsec == wanted.tv_nsec
    }

    /// FNV-1a.
    private static func hash(_ path: String, _ size: UInt64) -> UInt64 {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in path.utf8 { add(byte) }
        for shift in 0..<8 { add(UInt8(truncatingIfNeeded: size >> (8 * UInt64(shift)))) }
        return value
    }
}
