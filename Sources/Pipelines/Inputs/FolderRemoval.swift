import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Removes folders that a program has had its way with: of any depth, with folders that nobody may write to, with links
/// to anywhere, which are not followed.
///
/// Folders within folders are moved up to the top one and emptied there, so that neither the stack nor the number of
/// open files grows with the depth, and no path becomes too long.
struct FolderRemoval {
    private let path: String
    private var moved = 0
    /// Why something could not be removed, in this pass.
    private var fault: SpileError?

    /// Removes `path` and all below it; nothing there is good too. Blocks. Throws what could not be removed.
    static func remove(_ path: String) throws { try remove(Array(path.utf8CString), in: AT_FDCWD, shown: path) }

    /// The same for a name, be it of any bytes, in an open folder, whose path is for errors.
    static func remove(_ name: [CChar], in parent: Int32, of folder: String) throws {
        let shown = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try remove(name, in: parent, shown: folder + "/" + shown)
    }

    private static func remove(_ name: [CChar], in parent: Int32, shown path: String) throws {
        guard let top = enter(name, in: parent) else {
            if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
            throw LocalFile.fault("remove", path)
        }
        var removal = FolderRemoval(path: path)
        while try removal.pass(top) {}
        guard unlinkat(parent, name, AT_REMOVEDIR) == 0 else { throw LocalFile.fault("remove", path) }
    }

    private init(path: String) { self.path = path }

    /// Opens a folder to list and to change, with a mode that allows it.
    private static func enter(_ name: [CChar], in parent: Int32) -> LocalFolder? {
        if let folder = LocalFolder(name, in: parent) {
            _ = fchmod(folder.number, 0o700)
            return folder
        }
        guard errno == EACCES, LocalFolder.allowChanges(to: name, in: parent) else { return nil }
        return LocalFolder(name, in: parent)
    }

    private static func drop(_ name: [CChar], in parent: Int32) -> Bool {
        unlinkat(parent, name, 0) == 0 || unlinkat(parent, name, AT_REMOVEDIR) == 0
    }

    /// Goes through the top folder once; whether there is reason to do so again.
    private mutating func pass(_ top: borrowing LocalFolder) throws -> Bool {
        fault = nil
        var (found, removed) = (0, 0)
        top.rewind()
        while let name = top.next() {
            found += 1
            if Self.drop(name, in: top.number) || empty(name, top) { removed += 1 }
        }
        if removed == 0, let fault { throw fault }
        return found > 0
    }

    /// Empties a folder of the top one and removes it; false if something stays in it.
    private mutating func empty(_ name: [CChar], _ top: borrowing LocalFolder) -> Bool {
        guard let folder = Self.enter(name, in: top.number) else {
            note(name)
            return false
        }
        while let child = folder.next() {
            if !Self.drop(child, in: folder.number), !moveUp(child, of: folder, to: top) { note(name, child) }
        }
        // What was moved, or made room by it, may have been passed over: then another pass finds it.
        if unlinkat(top.number, name, AT_REMOVEDIR) == 0 { return true }
        note(name)
        return false
    }

    private mutating func moveUp(
        _ child: [CChar], of folder: borrowing LocalFolder, to top: borrowing LocalFolder
    ) -> Bool {
        var isAllowed = false
        while true {
            moved += 1
            if renameat(folder.number, child, top.number, "\(moved)") == 0 { return true }
            // The program may have had the same name in mind.
            if [ENOTEMPTY, EEXIST, ENOTDIR].contains(errno) { continue }
            // A folder that moves has to be writable itself, since it names the one above it.
            if isAllowed || errno != EACCES || !LocalFolder.allowChanges(to: child, in: folder.number) { return false }
            isAllowed = true
        }
    }

    private mutating func note(_ names: [CChar]...) {
        let code = errno
        let place = names.map { String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        if fault == nil {
            fault = LocalFile.fault("remove", ([path] + place).joined(separator: "/"), errno: code)
        }
    }
}
