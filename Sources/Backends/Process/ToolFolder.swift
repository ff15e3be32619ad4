import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder with `pachctl` and `spile` for users' code: links to the server's own executable, which answers to both.
package enum ToolFolder {
    /// Makes or renews the links in `folder`; `executable` nil stands for the running program.
    package static func install(in folder: String, executable: String? = nil) throws {
        try PosixFiles.makeFolder(folder)
        let target = try executable ?? running()
        for name in ["pachctl", "spile"] {
            let link = "\(folder)/\(name)"
            let fresh = "\(link).new"
            unlink(fresh)
            guard symlink(target, fresh) == 0, rename(fresh, link) == 0 else { throw PosixFiles.fault("link", link) }
        }
    }

    /// The running program's own file.
    package static func running() throws -> String {
        guard let path = realpath("/proc/self/exe", nil) else { throw PosixFiles.fault("find", "/proc/self/exe") }
        defer { free(path) }
        return String(cString: path)
    }
}
