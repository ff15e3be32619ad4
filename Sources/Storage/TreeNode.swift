import Core
import Synchronization

/// Keys and values of a node, flat: two runs of bytes and where each piece ends.
struct NodeItems: Sendable {
    var keys: [UInt8] = []
    var keyEnds: [UInt32] = []
    var values: [UInt8] = []
    var valueEnds: [UInt32] = []

    var count: Int { keyEnds.count }
    var isEmpty: Bool { keyEnds.isEmpty }

    @inline(__always)
    func keyRange(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(keyEnds[index - 1]))..<Int(keyEnds[index]) }
    @inline(__always)
    func valueRange(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : Int(valueEnds[index - 1]))..<Int(valueEnds[index])
    }

    @inline(__always)
    func withKey<T>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        let range = keyRange(index)
        return try keys.withUnsafeBytes { try body($0.slice(range)) }
    }

    @inline(__always)
    func withValue<T>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        let range = valueRange(index)
        return try values.withUnsafeBytes { try body($0.slice(range)) }
    }

    mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        keys.append(contentsOf: key)
        keyEnds.append(UInt32(keys.count))
        values.append(contentsOf: value)
        valueEnds.append(UInt32(values.count))
    }

    /// Index of the first item whose key is not below `key`; `count` if there is none.
    func lowerBound(_ key: UnsafeRawBufferPointer) -> Int {
        keys.withUnsafeBytes { all in
            var low = 0
            var high = count
            while low < high {
                let middle = (low + high) / 2
                if compareBytes(all.slice(keyRange(middle)), key) < 0 { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }
}

/// What an inner node says about a child: 92 bytes in memory and on disk.
struct ChildRecord: Sendable {
    static let byteCount = 92

    var pointer: Pointer
    var digest: Digest
    var aggregate: Aggregate

    init(pointer: Pointer, digest: Digest, aggregate: Aggregate) {
        self.pointer = pointer
        self.digest = digest
        self.aggregate = aggregate
    }

    init(_ buffer: UnsafeRawBufferPointer) {
        pointer = Pointer(segment: buffer.uint64(at: 0), slot: buffer.uint32(at: 8))
        digest = Digest(buffer, at: 12)
        aggregate = Aggregate()
        aggregate.entries = buffer.uint64(at: 44)
        aggregate.bytes = buffer.uint64(at: 52)
        aggregate.fingerprint = Fingerprint(Digest(buffer, at: 60) as Digest)
    }

    func store(to buffer: UnsafeMutableRawBufferPointer) {
        buffer.store(pointer.segment, at: 0)
        buffer.store(pointer.slot, at: 8)
        buffer.store(digest, at: 12)
        buffer.store(aggregate.entries, at: 44)
        buffer.store(aggregate.bytes, at: 52)
        buffer.store(aggregate.fingerprint.digest, at: 60)
    }
}

/// A decoded node: immutable, shared by the cache. A leaf's values are encoded entries, an inner node's child records.
final class TreeNode: Sendable {
    let level: UInt8
    let items: NodeItems
    /// What each entry of a leaf adds to the fingerprint; made when first asked for, guarded by the mutex.
    private let prints: Mutex<[Fingerprint]?>

    init(level: UInt8, items: NodeItems, prints: [Fingerprint]? = nil) {
        self.level = level
        self.items = items
        self.prints = Mutex(prints)
    }

    var count: Int { items.count }
    var cost: Int { items.keys.count + items.values.count + items.count * (level == 0 ? 40 : 8) + 200 }

    func child(_ index: Int) -> ChildRecord { items.withValue(index) { ChildRecord($0) } }

    func entry(_ index: Int) throws -> FileEntry { try items.withValue(index) { try FileEntry($0) } }
    func key(_ index: Int) -> TreeKey { items.withKey(index) { TreeKey($0) } }

    func fingerprints() throws -> [Fingerprint] {
        try prints.withLock { prints in
            if let prints { return prints }
            let new = try (0..<count).map { index in
                try items.withKey(index) { key in
                    try items.withValue(index) { Fingerprint.of(key: key, digest: try FileEntry.head($0).digest) }
                }
            }
            prints = new
            return new
        }
    }

    /// Sums over items of a leaf.
    func aggregate(_ range: Range<Int>) throws -> Aggregate {
        var sum = Aggregate()
        if level > 0 {
            for index in range { sum += child(index).aggregate }
            return sum
        }
        let prints = try fingerprints()
        for index in range {
            sum.entries += 1
            sum.bytes += try items.withValue(index) { try FileEntry.head($0).size }
            sum.fingerprint += prints[index]
        }
        return sum
    }

    // MARK: Stored form

    /// Keys are stored without what they share with the key before.
    static func encode(level: UInt8, _ items: NodeItems) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(items.keys.count + items.values.count + items.count * 4 + 8)
        bytes.append(level)
        bytes.appendVarint(items.count)
        items.keys.withUnsafeBytes { keys in
            items.values.withUnsafeBytes { values in
                var previous = 0..<0
                for index in 0..<items.count {
                    let range = items.keyRange(index)
                    var shared = 0
                    let limit = min(previous.count, range.count)
                    while shared < limit, keys[previous.lowerBound + shared] == keys[range.lowerBound + shared] {
                        shared += 1
                    }
                    bytes.appendVarint(shared)
                    bytes.appendVarint(range.count - shared)
                    bytes.append(contentsOf: keys.slice((range.lowerBound + shared)..<range.upperBound))
                    let value = items.valueRange(index)
                    if level == 0 { bytes.appendVarint(value.count) }
                    bytes.append(contentsOf: values.slice(value))
                    previous = range
                }
            }
        }
        return bytes
    }

    static func decode(_ buffer: UnsafeRawBufferPointer) throws -> TreeNode {
        var reader = ByteReader(buffer)
        let level = try reader.byte()
        let count = try reader.count()
        guard count <= buffer.count else { throw ByteReader.damaged }
        var items = NodeItems()
        items.keys.reserveCapacity(count * 32)
        items.values.reserveCapacity(buffer.count)
        items.keyEnds.reserveCapacity(count)
        items.valueEnds.reserveCapacity(count)
        var previous = 0
        for _ in 0..<count {
            let shared = try reader.count()
            let rest = try reader.bytes(try reader.count())
            guard shared <= items.keys.count - previous else { throw ByteReader.damaged }
            let start = items.keys.count
            items.keys.append(contentsOf: items.keys[previous..<(previous + shared)])
            items.keys.append(contentsOf: rest)
            previous = start
            items.keyEnds.append(UInt32(items.keys.count))
            items.values.append(
                contentsOf: try reader.bytes(level == 0 ? try reader.count() : ChildRecord.byteCount))
            items.valueEnds.append(UInt32(items.values.count))
        }
        guard reader.remaining == 0 else { throw ByteReader.damaged }
        return TreeNode(level: level, items: items)
    }

    private static let leafDomain = Array("spile.leaf.1".utf8)
    private static let innerDomain = Array("spile.inner.1".utf8)

    /// Digest of what a node says, never of where things are: of a leaf its keys, sizes and file digests, of an inner
    /// node its level and its children's digests.
    static func digest(level: UInt8, _ items: NodeItems) throws -> Digest {
        var text: [UInt8] = []
        text.reserveCapacity(items.keys.count + items.count * 44 + 16)
        text.append(contentsOf: level == 0 ? leafDomain : innerDomain)
        if level > 0 { text.append(level) }
        try items.keys.withUnsafeBytes { keys in
            try items.values.withUnsafeBytes { values in
                for index in 0..<items.count {
                    let value = values.slice(items.valueRange(index))
                    if level > 0 {
                        text.append(contentsOf: value.slice(12..<44))
                        continue
                    }
                    let key = keys.slice(items.keyRange(index))
                    let (digest, size) = try FileEntry.head(value)
                    text.appendFixed(UInt32(key.count))
                    text.append(contentsOf: key)
                    text.appendFixed(size)
                    text.append(contentsOf: digest)
                }
            }
        }
        return text.withUnsafeBytes { BlockHash.sha256($0) }
    }
}

/// Fetches decoded nodes, through a bounded cache. Safe to use from any thread.
final class NodeStore: Sendable {
    let slots: SlotStore
    private let cache: BoundedCache<Pointer, TreeNode>

    init(slots: SlotStore) {
        self.slots = slots
        cache = BoundedCache(limit: slots.options.nodeCacheBytes, shards: 16)
    }

    func node(_ pointer: Pointer) throws -> TreeNode {
        if let cached = cache.get(pointer) { return cached }
        let node = try load(pointer)
        cache.put(pointer, node, cost: node.cost)
        return node
    }

    /// The node as stored, its hash checked, past the cache.
    func load(_ pointer: Pointer) throws -> TreeNode {
        let (record, bytes) = try slots.readVerified(pointer)
        guard record.kind == .leaf || record.kind == .inner else {
            throw SpileError(.dataLoss, "slot \(pointer) is no tree node", remedy: "run `spile check`")
        }
        return try bytes.withUnsafeBytes { try TreeNode.decode($0) }
    }

    func insert(_ pointer: Pointer, _ node: TreeNode) { cache.put(pointer, node, cost: node.cost) }

    var counters: (count: Int, cost: Int, hits: Int, misses: Int) { cache.counters }
}
