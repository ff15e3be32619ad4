import Core

/// What one stream of changes does, stored: two ordinary trees that may be laid over any other tree. A value.
///
/// `content` holds what the changes add to each file, from nothing. The keys of `deletions` are what they take away
/// first: the key of a file its inherited content, a key whose path ends in "/" everything inherited below it that has
/// the key's datum tag (as ``ChangeWriter/deleteTree(prefix:datum:)`` does); each stands there with the empty file.
package struct FileSet: Sendable, Hashable {
    package var content: Root
    package var deletions: Root

    package init(content: Root, deletions: Root = .empty) {
        self.content = content
        self.deletions = deletions
    }

    package static let empty = FileSet(content: .empty)

    /// Keys in both trees.
    var count: UInt64 { content.files + deletions.files }
}

/// Gives the changes that a file set stands for, in key order, a bounded number at a time. One owner.
struct FileSetCursor {
    private static let batch = 256

    private var content: TreeCursor
    private var deletions: TreeCursor
    private var file: (key: TreeKey, entry: FileEntry)?
    private var deletion: TreeKey?
    private var isStarted = false

    init(_ set: FileSet, nodes: NodeStore) {
        content = TreeCursor(set.content, from: nil, upTo: nil, isBackward: false, nodes: nodes)
        deletions = TreeCursor(set.deletions, from: nil, upTo: nil, isBackward: false, nodes: nodes)
    }

    /// The next changes; none at the end.
    mutating func next() throws -> [Change] {
        if !isStarted {
            isStarted = true
            file = try content.next()
            deletion = try deletions.nextKey()
        }
        var changes: [Change] = []
        while changes.count < Self.batch, let key = earlier(file?.key, deletion) {
            var change = Change(key: key, dropsInherited: false, content: nil)
            if deletion == key {
                change.dropsInherited = true
                deletion = try deletions.nextKey()
            }
            if let file, file.key == key {
                change.content = .entry(file.entry)
                self.file = try content.next()
            }
            changes.append(change)
        }
        return changes
    }

    private func earlier(_ a: TreeKey?, _ b: TreeKey?) -> TreeKey? {
        guard let a else { return b }
        guard let b else { return a }
        return min(a, b)
    }
}
