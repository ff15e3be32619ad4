import Backends
import Core
import Simulation
import Storage
import Testing

/// The storage room on a bucket: what it acknowledged is there on the next machine (I1, I6), garbage goes (I5).
@Suite struct S3SegmentTests {
    private static var tiny: StoreOptions {
        var options = StoreOptions()
        options.smallSegmentBytes = 256 << 10
        options.bulkSegmentBytes = 6 << 20
        options.smallStreamBytes = 64 << 10
        options.writeBehind = true
        return options
    }

    /// Adds files and makes them durable, as one small commit or through a bulk segment, as it turns out.
    private func commit(
        _ store: Store, _ writer: SlotWriter, _ root: Root, _ files: [String: [UInt8]], isLarge: Bool
    ) throws -> Root {
        let changes = store.beginChanges()
        for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
            try changes.delete(path: path, datum: "d")
            try bytes.withUnsafeBytes { try changes.add(path: path, datum: "d", bytes: $0) }
        }
        let set = try changes.finish()
        if isLarge { return try store.applyLarge(set, to: root) }
        let result = try store.apply(set, to: root, through: writer)
        try writer.sync()
        return result
    }

    private func contents(_ store: Store, _ root: Root) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        var cursor = store.scan(root, from: nil, upTo: nil)
        while let (key, entry) = try cursor.next() {
            found[key.path] = try store.read(entry, offset: 0, maxBytes: Int(entry.size))
        }
        return found
    }

    private func collect(_ store: Store, keeping root: Root) throws {
        try store.sealIdleWriters()
        let collection = try store.beginCollection()
        defer { collection.end() }
        collection.listed()
        try collection.mark([root.pointer]) {}
        try collection.markMade {}
        for item in try collection.decide(minimumDeadShare: 0, {}).items { _ = try collection.sweep(item) }
    }

    @Test(arguments: [1, 2])
    func `commits survive their machine, and collections between them, while requests go wrong`(seed: UInt64) throws {
        let scene = try S3Scene(pageSize: 100)
        let random = SeededRandomness(seed: seed)
        for fault in [S3Fault.slowDown, .reset, .lostAnswer] {
            scene.server.fail(fault, times: .max) { _ in random.below(60) == 0 }
        }
        var root = Root.empty
        var files: [String: [UInt8]] = [:]
        for machine in 0..<4 {
            let store = try Store(objects: try scene.store { $0.extentBytes = 1 << 20 }, options: Self.tiny)
            #expect(try contents(store, root) == files, "machine \(machine)")
            let writer = try store.makeCommitWriter()
            for number in 0..<6 {
                let isLarge = number == 3
                // Some of them over what is there, so that there is garbage.
                var added: [String: [UInt8]] = [:]
                for _ in 0..<4 {
                    added["/\(random.below(12))"] = random.bytes(isLarge ? 900_000 : random.below(20_000))
                }
                root = try commit(store, writer, root, added, isLarge: isLarge)
                files.merge(added) { $1 }
            }
            if machine == 1 || machine == 2 {
                try writer.rotate()
                let before = scene.bucket.keys
                try collect(store, keeping: root)
                #expect(scene.bucket.keys.count < before.count)
                #expect(try contents(store, root) == files, "machine \(machine)")
            }
            // It is left as by a crash: segments without an end, and nobody to give them one.
        }
        let store = try Store(objects: try scene.store(), options: Self.tiny)
        #expect(try contents(store, root) == files)
        for id in store.segmentIDs { #expect(try store.problem(ofSegment: id) == nil) }
        #expect(scene.bucket.keys.allSatisfy { !$0.contains("/open/") })
    }
}
