import Core
import Foundation

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

    /// The word after which the program copies itself into a folder, as an init container does.
    package static let command = "install-tools"

    /// Puts a copy of the running program into `folder` as `spile` and `pachctl`, for whoever mounts it; what stood
    /// there is replaced.
    package static func copy(into folder: String) throws {
        try PosixFiles.makeFolder(folder)
        let fresh = "\(folder)/.spile.new"
        unlink(fresh)
        do { try FileManager.default.copyItem(atPath: try running(), toPath: fresh) } catch let error as SpileError {
            throw error
        } catch {
            throw SpileError(
                .failedPrecondition, "cannot copy this program to \(folder): \(error.localizedDescription)",
                remedy: "give it a folder that it may write to, with room for 200 MB")
        }
        chmod(fresh, 0o755)
        for name in ["pachctl", "spile"] {
            let path = "\(folder)/\(name)"
            unlink(path)
            guard link(fresh, path) == 0 else { throw PosixFiles.fault("make", path) }
        }
        unlink(fresh)
    }

    /// The running program's own file.
    package static func running() throws -> String {
        guard let path = realpath("/proc/self/exe", nil) else { throw PosixFiles.fault("find", "/proc/self/exe") }
        defer { free(path) }
        return String(cString: path)
    }
}
