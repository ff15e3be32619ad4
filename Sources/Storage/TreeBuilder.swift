import Core

/// Builds a tree from entries and whole subtrees that come in key order. Where nodes end depends on the keys (and, by
/// weight, the entries) alone, and each node starts the rule anew, so that the same entries always give the same tree.
/// One owner. Holds one open node per level.
struct TreeBuilder {
    /// Nothing is cut below this weight, in about bytes of the stored node.
    static let minimumWeight = 512
    /// Up to here a cut is four times less likely than behind it.
    static let normalWeight = 2 << 10
    /// A node is cut at this weight whatever its keys.
    static let maximumWeight = 6 << 10
    /// What a child counts besides its key.
    static let childWeight = 96

    private struct Level {
        var items = NodeItems()
        /// Sums over the items, but for those in `sources`.
        var sum = Aggregate()
        var weight = 0
        /// Items ever given to this level.
        var pushed = 0
    }

    /// Entries of the open leaf that were taken over from a leaf of another tree.
    private struct Source {
        let leaf: TreeNode
        /// Sums over all of that leaf, if they are known.
        let total: Aggregate?
        var taken: [Range<Int>]
    }

    private let nodes: NodeStore
    private let writer: SlotWriter
    private var levels: [Level] = [Level()]
    private var sources: [Source] = []
    private var tags = TagReader()

    init(nodes: NodeStore, writer: SlotWriter) {
        self.nodes = nodes
        self.writer = writer
    }

    /// Whether no node is open at the levels up to and including `level`: a whole subtree of that level may come next.
    func isClean(through level: UInt8) -> Bool {
        for index in 0..<min(levels.count, Int(level) + 1) where !levels[index].items.isEmpty { return false }
        return true
    }

    @inline(__always)
    static func cuts(weight: Int, item: Int, key: UnsafeRawBufferPointer, level: Int) -> Bool {
        if weight >= maximumWeight { return true }
        guard weight >= minimumWeight else { return false }
        // Out of 2^12 (2^10) bytes one ends a node, so that long items end one as often as many short ones.
        let limit = weight < normalWeight ? 12 : 10
        guard item < 1 << limit else { return true }
        return cutHash(key, level: UInt8(level)) < UInt64(item) << (64 - limit)
    }

    // MARK: Entries

