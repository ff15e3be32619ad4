import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lets everybody read and write what a worker's user has at `/pfs`, for whoever takes it from there as another user.
enum PfsOpening {
    /// All below a folder, but what is the worker's own. What belongs to others, and what is gone meanwhile, stays as
    /// it is; no link is followed.
    static func open(_ folder: String) {
        var own = stat()
        if lstat(folder, &own) == 0 { widen(Array(folder.utf8CString), own, in: AT_FDCWD) }
        // Folders on the way, each opened from its parent's: no path becomes too long.
        guard let top = OpenFolder(folder, in: AT_FDCWD) else { return }
        var levels = [top]
        while let level = levels.last {
            guard let name = level.next() else {
                levels.removeLast()
                continue
            }
            if levels.count == 1, name == Array(WorkerScratch.name.utf8CString) { continue }
            var info = stat()
            guard fstatat(level.number, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let kind = info.st_mode & S_IFMT
            guard kind == S_IFDIR || kind == S_IFREG else { continue }
            widen(name, info, in: level.number)
            if kind == S_IFDIR, levels.count < mostLevels, let inner = OpenFolder(name, in: level.number) {
                levels.append(inner)
            }
        }
    }

    /// Each is an open file.
    private static let mostLevels = 500

    private static func widen(_ name: [CChar], _ info: stat, in parent: Int32) {
        let (mode, isFolder) = (info.st_mode & 0o7777, info.st_mode & S_IFMT == S_IFDIR)
        // In a sticky folder nobody may remove what belongs to others.
        let wanted = isFolder ? mode & ~S_ISVTX | 0o777 : mode | 0o666
        if mode != wanted, mayChange(info) { _ = fchmodat(parent, name, wanted, 0) }
    }

    private static func mayChange(_ info: stat) -> Bool { info.st_uid == geteuid() || geteuid() == 0 }

    /// A folder that is listed; closed with this value.
    private final class OpenFolder {
        private let stream: OpaquePointer

        init?(_ name: [CChar], in parent: Int32) {
            let file = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard file >= 0 else { return nil }
            guard let opened = fdopendir(file) else {
                _ = close(file)
                return nil
            }
            stream = opened
        }

        convenience init?(_ path: String, in parent: Int32) { self.init(Array(path.utf8CString), in: parent) }

        deinit { closedir(stream) }

        var number: Int32 { dirfd(stream) }

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
    }
}
