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
    /// The part of the time that is the same for all files of a commit.
    static func seconds(of commit: CommitRecord) -> Int64 { (commit.finished ?? commit.started).seconds }

    static func time(of path: String, size: UInt64, seconds: Int64) -> FileTime {
        FileTime(seconds: seconds, nanoseconds: Int32(hash(path, size) % 1_000_000_000))
    }

    static func isOn(_ info: stat, _ path: String, seconds: Int64) -> Bool {
        let wanted = time(of: path, size: UInt64(info.st_size), seconds: seconds)
        return info.st_mtim.tv_sec == wanted.seconds && info.st_mtim.tv_nsec == Int(wanted.nanoseconds)
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
