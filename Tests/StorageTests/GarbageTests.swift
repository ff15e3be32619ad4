import Core
import Simulation
import Storage
import Testing

extension Store {
    /// A whole collection with nothing under way, roots as given.
    @discardableResult
    func collect(_ roots: [Root], minimumDeadShare: Double = 0) throws -> (plan: GarbagePlan, freed: Int) {
        try sealIdleWriters()
        let collection = try beginCollection()
        defer { collection.end() }
        let tops = roots.filter { !$0.isEmpty }.map(\.pointer)
        collection.listed()
        try collection.mark(tops) {}
        #expect(collection.awaited == (0, 0))
        try collection.markMade {}
        let plan = try collection.decide(minimumDeadShare: minimumDeadShare) {}
        return (plan, try plan.items.reduce(0) { $0 + (try collection.sweep($1)) })
    }
}

/// What collection finds, and what compaction writes (I5, I6).
@Suite struct GarbageTests {
    /// Files of every kind: in packs, as single chunks, as long part lists.
    private static func files(_ stem: String, _ random: inout Seeded, count: Int = 30) -> [TreeKey: [UInt8]] {
        var files: [TreeKey: [UInt8]] = [:]
        for index in 0..<count {
            let size = index == 0 ? 9_000_000 : index < 4 ? 300_000 : random.below(3_000)
            files[TreeKey(path: "/\(stem)/\(index)", datum: "d")] = random.bytes(size)
        }
        return files
    }

    @Test func `the plan follows from what was counted`() {
        func census(_ id: UInt64, live: Int, dead: Int) -> SegmentCensus {
            var census = SegmentCensus(segment: id, bytes: live + dead + 100)
            (census.slotsLive, census.bytesLive) = (live > 0 ? 1 : 0, live)
            (census.slotsDead, census.bytesDead) = (dead > 0 ? 1 : 0, dead)
            return census
        }
        let counted = [
            census(4, live: 0, dead: 900), census(1, live: 900, dead: 0), census(3, live: 100, dead: 800),
            census(2, live: 800, dead: 100), census(5, live: 0, dead: 0),
        ]
        let plan = GarbagePlan(counted, minimumDeadShare: 0.25)
        #expect(plan.items.map(\.census.segment) == [1, 2, 3, 4, 5])
        #expect(plan.items.map(\.action) == [.keep, .keep, .rewrite, .drop, .drop])
        #expect(plan.bytesFreed == 800 + 1000 + 100)
        #expect(plan.bytesDead == 1800)
        let all = GarbagePlan(counted, minimumDeadShare: 0)
        #expect(all.items.map(\.action) == [.keep, .rewrite, .rewrite, .drop, .drop])
    }

    @Test func `marks are a set of slots`() {
        var random = Seeded(3)
        var marks = SlotMarks()
        var model: Set<Pointer> = []
        for _ in 0..<2_000 {
            let slot = random.below(50) == 0 ? UInt32.max - UInt32(random.below(3)) : UInt32(random.below(700))
            let pointer = Pointer(segment: UInt64(random.below(5)), slot: slot)
            #expect(marks.insert(pointer) == model.insert(pointer).inserted)
        }
        #expect(marks.count == model.count)
        for segment in 0..<6 as Range<UInt64> {
            for slot in 0..<800 as Range<UInt32> {
                let pointer = Pointer(segment: segment, slot: slot)
                #expect(marks.contains(pointer) == model.contains(pointer))
            }
        }
    }

