import Core

/// Turns a stream's changes into entries: looks up what a file inherits where content is appended to it, and writes the
/// contents that are not stored yet, a batch at a time so that short ones share packs. One owner.
struct ChangeResolver: ResolvedChanges {
    private static let batchCount = 4_096
    private static let batchBytes = 4 << 20

    private enum Pending {
        case put(TreeKey, FileEntry)
        case delete(TreeKey)
        case deleteBelow(TreeKey)
    }

    private let root: Root
    private let content: ContentWriter
    private var merge: ChangeMerge
    private var lookup: TreeCursor
    private var marks: [TreeKey] = []
    private var ready: [ResolvedChange] = []
    private var next = 0

    init(_ changes: ChangeSet, root: Root, nodes: NodeStore, content: ContentWriter) throws {
        self.root = root
        self.content = content
        merge = try ChangeMerge(changes, nodes: nodes)
        lookup = TreeCursor(root, from: nil, upTo: nil, isBackward: false, nodes: nodes)
    }

    mutating func peek() throws -> ResolvedChange? {
        if next == ready.count { try fill() }
        return next < ready.count ? ready[next] : nil
    }

    mutating func advance() { next += 1 }

    private mutating func fill() throws {
        next = 0
        ready.removeAll(keepingCapacity: true)
        var batch: [Pending] = []
        var held = 0
        while batch.count < Self.batchCount, held < Self.batchBytes, let change = try merge.next() {
            if case .bytes(let bytes)? = change.content { held += bytes.count }
            if let pending = try resolve(change) { batch.append(pending) }
        }
        try content.flushPack()
        for pending in batch {
            switch pending {
            case .put(let key, let entry): ready.append(.put(key, value: entry.encoded(resolve: content.resolve)))
            case .delete(let key): ready.append(.delete(key))
            case .deleteBelow(let key): ready.append(.deleteBelow(key))
            }
        }
    }

    private mutating func resolve(_ change: Change) throws -> Pending? {
        let key = change.key
        if !marks.isEmpty { marks.removeAll { mark in !key.bytes.withUnsafeBytes { mark.covers($0) } } }
        if key.isDirectoryMark {
            if root.isEmpty { return nil }
            marks.append(key)
            return .deleteBelow(key)
        }
        guard let content = change.content else { return root.isEmpty ? nil : .delete(key) }
        let inherited = change.dropsInherited ? nil : try inherited(key)
        guard let inherited else { return .put(key, try self.content.entry(content)) }
        if case .bytes(let bytes) = content, bytes.isEmpty { return nil }
        try self.content.resume(inherited)
        try self.content.append(content)
        return .put(key, try self.content.finish())
    }

    private mutating func inherited(_ key: TreeKey) throws -> FileEntry? {
        if root.isEmpty { return nil }
        let isDeleted = key.bytes.withUnsafeBytes { key in marks.contains { $0.covers(key) && $0.hasDatum(of: key) } }
        if isDeleted { return nil }
        try lookup.seek(to: key)
        guard let found = try lookup.next(), found.key == key else { return nil }
        return found.entry
    }
}
