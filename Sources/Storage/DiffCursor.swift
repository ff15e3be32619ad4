import Core

/// Gives the entries in which two trees differ, in key order. Subtrees of equal digest are passed without a look
/// inside, so cost follows the difference. One owner.
package struct DiffCursor {
    /// One side: what comes next is an entry of the top leaf or a whole child of an inner node.
    private struct Side {
        let nodes: NodeStore
        var stack: [(node: TreeNode, index: Int)] = []
        let root: Root
        /// The root as a whole has not been opened yet.
        var isWhole: Bool

        init(_ root: Root, nodes: NodeStore) {
            self.nodes = nodes
            self.root = root
            isWhole = !root.isEmpty
        }

        /// Level of the subtree that comes next, -1 for an entry, nil at the end; and the subtree's digest.
        mutating func peek() -> (level: Int, digest: Digest)? {
            if isWhole { return (Int(root.level), root.digest) }
            while let top = stack.last, top.index >= top.node.count { stack.removeLast() }
            guard let top = stack.last else { return nil }
            if top.node.level == 0 { return (-1, .zero) }
            return (Int(top.node.level) - 1, top.node.child(top.index).digest)
        }

        mutating func skip() {
            if isWhole { isWhole = false } else { stack[stack.count - 1].index += 1 }
        }

        /// Opens the subtree that comes next, at the first item that can hold a key not below `bound`.
        mutating func open(from bound: TreeKey?) throws {
            let pointer = isWhole ? root.pointer : leaf.node.child(leaf.index).pointer
            skip()
            let node = try nodes.node(pointer)
            let index = bound.map { bound in bound.bytes.withUnsafeBytes { node.items.lowerBound($0) } } ?? 0
            stack.append((node, index))
        }

        /// Whether the subtree that comes next ends before the entry that comes next in `other`.
        func endsBefore(_ other: Side) -> Bool {
            if isWhole { return false }
            return leaf.node.items.withKey(leaf.index) { last in
                other.leaf.node.items.withKey(other.leaf.index) { compareBytes(last, $0) < 0 }
            }
        }

        /// The lowest open node and the item that comes next in it.
        var leaf: (node: TreeNode, index: Int) { stack[stack.count - 1] }
    }

    private var old: Side
    private var new: Side
    private let lower: TreeKey?
    private let upper: TreeKey?
    /// Whether what only the old tree has is told.
    private let removals: Bool

    init(
        _ old: Root, _ new: Root, from lower: TreeKey?, upTo upper: TreeKey?, removals: Bool = true, nodes: NodeStore
    ) {
        self.removals = removals
        self.old = Side(old, nodes: nodes)
        self.new = Side(new, nodes: nodes)
        self.lower = lower
        self.upper = upper
    }

    /// The next key at which the trees differ, with what each has there (nil: nothing); nil at the end. Throws as
    /// ``TreeCursor/next()`` does.
    package mutating func next() throws -> (key: TreeKey, old: FileEntry?, new: FileEntry?)? {
        while true {
            let a = old.peek()
            let b = new.peek()
            if b == nil, a == nil || !removals { return nil }
            let oldLevel = a?.level ?? -2
            let newLevel = b?.level ?? -2
            if oldLevel >= 0 || newLevel >= 0 {
                if let a, let b, oldLevel == newLevel, a.digest == b.digest {
                    old.skip()
                    new.skip()
                    continue
                }
                if oldLevel >= 0, newLevel == -1, !removals, old.endsBefore(new) {
                    old.skip()
                    continue
                }
                if oldLevel >= newLevel { try old.open(from: lower) }
                if newLevel >= oldLevel { try new.open(from: lower) }
                continue
            }
            if let found = try compare(hasOld: a != nil, hasNew: b != nil) {
                if let upper, found.key >= upper { return nil }
                return found
            }
        }
    }

    private mutating func compare(
        hasOld: Bool, hasNew: Bool
    ) throws -> (key: TreeKey, old: FileEntry?, new: FileEntry?)? {
        var order = hasOld ? -1 : 1
        if hasOld, hasNew {
            order = old.leaf.node.items.withKey(old.leaf.index) { a in
                new.leaf.node.items.withKey(new.leaf.index) { compareBytes(a, $0) }
            }
        }
        let (oldLeaf, oldIndex) = hasOld ? old.leaf : new.leaf
        let (newLeaf, newIndex) = hasNew ? new.leaf : old.leaf
        if order <= 0, hasOld { old.skip() }
        if order >= 0, hasNew { new.skip() }
        if order < 0, !removals { return nil }
        if order < 0 { return (oldLeaf.key(oldIndex), try oldLeaf.entry(oldIndex), nil) }
        if order > 0 { return (newLeaf.key(newIndex), nil, try newLeaf.entry(newIndex)) }
        let isEqual = try oldLeaf.items.withValue(oldIndex) { a in
            try newLeaf.items.withValue(newIndex) { b in
                compareBytes(try FileEntry.head(a).digest, try FileEntry.head(b).digest) == 0
            }
        }
        if isEqual {
            // Equal entries at the upper bound end the walk as different ones do.
            if let upper, oldLeaf.key(oldIndex) >= upper {
                old.stack = []
                new.stack = []
            }
            return nil
        }
        return (oldLeaf.key(oldIndex), try oldLeaf.entry(oldIndex), try newLeaf.entry(newIndex))
    }
}
