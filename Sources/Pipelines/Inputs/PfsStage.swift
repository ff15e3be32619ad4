import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The folder that stands at `/pfs` of a worker for as long as the worker lives. A datum's ``PfsFolder`` enters it
/// before its code runs and leaves it afterwards; both are renames, whatever the size.
///
/// One owner, who lets one folder in at a time. Calls block on disk.
struct PfsStage: Sendable {
    /// The folder around ``path``, closed to all but the server's user.
    let folder: String
    let owner: PfsOwner

    /// For ``LaunchOrder/pfsFolder``.
    var path: String { folder + "/pfs" }
    var scratch: String { path + "/" + WorkerScratch.name }

    /// Makes it at `folder`, which must not exist.
    static func make(at folder: String, owner: PfsOwner) throws -> PfsStage {
        guard LocalFile.makeFolder(folder, mode: 0o700) else { throw LocalFile.fault("make folder", folder) }
        let stage = PfsStage(folder: folder, owner: owner)
        do {
            try InputLayer(root: stage.path, owner: owner).makeFolder("")
            try stage.makeScratch()
        } catch {
            try? FolderRemoval.remove(folder)
            throw error
        }
        return stage
    }

    /// Makes what is the worker's own in ``path``, which is there.
    func makeScratch() throws {
        guard LocalFile.makeFolder(scratch, mode: 0o755), chmod(scratch, 0o755) == 0 else {
            throw LocalFile.fault("make folder", scratch)
        }
    }

    /// Lays files beside what comes and goes, in place of those of the same names, and returns where code finds them,
    /// in their order. Modes widen to where the code's user can read. Throws `unavailable` where code has put something
    /// else in the place of the folder: another worker will do.
    func keep(_ files: [WorkerFile]) throws -> [String] {
        // Code may own the folder above, but not this one: what is reached by it is no link to elsewhere.
        guard let folder = LocalFolder(scratch), LocalFile.owner(of: folder.number) == geteuid() else {
            throw SpileError(.unavailable, "code has replaced \(WorkerScratch.path), which is the worker's own")
        }
        for file in files {
            let fresh = file.path + ".new"
            try write(file.bytes, mode: file.mode, to: fresh, in: folder)
            guard renameat(folder.number, fresh, folder.number, file.path) == 0 else {
                throw LocalFile.fault("write", WorkerScratch.path + "/" + file.path)
            }
        }
        return files.map { WorkerScratch.path + "/" + $0.path }
    }

    private func write(_ bytes: [UInt8], mode: UInt32, to name: String, in folder: borrowing LocalFolder) throws {
        let shown = WorkerScratch.path + "/" + name
        unlinkat(folder.number, name, 0)
        guard let file = LocalFile("/proc/self/fd/\(folder.number)/\(name)", O_WRONLY | O_CREAT | O_EXCL),
            file.writeAll(bytes)
        else { throw LocalFile.fault("write", shown) }
        let owners = mode & 0o500
        let wanted = owner == .everybody ? mode | owners >> 3 | owners >> 6 : mode
        guard fchmod(file.number, wanted) == 0 else { throw LocalFile.fault("open to its user", shown) }
        if case .user(let user, let group) = owner, fchown(file.number, user, group) != 0 {
            throw LocalFile.fault("give to transform.user", shown)
        }
    }

    /// Moves all that stands at `/pfs`, but what is the worker's own, to another folder of the same disk.
    func move(to other: String) throws { try Self.move(from: path, to: other) }

    /// Moves all that stands in a folder to `/pfs`.
    func take(from other: String) throws { try Self.move(from: other, to: path) }

    /// Removes all that stands at `/pfs`, but what is the worker's own.
    func clear() throws {
        guard let folder = LocalFolder(path) else { throw LocalFile.fault("list", path) }
        for name in Self.movable(folder) { try FolderRemoval.remove(name, in: folder.number, of: path) }
    }

    private static func movable(_ folder: borrowing LocalFolder) -> [[CChar]] {
        let scratch = Array(WorkerScratch.name.utf8CString)
        var names: [[CChar]] = []
        while let name = folder.next() { if name != scratch { names.append(name) } }
        return names
    }

    private static func move(from source: String, to target: String) throws {
        guard let folder = LocalFolder(source) else { throw LocalFile.fault("list", source) }
        let names = movable(folder)
        guard let place = LocalFolder(target) else { throw LocalFile.fault("list", target) }
        for name in names {
            if renameat(folder.number, name, place.number, name) == 0 { continue }
            // A folder that moves has to be writable itself, since it names the one above it: code may have changed it.
            guard errno == EACCES, LocalFolder.allowChanges(to: name, in: folder.number),
                renameat(folder.number, name, place.number, name) == 0
            else {
                let shown = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                throw LocalFile.fault("move", "\(source)/\(shown)")
            }
        }
    }

    /// Removes it and all that is in it. To be called when the worker is gone.
    func remove() throws { try FolderRemoval.remove(folder) }
}