    /// Appends an entry.
    mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) throws {
        let (size, weight) = try FileEntry.measure(value)
        let item = key.count + weight
        levels[0].items.append(key: key, value: value)
        let print = Fingerprint.of(key: key, digest: try FileEntry.head(value).digest)
        levels[0].sum += Aggregate(size: size, print: print, tag: tags.tag(of: key))
        levels[0].weight += item
        levels[0].pushed += 1
        if Self.cuts(weight: levels[0].weight, item: item, key: key, level: 0) { try emit(0) }
    }

    /// Appends entries of a leaf as they are; `total` is the sum over all of the leaf, if it is known.
    mutating func append(_ range: Range<Int>, of leaf: TreeNode, total: Aggregate?) throws {
        var start = range.lowerBound
        while start < range.upperBound {
            let (end, cuts) = try leaf.items.withBytes { keys, values in
                var index = start
                while index < range.upperBound {
                    let key = keys.slice(leaf.items.keyRange(index))
                    let item = try key.count + FileEntry.measure(values.slice(leaf.items.valueRange(index))).weight
                    levels[0].weight += item
                    index += 1
                    if Self.cuts(weight: levels[0].weight, item: item, key: key, level: 0) { return (index, true) }
                }
                return (index, false)
            }
            levels[0].items.append(leaf.items, start..<end)
            levels[0].pushed += end - start
            if let last = sources.indices.last, sources[last].leaf === leaf {
                sources[last].taken.append(start..<end)
            } else {
                sources.append(Source(leaf: leaf, total: total, taken: [start..<end]))
            }
            if cuts { try emit(0) }
            start = end
        }
    }

    /// Sums over the entries that were taken over: of a leaf taken over almost whole, its sum less what was left out.
    private mutating func sumOfSources() throws -> Aggregate {
        var sum = Aggregate()
        for source in sources {
            let count = source.taken.reduce(0) { $0 + $1.count }
            guard let total = source.total, total.tag != 0, count * 2 > source.leaf.count else {
                for range in source.taken { sum += try source.leaf.aggregate(range) }
                continue
            }
            var rest = total
            var position = 0
            for range in source.taken {
                rest -= try source.leaf.aggregate(position..<range.lowerBound)
                position = range.upperBound
            }
            rest -= try source.leaf.aggregate(position..<source.leaf.count)
            sum += rest
        }
        sources.removeAll(keepingCapacity: true)
        return sum
    }

    // MARK: Subtrees

    /// Appends children of a node as they are. Needs ``isClean(through:)`` of their level.
    mutating func append(children range: Range<Int>, of node: TreeNode) throws {
        let level = Int(node.level)
        while levels.count <= level { levels.append(Level()) }
        var start = range.lowerBound
        while start < range.upperBound {
            let (end, cuts) = node.items.withBytes { keys, values in
                var index = start
                var open = levels[level].items.count
                while index < range.upperBound {
                    let key = keys.slice(node.items.keyRange(index))
                    let item = key.count + Self.childWeight
                    levels[level].weight += item
                    levels[level].sum += ChildRecord.aggregate(values.slice(node.items.valueRange(index)))
                    index += 1
                    open += 1
                    if open > 1, Self.cuts(weight: levels[level].weight, item: item, key: key, level: level) {
                        return (index, true)
                    }
                }
                return (index, false)
            }
            levels[level].items.append(node.items, start..<end)
            levels[level].pushed += end - start
            if cuts { try emit(level) }
            start = end
        }
    }

    private mutating func appendChild(level: Int, lastKey key: UnsafeRawBufferPointer, _ child: ChildRecord) throws {
        while levels.count <= level { levels.append(Level()) }
        let item = key.count + Self.childWeight
        withUnsafeTemporaryAllocation(byteCount: ChildRecord.byteCount, alignment: 8) { buffer in
            child.store(to: buffer)
            levels[level].items.append(key: key, value: UnsafeRawBufferPointer(buffer))
        }
        levels[level].sum += child.aggregate
        levels[level].weight += item
        levels[level].pushed += 1
        guard levels[level].items.count > 1 else { return }
        if Self.cuts(weight: levels[level].weight, item: item, key: key, level: level) { try emit(level) }
    }

    // MARK: Nodes

    /// Writes the open node of a level and gives it to the level above.
    private mutating func emit(_ level: Int) throws {
        if level == 0, !sources.isEmpty { levels[0].sum += try sumOfSources() }
        // The node keeps arrays of its own size; the level's stay, to be filled again.
        let node = TreeNode(level: UInt8(level), items: NodeItems(copying: levels[level].items))
        let target = try writer.reserve(node.encodedLimit)
        let length = node.encode(to: target)
        let hash = BlockHash.hash(UnsafeRawBufferPointer(start: target, count: length))
        let pointer = try writer.commit(level == 0 ? .leaf : .inner, length: length, hash: hash)
        let child = ChildRecord(pointer: pointer, digest: try node.digest(), aggregate: levels[level].sum)
        nodes.insert(pointer, node)
        levels[level].items.removeAll()
        levels[level].sum = Aggregate()
        levels[level].weight = 0
        try node.items.withKey(node.count - 1) { try appendChild(level: level + 1, lastKey: $0, child) }
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

/// Finds the summary of keys' datum tags; most follow one with the same.
struct TagReader {
    /// The tag before, with its zero byte.
    private var bytes: [UInt8] = []
    private var summary: UInt64 = 0

    /// A number that stands for the key's datum tag, never zero: the first 8 bytes of its SHA-256.
    mutating func tag(of key: UnsafeRawBufferPointer) -> UInt64 {
        let isSame = bytes.withUnsafeBytes { tag in
            tag.count > 0 && tag.count <= key.count
                && compareBytes(tag, key.slice((key.count - tag.count)..<key.count)) == 0
        }
        if !isSame {
            let tag = key.slice((key.firstIndex(of: 0) ?? key.count)..<key.count)
            bytes = Array(tag)
            summary = max(1, BlockHash.sha256(tag).words.0)
        }
        return summary
    }
}
