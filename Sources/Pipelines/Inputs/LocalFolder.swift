#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The names in a folder as the system gives them, in no order; closed with this value.
struct LocalFolder: ~Copyable {
    private let stream: OpaquePointer

    /// Nil where `name` below the open folder `parent` is none, or is a link: `errno` says why.
    init?(_ name: [CChar], in parent: Int32) {
        let file = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { return nil }
        guard let opened = fdopendir(file) else {
            close(file)
            return nil
        }
        stream = opened
    }

    init?(_ path: String) { self.init(Array(path.utf8CString), in: AT_FDCWD) }

    deinit { closedir(stream) }

    var number: Int32 { dirfd(stream) }

    /// The next one that is neither `.` nor `..`, with the zero at its end; nil when there is none. Any bytes may stand
    /// in it.
    func next() -> [CChar]? {
        while let entry = readdir(stream) {
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

    /// Gives a folder a mode in which its owner can change it; false where it is none, or not the server's. Nobody else
    /// may be at work there: it is the same still.
    static func allowChanges(to name: [CChar], in parent: Int32) -> Bool {
        var info = stat()
        return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.isFolder
            && fchmodat(parent, name, 0o700, 0) == 0
    }

    /// Begins again.
    func rewind() { rewinddir(stream) }
}
