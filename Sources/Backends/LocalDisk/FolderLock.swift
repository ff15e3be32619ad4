import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Holds a folder for this process as long as it lives.
final class FolderLock: Sendable {
    private let folder: String
    private let descriptor: Int32

    /// Makes the folder if it is missing. Throws `failedPrecondition` if another process has it.
    init(_ folder: String) throws {
        try Self.make(folder)
        self.folder = folder
        descriptor = openFile(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Posix.error("open folder", folder) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw SpileError(
                .failedPrecondition, "the folder \(folder) is in use by another server",
                remedy: "stop the other server, or give this one a folder of its own")
        }
    }

    static func make(_ folder: String) throws {
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw Posix.error("make folder", folder) }
    }

    deinit {
        // Not by closing alone: a child that is being started has a copy of the descriptor until it runs its program.
        release()
        closeFile(descriptor)
    }

    /// Lets another have the folder while this one is still referred to.
    func release() { _ = flock(descriptor, LOCK_UN) }

    /// Makes the names in the folder durable.
    func sync() throws {
        if fsync(descriptor) != 0 { throw Posix.error("sync folder", folder) }
    }
}
