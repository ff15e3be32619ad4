import Core

/// Walks the entries of a tree in key order, or against it, between two bounds. Fetches a node when it gets there, so
/// cost follows what is read. One owner; any number of cursors may walk one tree.
package struct TreeCursor {
    private let nodes: NodeStore
    private let root: Root
    /// Lower bound, inclusive; upper bound, exclusive.
    private let lower: TreeKey?
    private let upper: TreeKey?
    private let isBackward: Bool
    /// From the root to the present leaf; `index` is the item to give or to go down next.
    private var stack: [(node: TreeNode, index: Int)] = []
    private var isPlaced = false

    init(_ root: Root, from lower: TreeKey?, upTo upper: TreeKey?, isBackward: Bool, nodes: NodeStore) {
        self.nodes = nodes
        self.root = root
        self.lower = lower
        self.upper = upper
        self.isBackward = isBackward
    }

    /// The next entry in the cursor's direction, nil at its bound. Throws `dataLoss` where a node is missing or damaged
    /// (a retry does not help), `unavailable` where the store does not answer.
    package mutating func next() throws -> (key: TreeKey, entry: FileEntry)? {
        guard let (leaf, index) = try step() else { return nil }
        return (leaf.key(index), try leaf.entry(index))
    }

    /// The key of the next entry, which is passed; for walks that need no content.
    package mutating func nextKey() throws -> TreeKey? {
        guard let (leaf, index) = try step() else { return nil }
        return leaf.key(index)
    }

    /// Moves to the first entry not below `key`; backward, to the last entry below `key`. May move either way, but
    /// never beyond the cursor's bounds.
    package mutating func seek(to key: TreeKey) throws {
        isPlaced = true
        let target: TreeKey?
        if isBackward {
            target = upper.map { min($0, key) } ?? key
        } else {
            target = lower.map { max($0, key) } ?? key
        }
        if let top = stack.last, top.node.level == 0, try seekInLeaf(top.node, target) { return }
        try place(at: target)
    }

    /// Stays in the present leaf if the place is inside it.
    private mutating func seekInLeaf(_ leaf: TreeNode, _ target: TreeKey?) throws -> Bool {
        guard let target else { return false }
        let index = target.bytes.withUnsafeBytes { leaf.items.lowerBound($0) }
        guard index > 0, index < leaf.count else { return false }
        stack[stack.count - 1].index = isBackward ? index - 1 : index
        return true
    }

    private mutating func place(at key: TreeKey?) throws {
        stack.removeAll(keepingCapacity: true)
        guard !root.isEmpty else { return }
        var pointer = root.pointer
        while true {
            let node = try nodes.node(pointer)
            var index = key.map { key in key.bytes.withUnsafeBytes { node.items.lowerBound($0) } }
                ?? (isBackward ? node.count : 0)
            if node.level == 0 {
                stack.append((node, isBackward ? index - 1 : index))
                return
            }
            // Child i holds the keys up to and including key i: the place, in either direction, is in the first child
            // whose last key is not below it.
            if index == node.count {
                guard isBackward else {
                    stack.append((node, index))
                    return
                }
                index = node.count - 1
            }
            stack.append((node, isBackward ? index - 1 : index + 1))
            pointer = node.child(index).pointer
        }
    }

    private mutating func step() throws -> (TreeNode, Int)? {
        if !isPlaced {
            isPlaced = true
            try place(at: isBackward ? upper : lower)
        }
        while let top = stack.last {
            guard top.index >= 0, top.index < top.node.count else {
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].index += isBackward ? -1 : 1
            if top.node.level == 0 {
                guard isInside(top.node, top.index) else {
                    stack.removeAll()
                    return nil
                }
                return (top.node, top.index)
            }
            let child = try nodes.node(top.node.child(top.index).pointer)
            stack.append((child, isBackward ? child.count - 1 : 0))
        }
        return nil
    }

    private func isInside(_ leaf: TreeNode, _ index: Int) -> Bool {
        guard let bound = isBackward ? lower : upper else { return true }
        let order = leaf.items.withKey(index) { key in bound.bytes.withUnsafeBytes { compareBytes(key, $0) } }
        return isBackward ? order >= 0 : order < 0
    }
}