    @Test(arguments: [StoreOptions.tiny, .simulated])
    func `what a root reaches stays, byte for byte and at its pointers, and the rest goes`(
        options: StoreOptions
    ) throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: options)
        var random = Seeded(1)
        let kept = Self.files("kept", &random)
        let dropped = Self.files("dropped", &random)
        let both = try store.build(kept.merging(dropped) { $1 })
        let root = try store.change(both) { try $0.deleteTree(prefix: "/dropped/", datum: "d") }
        try store.sealIdleWriters()
        let before = store.statistics().sealedBytes

        let (plan, freed) = try store.collect([root])
        #expect(freed > 9_500_000)
        #expect(plan.bytesFreed <= freed + 4096 * plan.items.count)
        let after = store.statistics().sealedBytes
        #expect(after < before)
        #expect(after < 11_500_000)
        #expect(try store.contents(root) == kept)
        #expect(try store.findings(root) == [])
        #expect(throws: SpileError.self) { try store.contents(both) }

        let again = try store.collect([root])
        #expect(again.freed == 0)
        #expect(again.plan.slotsDead == 0)
        try store.close()
        let reopened = try Store(objects: objects, options: options)
        #expect(try reopened.contents(root) == kept)
        #expect(try reopened.findings(root) == [])
    }

    @Test func `a segment with little dead in it is left alone`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .simulated)
        var random = Seeded(2)
        let first = try store.build(Self.files("a", &random))
        let root = try store.change(first) { try $0.delete(path: "/a/7", datum: "d") }
        try store.sealIdleWriters()
        let names = Set(try objects.list().map(\.name))
        let bytes = try names.map { try objects.bytes($0) }
        let (plan, freed) = try store.collect([root], minimumDeadShare: 0.25)
        #expect(plan.slotsDead > 0)
        #expect(freed == 0)
        let after = try names.map { try objects.bytes($0) }
        #expect(after == bytes)
    }

    @Test func `spilled runs and streams that were given up are found`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        var random = Seeded(4)
        let abandoned = store.beginChanges()
        for index in 0..<200 { try abandoned.add("/gone/\(index)", random.bytes(1_000)) }
        abandoned.abandon()
        let files = Dictionary(uniqueKeysWithValues: (0..<200).map { index in
            (TreeKey(path: "/f/\(index * 7 % 200)", datum: "d"), random.bytes(100))
        })
        let root = try store.build(files)
        #expect(store.statistics().spilledRuns > 0)
        #expect(store.statistics().abandonedStreams == 1)
        let (_, freed) = try store.collect([root])
        #expect(freed > 0)
        #expect(try store.contents(root) == files)
    }

    @Test func `a reader goes on in the old segment while it is replaced`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        var random = Seeded(5)
        let kept = random.bytes(2_000_000)
        let both = try store.build([
            TreeKey(path: "/a", datum: "d"): kept, TreeKey(path: "/b", datum: "d"): random.bytes(2_000_000),
        ])
        let root = try store.change(both) { try $0.delete(path: "/b", datum: "d") }
        let entry = try #require(try store.entry(root, path: "/a", datum: "d"))
        var reader = store.reader(entry)
        var bytes = try #require(try reader.next(maxBytes: 100_000))
        let (plan, _) = try store.collect([root])
        #expect(plan.count(.rewrite) > 0)
        while let next = try reader.next(maxBytes: 100_000) { bytes += next }
        #expect(bytes == kept)
    }

    @Test func `a damaged live slot stops the rewriting of its segment and of nothing else`() throws {
        let objects = MemoryObjectStore()
        var store = try Store(objects: objects, options: .simulated)
        var random = Seeded(6)
        let bodies = (random.bytes(400_000), random.bytes(900_000))
        let both = try store.change(.empty) {
            try $0.add("/a", bodies.0)
            try $0.add("/b", bodies.1)
        }
        let root = try store.change(both) { try $0.delete(path: "/b", datum: "d") }
        try store.close()
        let name = try #require(try objects.list().map(\.name).min())
        var bytes = try objects.bytes(name)
        bytes[10_000] ^= 1
        try bytes.withUnsafeBytes { try objects.replace(name, with: $0) }
        store = try Store(objects: objects, options: .simulated)
        let collection = try store.beginCollection()
        collection.listed()
        try collection.mark([root.pointer]) {}
        let plan = try collection.decide(minimumDeadShare: 0) {}
        for item in plan.items { _ = try collection.sweep(item) }
        #expect(collection.damaged.count == 1)
        #expect(try objects.bytes(name) == bytes)
        collection.end()
    }

    @Test func `two collections at once are refused`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        let first = try store.beginCollection()
        let refusal = #expect(throws: SpileError.self) { try store.beginCollection() }
        #expect(refusal?.code == .unavailable)
        first.end()
        try store.beginCollection().end()
    }

    @Test func `a segment of a newer format is not touched`() throws {
        let objects = MemoryObjectStore()
        var store = try Store(objects: objects, options: .tiny)
        var random = Seeded(7)
        let root = try store.build([TreeKey(path: "/a", datum: "d"): random.bytes(100)])
        try store.close()
        let name = try #require(try objects.list().map(\.name).min())
        var bytes = try objects.bytes(name)
        // The footer's version, with a check that holds.
        bytes[bytes.count - 72] = 9
        var check: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes[(bytes.count - 80)..<(bytes.count - 8)] { check = (check ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for index in 0..<8 { bytes[bytes.count - 8 + index] = UInt8(truncatingIfNeeded: check >> UInt64(index * 8)) }
        try bytes.withUnsafeBytes { try objects.replace(name, with: $0) }
        store = try Store(objects: objects, options: .tiny)
        let refusal = #expect(throws: SpileError.self) { try store.collect([]) }
        #expect(refusal?.code == .failedPrecondition)
        #expect(try objects.bytes(name) == bytes)
        _ = root
    }
}

/// A collection that fails, or dies, at any call of the object store.
@Suite struct GarbageFaultTests {
    private struct Built {
        let memory = MemoryObjectStore()
        let faulty: FaultyObjectStore
        let store: Store
        let root: Root
        let files: [TreeKey: [UInt8]]

        init() throws {
            faulty = FaultyObjectStore(memory, seed: 1)
            store = try Store(objects: faulty, options: .tiny)
            var random = Seeded(11)
            var kept: [TreeKey: [UInt8]] = [:]
            var both: Root = .empty
            for turn in 0..<6 {
                let bytes = (random.bytes(70_000), random.bytes(70_000))
                kept[TreeKey(path: "/kept/\(turn)", datum: "d")] = bytes.0
                both = try store.change(both) {
                    try $0.add("/kept/\(turn)", bytes.0)
                    try $0.add("/gone/\(turn)", bytes.1)
                }
            }
            // A segment of its own that goes whole.
            _ = try store.build([TreeKey(path: "/other", datum: "d"): random.bytes(600_000)])
            root = try store.change(both) { try $0.deleteTree(prefix: "/gone/", datum: "d") }
            files = kept
        }
    }

    @Test(arguments: FaultyObjectStore.Operation.allCases, FaultyObjectStore.Fault.allCases)
    func `a fault at any call leaves a clean store, and the next collection does the rest`(
        operation: FaultyObjectStore.Operation, fault: FaultyObjectStore.Fault
    ) throws {
        var position = 0
        while true {
            let built = try Built()
            let context = "\(operation) \(fault) at \(position)"
            built.faulty.failNext(operation, after: position, with: fault)
            do { try built.store.collect([built.root]) } catch let error as SpileError {
                #expect([.resourceExhausted, .dataLoss].contains(error.code), "\(context): \(error)")
            }
            let hasFailed = built.faulty.failures > 0
            #expect(try built.store.contents(built.root) == built.files, "\(context)")
            #expect(try built.store.findings(built.root) == [], "\(context)")

            // The same, if the machine stopped right there.
            let left = try Store(objects: built.memory.crash(), options: .tiny)
            #expect(try left.contents(built.root) == built.files, "\(context), after a crash")
            try left.collect([built.root])
            #expect(try left.contents(built.root) == built.files, "\(context), collected after a crash")
            #expect(try left.findings(built.root) == [], "\(context), collected after a crash")

            try built.store.collect([built.root])
            #expect(try built.store.contents(built.root) == built.files, "\(context), again")
            #expect(try built.store.collect([built.root]).plan.slotsDead == 0, "\(context), again")
            if !hasFailed { break }
            position += 1
        }
        if operation == .replace || operation == .remove { #expect(position > 0, "\(operation) never happened") }
    }
}
