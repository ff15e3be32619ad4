import Core

/// Collects what roots reach: every node once, whatever trees share. Reads nodes past the cache and checks their hash:
/// what a damaged node reaches is not known, so marking ends with its error and nothing is collected.
///
/// Memory: a bit per slot, and the children of the nodes on one path. One owner.
struct TreeMarker {
    private let slots: SlotStore
    private(set) var marks = SlotMarks()
    private var pending: [Pointer] = []

    init(slots: SlotStore) { self.slots = slots }

    /// Marks everything the tree of this top node reaches; `tick` hears of every node that is read, and may throw to
    /// end it.
    mutating func mark(_ root: Pointer, _ tick: () throws -> Void) throws {
        push(root)
        while let pointer = pending.popLast() {
            try visit(pointer)
            try tick()
        }
    }

    /// Marks slots that refer to no others.
    mutating func mark(_ leaves: SlotMarks) { marks.formUnion(leaves) }

    private mutating func push(_ pointer: Pointer) {
        if marks.insert(pointer) { pending.append(pointer) }
    }

    private mutating func visit(_ pointer: Pointer) throws {
        let (record, bytes) = try slots.readVerified(pointer)
        switch record.kind {
        case .leaf, .inner:
            let node = try bytes.withUnsafeBytes { try TreeNode.decode($0) }
            for index in 0..<node.count {
                if node.level > 0 { push(node.child(index).pointer) } else { mark(try node.entry(index)) }
            }
        case .partsLeaf, .partsInner:
            switch try bytes.withUnsafeBytes({ try PartsNode($0) }) {
            case .leaf(let parts): for part in parts { marks.insert(part.pointer) }
            case .inner(let children): for child in children { push(child.pointer) }
            }
        default:
            throw SpileError(.dataLoss, "slot \(pointer) is no tree node", remedy: "run `spile check`")
        }
    }

    private mutating func mark(_ entry: FileEntry) {
        for fragment in entry.tail { marks.insert(fragment.pointer) }
        switch entry.parts {
        case .inline(let parts): for part in parts { marks.insert(part.pointer) }
        case .tree(let root): push(root.pointer)
        }
    }
}
