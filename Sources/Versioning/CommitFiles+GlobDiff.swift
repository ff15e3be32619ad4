import Core
import Storage

extension CommitFiles {
    /// The files and directories that match `glob` and are not the same here and in `old`: there on one side only, or
    /// with another digest. In path order.
    ///
    /// Equal subtrees of both commits are passed without a look inside, and so is what lies deeper than a match can be:
    /// a directory that matches and in which a million files changed costs two paths through the tree.
    /// Where this is restricted to a datum, let `old` be too. Throws as ``glob(_:range:_:)`` does.
    package func difference(
        _ glob: Glob, from old: CommitFiles, _ body: (FileDifference) async throws -> Bool
    ) async throws {
        if root.digest == old.root.digest { return }
        if let literal = glob.literal {
            // A file on one side and a directory on the other are two matches, and the directory's path is the later.
            let (new, former) = (try inspect(literal), try old.inspect(literal))
            if let new, let former, new.isDirectory != former.isDirectory {
                let sides = [FileDifference(new: new), FileDifference(old: former)]
                for side in new.isDirectory ? sides.reversed() : sides {
                    guard try await body(side) else { return }
                }
            } else if let change = change(new: new, old: former) {
                _ = try await body(change)
            }
            return
        }
        let prefix = glob.literalPrefix
        let base = String(prefix[...(prefix.lastIndex(of: "/") ?? prefix.startIndex)])
        var cursor = store.diff(old.root, root, from: .first(of: prefix), upTo: .after(under: base))
        var open = [base]
        var lastFile: String?
        while let (key, oldEntry, newEntry) = try cursor.next() {
            let path = key.path
            guard FilePath.has(path, prefix: prefix) else { return }
            guard accepts(key) else { continue }
            while open.count > 1 && !FilePath.has(path, prefix: open[open.count - 1]) { open.removeLast() }
            var isTooDeep = false
            while let next = Self.directory(of: path, below: open[open.count - 1]) {
                if glob.matches(next), let change = try change(new: directory(next), old: old.directory(next)) {
                    guard try await body(change) else { return }
                }
                guard Self.descends(glob, into: next) else {
                    cursor = store.diff(old.root, root, from: .after(under: next), upTo: .after(under: base))
                    isTooDeep = true
                    break
                }
                open.append(next)
            }
            if isTooDeep || lastFile.map({ $0.utf8.elementsEqual(path.utf8) }) ?? false || !glob.matches(path) {
                continue
            }
            lastFile = path
            // What one side does not have under this datum tag it may have under another.
            let new = try newEntry.map { view(key, $0) } ?? file(path)
            let former = try oldEntry.map { old.view(key, $0) } ?? old.file(path)
            if let change = change(new: new, old: former), try await !body(change) { return }
        }
    }

    /// Nil if both sides are the same.
    private func change(new: FileView?, old: FileView?) -> FileDifference? {
        if new == nil && old == nil { return nil }
        if let new, let old, new.digest == old.digest { return nil }
        return FileDifference(new: new, old: old)
    }
}
