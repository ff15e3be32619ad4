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
        var levels: [OpaquePointer] = []
        defer { for level in levels { closedir(level) } }
        enter(Array(folder.utf8CString), in: AT_FDCWD, &levels)
        while let level = levels.last {
            guard let name = PosixFiles.next(in: level) else {
                closedir(levels.removeLast())
                continue
            }
            if levels.count == 1, name == Array(WorkerScratch.name.utf8CString) { continue }
            var info = stat()
            guard fstatat(dirfd(level), name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let kind = info.st_mode & S_IFMT
            guard kind == S_IFDIR || kind == S_IFREG else { continue }
            widen(name, info, in: dirfd(level))
            if kind == S_IFDIR, levels.count < mostLevels { enter(name, in: dirfd(level), &levels) }
        }
    }

    private static func enter(_ name: [CChar], in parent: Int32, _ levels: inout [OpaquePointer]) {
        if let folder = PosixFiles.openFolder(name, in: parent) { levels.append(folder) }
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
}
