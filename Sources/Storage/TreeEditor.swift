import Core

/// A change that is ready to go into a tree.
enum ResolvedChange {
    case put(TreeKey, value: [UInt8])
    case delete(TreeKey)
    /// Every entry below the mark's path that has its datum tag goes, before the changes below the path come.
    case deleteBelow(TreeKey)

    var key: TreeKey {
        switch self {
        case .put(let key, _), .delete(let key), .deleteBelow(let key): key
        }
    }
}

/// Sorted changes, one at a time, with a look at the next.
protocol ResolvedChanges {
    mutating func peek() throws -> ResolvedChange?
    mutating func advance()
}

/// Puts sorted changes into a tree: nodes without a change are taken over by pointer as soon as the new tree is cut
/// where the old one was. One owner, used once.
struct TreeEditor<Changes: ResolvedChanges> {
    private let nodes: NodeStore
    private var builder: TreeBuilder
    var changes: Changes
    /// Marks whose range is not passed yet.
    private var marks: [TreeKey] = []
    private let added: Store.AddedFile?

    init(nodes: NodeStore, writer: SlotWriter, changes: Changes, added: Store.AddedFile?) {
        self.nodes = nodes
        self.changes = changes
        self.added = added
        builder = TreeBuilder(nodes: nodes, writer: writer)
    }

    mutating func apply(to root: Root) throws -> Root {
        if try changes.peek() == nil { return root }
        if !root.isEmpty {
            try visit(root.pointer, level: root.level, isLast: true)
        }
        try insertRest()
        return try builder.finish()
    }

    private mutating func visit(_ pointer: Pointer, level: UInt8, isLast: Bool) throws {
        let node = try nodes.node(pointer)
        guard node.level == level else {
            throw SpileError(.dataLoss, "tree node \(pointer) is of the wrong level", remedy: "run `spile check`")
        }
        if level == 0 { return try merge(node, isLast: isLast) }
        try node.items.keys.withUnsafeBytes { keys in
            try node.items.values.withUnsafeBytes { values in
                // Children below `quiet` end before the next change.
                var quiet = try marks.isEmpty ? quietCount(node) : 0
                for index in 0..<node.count {
                    let last = keys.slice(node.items.keyRange(index))
                    let isLastChild = isLast && index == node.count - 1
                    let isQuiet = try index < quiet && !isLastChild || !isTouched(upTo: isLastChild ? nil : last)
                    if isQuiet, builder.isClean(through: level - 1) {
                        let record = values.slice(node.items.valueRange(index))
                        try builder.appendSubtree(level: level - 1, lastKey: last, record: record)
                    } else {
                        try visit(node.child(index).pointer, level: level - 1, isLast: isLastChild)
                        quiet = try marks.isEmpty ? quietCount(node) : 0
                    }
                    if !marks.isEmpty { passMarks(last) }
                }
            }
        }
    }

    /// Whether something changes between what was passed and `last` (nil: the end).
    private mutating func isTouched(upTo last: UnsafeRawBufferPointer?) throws -> Bool {
        if !marks.isEmpty { return true }
        guard let next = try changes.peek() else { return false }
        guard let last else { return true }
        return next.key.bytes.withUnsafeBytes { compareBytes($0, last) <= 0 }
    }

    /// Drops the marks whose range lies wholly before or at `key`.
    private mutating func passMarks(_ key: UnsafeRawBufferPointer) {
        marks.removeAll { mark in
            !mark.covers(key) && mark.bytes.withUnsafeBytes { compareBytes($0.slice(0..<mark.split), key) < 0 }
        }
    }

    private mutating func merge(_ leaf: TreeNode, isLast: Bool) throws {
        let prints = try leaf.fingerprints()
        try leaf.items.keys.withUnsafeBytes { keys in
            try leaf.items.values.withUnsafeBytes { values in
                // Entries below `quiet` lie before the next change and below no mark: they go over as they are.
                var quiet = try quietCount(leaf)
                for index in 0..<leaf.count {
                    let key = keys.slice(leaf.items.keyRange(index))
                    if index >= quiet {
                        let isReplaced = try insert(before: key)
                        quiet = try quietCount(leaf)
                        if isReplaced { continue }
                    }
                    if !marks.isEmpty, isMarked(key) { continue }
                    let value = values.slice(leaf.items.valueRange(index))
                    try builder.append(key: key, value: value, print: prints[index])
                }
            }
        }
        if isLast { try insertRest() }
    }

    /// How many entries of a leaf, from its first, the next change leaves alone.
    private mutating func quietCount(_ leaf: TreeNode) throws -> Int {
        guard let next = try changes.peek() else { return leaf.count }
        return next.key.bytes.withUnsafeBytes { leaf.items.lowerBound($0) }
    }

    private mutating func isMarked(_ key: UnsafeRawBufferPointer) -> Bool {
        passMarks(key)
        return marks.contains { $0.covers(key) && $0.hasDatum(of: key) }
    }

    /// Puts in what comes before `key`; true if `key` itself was replaced or deleted.
    private mutating func insert(before key: UnsafeRawBufferPointer) throws -> Bool {
        while let change = try changes.peek() {
            let order = change.key.bytes.withUnsafeBytes { compareBytes($0, key) }
            if order > 0 { return false }
            changes.advance()
            try put(change, wasThere: order == 0)
            if order == 0 { return true }
        }
        return false
    }

    private mutating func insertRest() throws {
        while let change = try changes.peek() {
            changes.advance()
            try put(change, wasThere: false)
        }
    }

    private mutating func put(_ change: ResolvedChange, wasThere: Bool) throws {
        switch change {
        case .delete: break
        case .deleteBelow(let mark): marks.append(mark)
        case .put(let key, let value):
            added?(key, wasThere)
            try key.bytes.withUnsafeBytes { key in
                try value.withUnsafeBytes { value in
                    let print = Fingerprint.of(key: key, digest: try FileEntry.head(value).digest)
                    try builder.append(key: key, value: value, print: print)
                }
            }
        }
    }
}
