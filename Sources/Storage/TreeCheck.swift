import Core

/// What checks of several trees have looked at, so that what trees share is read once: three bits per slot. One owner.
package final class VerifiedNodes {
    /// Slots looked at; of chunks only those whose bytes were read.
    var seen = SlotMarks()
    /// Those of them that are damaged, or have something damaged below them.
    var bad = SlotMarks()

    package init() {}

    /// Slots looked at.
    package var count: Int { seen.count }
}

/// One thing that is wrong in the store.
package struct Finding: Sendable, CustomStringConvertible {
    /// The slot it is about.
    package let pointer: Pointer
    /// The file it is about, if it is about one.
    package let key: TreeKey?
    package let message: String

    package var description: String { "\(key.map { "\($0): " } ?? "")slot \(pointer): \(message)" }
}

/// Walks a tree and gives whatever does not hold, one at a time: a slot's hash, key order, sums, digests, slots that
/// are not where entries say; with `data` also every byte of every file. Goes on after a finding. What an earlier
/// check saw is passed over; if something was wrong there, this tree is said to share it.
///
/// Memory: the nodes of one path, and the findings of one file or node. One owner. Throws only where the store does
/// not answer.
package struct TreeCheck {
    private struct Frame {
        let pointer: Pointer
        let node: TreeNode
        var next = 0
    }

    /// The most findings about one file.
    private static let findingsPerFile = 100

    private let store: Store
    private let root: Root
    private let data: Bool
    let nodes: VerifiedNodes
    private var stack: [Frame] = []
    private var found: [Finding] = []
    private var isStarted = false

    init(_ root: Root, data: Bool, nodes: VerifiedNodes, store: Store) {
        self.root = root
        self.data = data
        self.nodes = nodes
        self.store = store
    }

    /// The next finding, nil at the end.
    package mutating func next() throws -> Finding? {
        while found.isEmpty {
            if !isStarted {
                isStarted = true
                if root.isEmpty { return nil }
                try reportingDamage(at: root.pointer) { try $0.checkRoot() }
                continue
            }
            guard let top = stack.last else { return nil }
            guard top.next < top.node.count else {
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let key = top.node.key(top.next)
            if top.node.level > 0 {
                let child = top.node.child(top.next)
                try reportingDamage(at: child.pointer) {
                    try $0.enter(child, level: top.node.level - 1, lastKey: key)
                }
            } else {
                try checkFile(key, top.node, top.next, in: top.pointer)
            }
        }
        return found.removeFirst()
    }

    /// Notes something wrong about a slot; everything above it is known from now on to hold something wrong.
    private mutating func report(_ pointer: Pointer, _ message: String, key: TreeKey? = nil) {
        found.append(Finding(pointer: pointer, key: key, message: message))
        nodes.bad.insert(pointer)
        for frame in stack { nodes.bad.insert(frame.pointer) }
    }

    private mutating func reportingDamage(
        at pointer: Pointer, key: TreeKey? = nil, _ body: (inout TreeCheck) throws -> Void
    ) throws {
        do { try body(&self) } catch let error as SpileError where error.code == .dataLoss {
            report(pointer, error.message, key: key)
        }
    }

    // MARK: Nodes

    /// What a row says of its tree is compared even where the node was seen before: another row may have named it.
    private mutating func checkRoot() throws {
        let isNew = nodes.seen.insert(root.pointer)
        let node = try store.nodes.load(root.pointer)
        func wrong(_ message: String) { found.append(Finding(pointer: root.pointer, key: nil, message: message)) }
        if node.level != root.level {
            wrong("a node of level \(node.level) stands at level \(root.level)")
        } else if try node.digest() != root.digest {
            wrong("its digest is not the one its commit names")
        } else {
            let sum = try node.aggregate(0..<node.count)
            if sum.entries != root.files || sum.bytes != root.bytes { wrong("its sums are not those its commit names") }
        }
        guard isNew else { return shared(root.pointer) }
        checkOrder(of: node, at: root.pointer)
        stack.append(Frame(pointer: root.pointer, node: node))
    }

    private mutating func shared(_ pointer: Pointer) {
        if nodes.bad.contains(pointer) { report(pointer, "it, or something below it, is damaged, as reported before") }
    }

    private mutating func enter(_ record: ChildRecord, level: UInt8, lastKey: TreeKey) throws {
        let pointer = record.pointer
        guard nodes.seen.insert(pointer) else { return shared(pointer) }
        let node = try store.nodes.load(pointer)
        guard node.level == level else {
            return report(pointer, "a node of level \(node.level) stands at level \(level)")
        }
        guard node.count > 0 else { return report(pointer, "an empty node") }
        checkOrder(of: node, at: pointer)
        if node.key(node.count - 1) != lastKey { report(pointer, "its last key is not the one its parent names") }
        if try node.digest() != record.digest { report(pointer, "its digest is not its parent's") }
        if try node.aggregate(0..<node.count) != record.aggregate { report(pointer, "its sums are not its parent's") }
        stack.append(Frame(pointer: pointer, node: node))
    }

    private mutating func checkOrder(of node: TreeNode, at pointer: Pointer) {
        for index in 1..<max(1, node.count) where !(node.key(index - 1) < node.key(index)) {
            report(pointer, "keys \(index - 1) and \(index) are out of order")
        }
    }

    // MARK: Files

    private mutating func checkFile(_ key: TreeKey, _ leaf: TreeNode, _ index: Int, in pointer: Pointer) throws {
        var place = pointer
        do {
            let entry = try leaf.entry(index)
            switch entry.parts {
            case .inline(let parts): for part in parts { try checkPart(part, of: key) }
            case .tree(let top): try checkParts(top, of: key)
            }
            place = entry.tail.first?.pointer ?? pointer
            try checkTail(entry, of: key, at: place)
        } catch let error as SpileError where error.code == .dataLoss {
            report(place, error.message, key: key)
        }
    }

    private mutating func checkTail(_ entry: FileEntry, of key: TreeKey, at place: Pointer) throws {
        for fragment in entry.tail {
            let record = try store.slots.record(fragment.pointer)
            if UInt64(fragment.offset) + UInt64(fragment.length) > UInt64(record.length) {
                report(fragment.pointer, "it is shorter than the file says", key: key)
            }
        }
        guard data else { return }
        let tail = try store.read(entry, offset: entry.size - UInt64(entry.tailLength), maxBytes: entry.tailLength)
        let hash = tail.isEmpty ? Digest.zero : tail.withUnsafeBytes { BlockHash.hash($0) }
        if FileEntry.digest(size: entry.size, parts: entry.parts.digest, tail: hash) != entry.digest {
            report(place, "the file's bytes do not match its digest", key: key)
        }
    }

    private mutating func checkPart(_ part: Part, of key: TreeKey) throws {
        guard found.count < Self.findingsPerFile else { return }
        try reportingDamage(at: part.pointer, key: key) { check in
            let record = try check.store.slots.record(part.pointer)
            if record.hash != part.hash || record.length != part.length {
                return check.report(part.pointer, "it is not the chunk the file names", key: key)
            }
            guard check.data else { return }
            if check.nodes.seen.insert(part.pointer) {
                _ = try check.store.slots.readVerified(part.pointer)
            } else if check.nodes.bad.contains(part.pointer) {
                check.report(part.pointer, "it is damaged, as reported before", key: key)
            }
        }
    }

    /// Part lists of one file's versions share most of their nodes: each is read once.
    private mutating func checkParts(_ top: PartsRoot, of key: TreeKey) throws {
        guard nodes.seen.insert(top.pointer) else {
            if nodes.bad.contains(top.pointer) { report(top.pointer, "it is damaged, as reported before", key: key) }
            return
        }
        let before = found.count
        do {
            switch try PartsNode.load(top.pointer, store.slots) {
            case .leaf(let parts):
                if top.level != 0 || PartsNode.digest(parts) != top.digest {
                    report(top.pointer, "its digest is not its parent's", key: key)
                }
                for part in parts { try checkPart(part, of: key) }
            case .inner(let children):
                if top.level == 0 || PartsNode.digest(children) != top.digest {
                    report(top.pointer, "its digest is not its parent's", key: key)
                }
                for child in children {
                    // By level, so that a list that is wrong still ends.
                    guard Int(child.level) + 1 == Int(top.level) else { throw ByteReader.damaged }
                    try checkParts(child, of: key)
                }
            }
        } catch let error as SpileError where error.code == .dataLoss {
            report(top.pointer, error.message, key: key)
        }
        if found.count > before { nodes.bad.insert(top.pointer) }
    }
}
