import Core
import Simulation
import Storage
import Testing

/// A small generator of our own, so that a seed means the same everywhere.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            var position = 0
            while position + 8 <= count {
                raw.storeBytes(of: next(), toByteOffset: position, as: UInt64.self)
                position += 8
            }
            while position < count {
                raw[position] = UInt8(truncatingIfNeeded: next())
                position += 1
            }
            initialized = count
        }
    }
}

extension ChangeWriter {
    func add(_ path: String, _ bytes: [UInt8], datum: String = "d") throws {
        try bytes.withUnsafeBytes { try add(path: path, datum: datum, bytes: $0) }
    }
}

extension Store {
    /// Collects one stream and applies it, small or large as it turns out, and makes it durable.
    func change(
        _ root: Root, _ writer: SlotWriter? = nil, _ body: (ChangeWriter) throws -> Void
    ) throws -> Root {
        let changes = beginChanges()
        try body(changes)
        let set = try changes.finish()
        guard let writer else { return try applyLarge(set, to: root) }
        let result = try apply(set, to: root, through: writer)
        try writer.sync()
        return result
    }

    func contents(_ root: Root) throws -> [TreeKey: [UInt8]] {
        var found: [TreeKey: [UInt8]] = [:]
        var cursor = scan(root, from: nil, upTo: nil)
        while let (key, entry) = try cursor.next() {
            found[key] = try read(entry, offset: 0, maxBytes: Int(entry.size))
        }
        return found
    }

    func keys(_ root: Root, from: TreeKey? = nil, upTo: TreeKey? = nil) throws -> [TreeKey] {
        var keys: [TreeKey] = []
        var cursor = scan(root, from: from, upTo: upTo)
        while let key = try cursor.nextKey() { keys.append(key) }
        return keys
    }

    func findings(_ root: Root) throws -> [String] {
        var texts: [String] = []
        var seen = VerifiedNodes()
        try verify(root, data: true, seen: &seen) { texts.append($0.description) }
        return texts
    }

    /// The tree of these files, built in one go.
    func build(_ files: [TreeKey: [UInt8]]) throws -> Root {
        try change(.empty) { changes in
            for (key, bytes) in files { try changes.add(key.path, bytes, datum: key.datum) }
        }
    }
}

extension StoreOptions {
    /// Every bound so low that small tests cross it.
    static var tiny: StoreOptions {
        var options = StoreOptions()
        options.smallSegmentBytes = 64 << 10
        options.bulkSegmentBytes = 256 << 10
        options.smallStreamBytes = 4 << 10
        options.smallStreamChanges = 20
        options.changeBudgetBytes = 4 << 10
        options.nodeCacheBytes = 16 << 10
        options.directoryCacheBytes = 8 << 10
        options.fingerprints = 64
        options.idleBulkWriters = 1
        options.writeBehind = false
        return options
    }

    static var simulated: StoreOptions {
        var options = StoreOptions()
        options.smallSegmentBytes = 1 << 20
        options.writeBehind = false
        return options
    }
}

/// What a stream does, on a dictionary: the plainest reading of the rules.
struct ModelStream {
    var inherited: [TreeKey: [UInt8]]
    var added: [TreeKey: [UInt8]] = [:]

    init(_ files: [TreeKey: [UInt8]]) { inherited = files }

    mutating func add(_ key: TreeKey, _ bytes: [UInt8]) { added[key, default: []] += bytes }

    mutating func delete(_ key: TreeKey) {
        inherited[key] = nil
        added[key] = nil
    }

    mutating func deleteTree(_ prefix: String, datum: String) {
        for key in inherited.keys where key.path.hasPrefix(prefix) && key.datum == datum { inherited[key] = nil }
        for key in added.keys where key.path.hasPrefix(prefix) { added[key] = nil }
    }

    mutating func replace(_ key: TreeKey, _ bytes: [UInt8]) {
        inherited[key] = nil
        added[key] = bytes
    }

    var result: [TreeKey: [UInt8]] { inherited.merging(added) { $0 + $1 } }
}
