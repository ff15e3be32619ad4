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

    init(nodes: NodeStore, writer: SlotWriter, changes: Changes) {
        self.nodes = nodes
        self.changes = changes
        builder = TreeBuilder(nodes: nodes, writer: writer)
    }

    mutating func apply(to root: Root) throws -> Root {
        if try changes.peek() == nil { return root }
        if !root.isEmpty {
            try visit(root.pointer, level: root.level, total: nil, after: nil, isLast: true)
        }
        try insertRest()
        return try builder.finish()
    }

    /// Takes over a subtree with its changes. `total`: sums over it, if known. `before`: the last key before it.
    private mutating func visit(
        _ pointer: Pointer, level: UInt8, total: Aggregate?, after before: UnsafeRawBufferPointer?, isLast: Bool
    ) throws {
        let node = try nodes.node(pointer)
        guard node.level == level else {
            throw SpileError(.dataLoss, "tree node \(pointer) is of the wrong level", remedy: "run `spile check`")
        }
        if level == 0 { return try merge(node, total: total, isLast: isLast) }
        try node.items.withBytes { keys, values in
            // Children below `quiet` end before the next change.
            var quiet = try quietCount(node)
            // The last child of all takes what is to be added behind it.
            let ordinary = isLast ? node.count - 1 : node.count
            var before = before
            var index = 0
            while index < node.count {
                let last = keys.slice(node.items.keyRange(index))
                let end = min(quiet, ordinary)
                if index < end, marks.isEmpty, builder.isClean(through: level - 1) {
                    try builder.append(children: index..<end, of: node)
                    before = keys.slice(node.items.keyRange(end - 1))
                    index = end
                    continue
                }
                let isLastChild = index == ordinary
                let child = node.child(index)
                if index < quiet, try isDropped(child, after: before, upTo: last, isLast: isLastChild) {
                    // Nothing of it stays.
                } else if isLastChild, builder.isClean(through: level - 1), try isUntouched() {
                    try builder.append(children: index..<(index + 1), of: node)
                } else {
                    try visit(
                        child.pointer, level: level - 1, total: child.aggregate, after: before, isLast: isLastChild)
                    quiet = try quietCount(node)
                }
                if !marks.isEmpty { passMarks(last) }
                before = last
                index += 1
            }
        }
    }

    /// Whether nothing changes from here to the end.
    private mutating func isUntouched() throws -> Bool { try marks.isEmpty && changes.peek() == nil }

    /// Whether a mark takes all of a subtree away: its keys lie below the mark's path, as those do that come before and
    /// end it, and all of them have the mark's datum tag, as the last has.
    private mutating func isDropped(
        _ child: ChildRecord, after before: UnsafeRawBufferPointer?, upTo last: UnsafeRawBufferPointer, isLast: Bool
    ) throws -> Bool {
        guard child.aggregate.tag != 0, let before else { return false }
        if isLast, try changes.peek() != nil { return false }
        return marks.contains { $0.covers(before) && $0.covers(last) && $0.hasDatum(of: last) }
    }

    /// Drops the marks whose range lies wholly before or at `key`.
    private mutating func passMarks(_ key: UnsafeRawBufferPointer) {
        marks.removeAll { mark in
            !mark.covers(key) && mark.bytes.withUnsafeBytes { compareBytes($0.slice(0..<mark.split), key) < 0 }
        }
    }

    private mutating func merge(_ leaf: TreeNode, total: Aggregate?, isLast: Bool) throws {
        var index = 0
        while index < leaf.count {
            // Entries below `quiet` lie before the next change: they go over as they are, unless a mark takes them.
            let quiet = try quietCount(leaf)
            if marks.isEmpty, index < quiet {
                try builder.append(index..<quiet, of: leaf, total: total)
                index = quiet
                continue
            }
            let isGone = try leaf.items.withKey(index) { key in
                if index >= quiet, try insert(before: key) { return true }
                return !marks.isEmpty && isMarked(key)
            }
            if !isGone { try builder.append(index..<(index + 1), of: leaf, total: total) }
            index += 1
        }
        if isLast { try insertRest() }
    }

    /// How many items of a node, from its first, the next change leaves alone.
    private mutating func quietCount(_ node: TreeNode) throws -> Int {
        guard let next = try changes.peek() else { return node.count }
        return next.key.bytes.withUnsafeBytes { node.items.lowerBound($0) }
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
            try put(change)
            if order == 0 { return true }
        }
        return false
    }

    private mutating func insertRest() throws {
        while let change = try changes.peek() {
            changes.advance()
            try put(change)
        }
    }

    private mutating func put(_ change: ResolvedChange) throws {
        switch change {
        case .delete: break
        case .deleteBelow(let mark): marks.append(mark)
        case .put(let key, let value):
            try key.bytes.withUnsafeBytes { key in
                try value.withUnsafeBytes { value in
                    try builder.append(key: key, value: value)
                }
            }
        }
    }
}
