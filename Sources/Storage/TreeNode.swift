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

    init() {}

    /// The same items in arrays that are no larger than need be.
    init(copying other: NodeItems) {
        keys = Array(unsafeUninitializedCapacity: other.keys.count) { $1 = $0.initialize(fromContentsOf: other.keys) }
        values = Array(unsafeUninitializedCapacity: other.values.count) {
            $1 = $0.initialize(fromContentsOf: other.values)
        }
        keyEnds = Array(unsafeUninitializedCapacity: other.count) { $1 = $0.initialize(fromContentsOf: other.keyEnds) }
        valueEnds = Array(unsafeUninitializedCapacity: other.count) {
            $1 = $0.initialize(fromContentsOf: other.valueEnds)
        }
    }

    @inline(__always)
    func withBytes<T>(
        _ body: (_ keys: UnsafeRawBufferPointer, _ values: UnsafeRawBufferPointer) throws -> T
    ) rethrows -> T {
        try keys.withUnsafeBytes { keys in try values.withUnsafeBytes { try body(keys, $0) } }
    }

    mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        keys.append(contentsOf: key)
        keyEnds.append(UInt32(keys.count))
        values.append(contentsOf: value)
        valueEnds.append(UInt32(values.count))
    }

    /// Appends items of another node.
    mutating func append(_ other: NodeItems, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let keyStart = other.keyRange(range.lowerBound).lowerBound
        let valueStart = other.valueRange(range.lowerBound).lowerBound
        let keyShift = UInt32(truncatingIfNeeded: keys.count - keyStart)
        let valueShift = UInt32(truncatingIfNeeded: values.count - valueStart)
        keys.append(contentsOf: other.keys[keyStart..<Int(other.keyEnds[range.upperBound - 1])])
        values.append(contentsOf: other.values[valueStart..<Int(other.valueEnds[range.upperBound - 1])])
        for end in other.keyEnds[range] { keyEnds.append(end &+ keyShift) }
        for end in other.valueEnds[range] { valueEnds.append(end &+ valueShift) }
    }

    mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
        keyEnds.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        valueEnds.removeAll(keepingCapacity: true)
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

/// What an inner node says about a child: 100 bytes in memory and on disk.
struct ChildRecord: Sendable {
    static let byteCount = 100

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
        aggregate = Self.aggregate(buffer)
    }

    /// The sums of a stored record.
    @inline(__always)
    static func aggregate(_ buffer: UnsafeRawBufferPointer) -> Aggregate {
        var aggregate = Aggregate()
        aggregate.entries = buffer.uint64(at: 44)
        aggregate.bytes = buffer.uint64(at: 52)
        aggregate.fingerprint = Fingerprint(Digest(buffer, at: 60) as Digest)
        aggregate.tag = buffer.uint64(at: 92)
        return aggregate
    }

    func store(to buffer: UnsafeMutableRawBufferPointer) {
        buffer.store(pointer.segment, at: 0)
        buffer.store(pointer.slot, at: 8)
        buffer.store(digest, at: 12)
        buffer.store(aggregate.entries, at: 44)
        buffer.store(aggregate.bytes, at: 52)
        buffer.store(aggregate.fingerprint.digest, at: 60)
        buffer.store(aggregate.tag, at: 92)
    }
}

/// A decoded node: immutable, shared by the cache. A leaf's values are encoded entries, an inner node's child records.
final class TreeNode: Sendable {
    let level: UInt8
    let items: NodeItems
    /// What each entry of a leaf adds to the fingerprint; made when first asked for, guarded by the mutex.
    private let prints: Mutex<[Fingerprint]?>

    init(level: UInt8, items: NodeItems) {
        self.level = level
        self.items = items
        prints = Mutex(nil)
    }

    var count: Int { items.count }
    /// Bytes in memory: four arrays, the node itself, its place in the cache. Fingerprints, where they were asked for,
    /// are a third on top.
    var cost: Int { items.keys.count + items.values.count + items.count * 8 + 400 }

    func child(_ index: Int) -> ChildRecord { items.withValue(index) { ChildRecord($0) } }

    func entry(_ index: Int) throws -> FileEntry { try items.withValue(index) { try FileEntry($0) } }
    func key(_ index: Int) -> TreeKey { items.withKey(index) { TreeKey($0) } }

    private func fingerprint(_ index: Int) throws -> Fingerprint {
        try items.withKey(index) { key in
            try items.withValue(index) { Fingerprint.of(key: key, digest: try FileEntry.head($0).digest) }
        }
    }

    /// The fingerprints of a leaf's entries, if all were made before or most are wanted.
    private func fingerprints(wanted: Int) throws -> [Fingerprint]? {
        try prints.withLock { prints in
            if prints == nil, wanted * 2 > count { prints = try (0..<count).map { try fingerprint($0) } }
            return prints
        }
    }

    /// Sums over items.
    func aggregate(_ range: Range<Int>) throws -> Aggregate {
        var sum = Aggregate()
        guard !range.isEmpty else { return sum }
        if level > 0 {
            for index in range { sum += items.withValue(index) { ChildRecord.aggregate($0) } }
            return sum
        }
        let prints = try fingerprints(wanted: range.count)
        var tags = TagReader()
        for index in range {
            let size = try items.withValue(index) { try FileEntry.head($0).size }
            let tag = items.withKey(index) { tags.tag(of: $0) }
            sum += Aggregate(size: size, print: try prints?[index] ?? fingerprint(index), tag: tag)
        }
        return sum
    }

    // MARK: Stored form

    /// The stored form is not longer.
    var encodedLimit: Int { items.keys.count + items.values.count + items.count * 15 + 11 }

    /// Writes the stored form to `target` and gives its length. Keys are stored without what they share with the key
    /// before.
    func encode(to target: UnsafeMutableRawPointer) -> Int {
        var writer = RawWriter(target)
        writer.byte(level)
        writer.varint(items.count)
        items.withBytes { keys, values in
            var previous = 0..<0
            for index in 0..<items.count {
                let range = items.keyRange(index)
                let shared = commonPrefix(keys.slice(previous), keys.slice(range))
                writer.varint(shared)
                writer.varint(range.count - shared)
                writer.bytes(keys.slice((range.lowerBound + shared)..<range.upperBound))
                let value = items.valueRange(index)
                if level == 0 { writer.varint(value.count) }
                writer.bytes(values.slice(value))
                previous = range
            }
        }
        return writer.target - target
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
    func digest() throws -> Digest {
        let domain = level == 0 ? Self.leafDomain : Self.innerDomain
        let limit = 16 + (level == 0 ? items.keys.count + count * 44 : count * 32)
        return try withUnsafeTemporaryAllocation(byteCount: limit, alignment: 8) { text in
            var writer = RawWriter(text.baseAddress!)
            domain.withUnsafeBytes { writer.bytes($0) }
            if level > 0 { writer.byte(level) }
            try items.withBytes { keys, values in
                for index in 0..<count {
                    let value = values.slice(items.valueRange(index))
                    if level > 0 {
                        writer.bytes(value.slice(12..<44))
                        continue
                    }
                    let key = keys.slice(items.keyRange(index))
                    let (digest, size) = try FileEntry.head(value)
                    writer.fixed(UInt32(key.count))
                    writer.bytes(key)
                    writer.fixed(size)
                    writer.bytes(digest)
                }
            }
            let length = writer.target - text.baseAddress!
            return BlockHash.sha256(UnsafeRawBufferPointer(rebasing: text[0..<length]))
        }
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
