import Core

/// Builds a tree from entries and whole subtrees that come in key order. Where nodes end depends on the keys (and, by
/// weight, the entries) alone, and each node starts the rule anew, so that the same entries always give the same tree.
/// One owner. Holds one open node per level.
struct TreeBuilder {
    /// Nothing is cut below this weight, in about bytes of the stored node.
    static let minimumWeight = 1 << 10
    /// Up to here a cut is four times less likely than behind it.
    static let normalWeight = 4 << 10
    /// A node is cut at this weight whatever its keys.
    static let maximumWeight = 12 << 10
    /// What a child counts besides its key.
    static let childWeight = 96

    private struct Level {
        var items = NodeItems()
        var prints: [Fingerprint] = []
        var sum = Aggregate()
        var weight = 0
        /// Items ever given to this level.
        var pushed = 0

        /// Room for a node of usual size, so that its arrays need not grow.
        mutating func reserve() {
            items.keys.reserveCapacity(4 << 10)
            items.values.reserveCapacity(6 << 10)
            items.keyEnds.reserveCapacity(96)
            items.valueEnds.reserveCapacity(96)
            prints.reserveCapacity(96)
        }
    }

    private let nodes: NodeStore
    private let writer: SlotWriter
    private var levels: [Level] = [Level()]

    init(nodes: NodeStore, writer: SlotWriter) {
        self.nodes = nodes
        self.writer = writer
    }

    /// Whether no node is open at the levels up to and including `level`: a whole subtree of that level may come next.
    func isClean(through level: UInt8) -> Bool {
        for index in 0..<min(levels.count, Int(level) + 1) where !levels[index].items.isEmpty { return false }
        return true
    }

    static func cuts(weight: Int, item: Int, key: UnsafeRawBufferPointer, level: Int) -> Bool {
        if weight >= maximumWeight { return true }
        guard weight >= minimumWeight else { return false }
        let chance = UInt64(item) << (weight < normalWeight ? 51 : 53)
        return cutHash(key, level: UInt8(level)) < chance
    }

    /// Appends an entry; `print` is ``Fingerprint/of(key:digest:)`` of it.
    mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, print: Fingerprint) throws {
        let (size, weight) = try FileEntry.measure(value)
        let item = key.count + weight
        if levels[0].items.isEmpty { levels[0].reserve() }
        levels[0].items.append(key: key, value: value)
        levels[0].prints.append(print)
        levels[0].sum.entries += 1
        levels[0].sum.bytes &+= size
        levels[0].sum.fingerprint += print
        levels[0].weight += item
        levels[0].pushed += 1
        if Self.cuts(weight: levels[0].weight, item: item, key: key, level: 0) { try emit(0) }
    }

    /// Appends a node of `level` as it is, with the last key below it. Needs ``isClean(through:)`` of that level.
    mutating func appendSubtree(
        level: UInt8, lastKey key: UnsafeRawBufferPointer, record: UnsafeRawBufferPointer
    ) throws {
        let index = Int(level) + 1
        while levels.count <= index { levels.append(Level()) }
        let item = key.count + Self.childWeight
        if levels[index].items.isEmpty { levels[index].reserve() }
        levels[index].items.append(key: key, value: record)
        levels[index].sum += ChildRecord(record).aggregate
        levels[index].weight += item
        levels[index].pushed += 1
        guard levels[index].items.count > 1 else { return }
        if Self.cuts(weight: levels[index].weight, item: item, key: key, level: index) { try emit(index) }
    }

    /// Writes the open node of a level and gives it to the level above.
    private mutating func emit(_ level: Int) throws {
        var full = Level()
        full.pushed = levels[level].pushed
        swap(&full, &levels[level])
        let items = full.items
        let bytes = TreeNode.encode(level: UInt8(level), items)
        let pointer = try bytes.withUnsafeBytes { try writer.append(level == 0 ? .leaf : .inner, $0) }
        let digest = try TreeNode.digest(level: UInt8(level), items)
        nodes.insert(pointer, TreeNode(level: UInt8(level), items: items, prints: level == 0 ? full.prints : nil))
        let child = ChildRecord(pointer: pointer, digest: digest, aggregate: full.sum)
        try withUnsafeTemporaryAllocation(byteCount: ChildRecord.byteCount, alignment: 8) { buffer in
            child.store(to: buffer)
            try items.withKey(items.count - 1) { key in
                try appendSubtree(level: UInt8(level), lastKey: key, record: UnsafeRawBufferPointer(buffer))
            }
        }
    }

    /// Writes what is open and gives the tree. The builder is used up.
    mutating func finish() throws -> Root {
        var level = 0
        while level < levels.count {
            let isTop = levels[(level + 1)...].allSatisfy { $0.pushed == 0 }
            if isTop, level > 0, levels[level].pushed == 1 {
                return try root(levels[level].items.withValue(0) { ChildRecord($0) }, level: UInt8(level - 1))
            }
            if !levels[level].items.isEmpty { try emit(level) }
            level += 1
        }
        return .empty
    }

    /// The lowest node that holds all: one with a single child gives way to it.
    private func root(_ top: ChildRecord, level: UInt8) throws -> Root {
        var record = top
        var level = level
        while level > 0 {
            let node = try nodes.node(record.pointer)
            guard node.count == 1 else { break }
            record = node.child(0)
            level -= 1
        }
        return Root(
            pointer: record.pointer, digest: record.digest, level: level, files: record.aggregate.entries,
            bytes: record.aggregate.bytes)
    }
}
