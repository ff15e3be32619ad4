import Core
import Storage

/// A difference between two commits at one path (`pfs.md` §4.7, DiffFile): at least one side is there.
package struct FileDifference: Sendable {
    package var new: FileView?
    package var old: FileView?
}

extension CommitFiles {
    /// What differs between `path` here and `oldPath` in `old`, in path order, with the directories on the way.
    ///
    /// Entries are matched by absolute path. With `shallow`, a directory that exists on one side only is reported
    /// without what is below it.
    package func difference(
        _ path: String, from old: CommitFiles, _ oldPath: String, shallow: Bool,
        _ body: (FileDifference) async throws -> Bool
    ) async throws {
        let path = FilePath.clean(path)
        let oldPath = FilePath.clean(oldPath)
        var reporter = DifferenceReporter(new: self, old: old, shallow: shallow)
        let changes: any ChangeSequence =
            if path == oldPath {
                TreeDifference(new: self, old: old, path: path)
            } else {
                MergedDifference(new: self, path, old: old, oldPath)
            }
        while let (key, newEntry, oldEntry) = try changes.next() {
            let proceed = try await reporter.report(key, newEntry, oldEntry, path, oldPath, body)
            guard proceed else { return }
        }
    }

    /// The keys of the file at `path` and of all files below it, as two scans in order.
    fileprivate func cursor(_ path: String) -> () throws -> (TreeKey, FileEntry)? {
        let below = path == "/" ? "/" : path + "/"
        var file = store.scan(root, from: .first(of: path), upTo: .after(path))
        var tree = store.scan(root, from: .first(under: below), upTo: .after(under: below))
        return { [self] in
            while let next = try file.next() { if accepts(next.0) { return next } }
            while let next = try tree.next() { if accepts(next.0) { return next } }
            return nil
        }
    }
}

private protocol ChangeSequence: AnyObject {
    func next() throws -> (key: TreeKey, new: FileEntry?, old: FileEntry?)?
}

/// The same path on both sides: skips equal subtrees.
private final class TreeDifference: ChangeSequence {
    private var cursors: [DiffCursor]
    private var index = 0
    private let datum: String

    init(new: CommitFiles, old: CommitFiles, path: String) {
        let below = path == "/" ? "/" : path + "/"
        cursors = [
            new.store.diff(old.root, new.root, from: .first(of: path), upTo: .after(path)),
            new.store.diff(old.root, new.root, from: .first(under: below), upTo: .after(under: below)),
        ]
        datum = new.datum
    }

    func next() throws -> (key: TreeKey, new: FileEntry?, old: FileEntry?)? {
        while index < cursors.count {
            while let change = try cursors[index].next() {
                if datum.isEmpty || datum == change.key.datum { return (change.key, change.new, change.old) }
            }
            index += 1
        }
        return nil
    }
}

/// Different paths: both sides are read and merged.
private final class MergedDifference: ChangeSequence {
    private let nextNew: () throws -> (TreeKey, FileEntry)?
    private let nextOld: () throws -> (TreeKey, FileEntry)?
    private var new: (TreeKey, FileEntry)?
    private var old: (TreeKey, FileEntry)?
    private var isStarted = false

    init(new: CommitFiles, _ path: String, old: CommitFiles, _ oldPath: String) {
        nextNew = new.cursor(path)
        nextOld = old.cursor(oldPath)
    }

    func next() throws -> (key: TreeKey, new: FileEntry?, old: FileEntry?)? {
        if !isStarted {
            isStarted = true
            new = try nextNew()
            old = try nextOld()
        }
        while true {
            guard let left = new else {
                guard let right = old else { return nil }
                old = try nextOld()
                return (right.0, nil, right.1)
            }
            guard let right = old, !(left.0 < right.0) else {
                new = try nextNew()
                return (left.0, left.1, nil)
            }
            old = try nextOld()
            if right.0 < left.0 { return (right.0, nil, right.1) }
            new = try nextNew()
            if left.1.digest != right.1.digest { return (left.0, left.1, right.1) }
        }
    }
}

/// Turns differing files into reports, each directory once before what differs in it.
private struct DifferenceReporter {
    let new: CommitFiles
    let old: CommitFiles
    let shallow: Bool
    private var reported: [String] = []
    private var silenced: String?

    init(new: CommitFiles, old: CommitFiles, shallow: Bool) {
        self.new = new
        self.old = old
        self.shallow = shallow
    }

    mutating func report(
        _ key: TreeKey, _ newEntry: FileEntry?, _ oldEntry: FileEntry?, _ path: String, _ oldPath: String,
        _ body: (FileDifference) async throws -> Bool
    ) async throws -> Bool {
        if let silenced, FilePath.has(key.path, prefix: silenced) { return true }
        for directory in CommitFiles.directories(of: key.path, below: "/")
        where Self.isWithin(directory, path) || Self.isWithin(directory, oldPath) {
            guard !reported.contains(directory) else { continue }
            reported.removeAll { !FilePath.has(directory, prefix: $0) }
            reported.append(directory)
            let difference = FileDifference(
                new: Self.isWithin(directory, path) ? try new.directory(directory) : nil,
                old: Self.isWithin(directory, oldPath) ? try old.directory(directory) : nil)
            // All of a directory's entries may lie outside of what is compared on that side.
            guard difference.new != nil || difference.old != nil else { continue }
            guard try await body(difference) else { return false }
            if shallow, (difference.new == nil) != (difference.old == nil) {
                silenced = directory
                return true
            }
        }
        return try await body(
            FileDifference(new: newEntry.map { new.view(key, $0) }, old: oldEntry.map { old.view(key, $0) }))
    }

    private static func isWithin(_ directory: String, _ path: String) -> Bool {
        path == "/" || FilePath.has(directory, prefix: path + "/")
    }
}
