import Core
import Simulation
import Storage
import Testing

@Suite struct FaultTests {
    @Test(arguments: FaultyObjectStore.Fault.allCases, [FaultyObjectStore.Operation.write, .sync, .finish, .create])
    func `a failed batch is gone whole and the next one succeeds`(
        fault: FaultyObjectStore.Fault, operation: FaultyObjectStore.Operation
    ) throws {
        for position in 0..<6 {
            let objects = MemoryObjectStore()
            let faulty = FaultyObjectStore(objects, seed: 1)
            let store = try Store(objects: faulty, options: .tiny)
            let writer = try store.makeCommitWriter()
            var root = Root.empty
            var files: [TreeKey: [UInt8]] = [:]
            var failed = 0
            faulty.failNext(operation, after: position, with: fault)
            for index in 0..<150 {
                let key = TreeKey(path: "/f\(index)", datum: "d")
                let bytes = Seeded(UInt64(index)).withBytes(700)
                let changes = store.beginChanges()
                try changes.add(key.path, bytes)
                let set = try changes.finish()
                var next = root
                var isDone = false
                do { next = try store.apply(set, to: root, through: writer) } catch is SpileError { failed += 1 }
                do {
                    try writer.sync()
                    isDone = true
                } catch is SpileError { failed += 1 }
                if isDone, next != root {
                    root = next
                    files[key] = bytes
                }
                #expect(try store.keys(root).count == files.count)
            }
            #expect(failed <= 2)
            #expect(files.count >= 149)
            #expect(try store.contents(root) == files, "\(operation) \(fault) \(position)")
            let reopened = try Store(objects: objects.crash(), options: .tiny)
            #expect(try reopened.contents(root) == files, "\(operation) \(fault) \(position) after a crash")
            #expect(try reopened.findings(root) == [])
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `large streams fail whole under random faults and what succeeded stays`(seed: UInt64) throws {
        var random = Seeded(seed)
        let objects = MemoryObjectStore()
        let faulty = FaultyObjectStore(objects, seed: seed)
        var options = StoreOptions.tiny
        options.writeBehind = seed % 2 == 0
        let store = try Store(objects: faulty, options: options)
        faulty.fail([.create, .write, .sync, .finish], oneIn: 25)
        var root = Root.empty
        var files: [TreeKey: [UInt8]] = [:]
        for index in 0..<40 {
            var added: [TreeKey: [UInt8]] = [:]
            for file in 0..<(1 + random.below(60)) {
                added[TreeKey(path: "/s\(index)/f\(file)", datum: "d")] = random.bytes(random.below(3_000))
            }
            added[TreeKey(path: "/s\(index)/large", datum: "d")] = random.bytes(random.below(400_000))
            do {
                root = try store.change(root) { changes in
                    for (key, bytes) in added { try changes.add(key.path, bytes) }
                }
                files.merge(added) { $1 }
            } catch is SpileError {}
        }
        #expect(faulty.failures > 0)
        faulty.fail([], oneIn: 0)
        #expect(try store.contents(root) == files, "seed \(seed)")
        let reopened = try Store(objects: objects.crash(), options: options)
        #expect(try reopened.contents(root) == files, "seed \(seed) after a crash")
        #expect(try reopened.findings(root) == [], "seed \(seed)")
    }

    @Test func `an earlier commit of a failed batch is not readable as if it had happened`() throws {
        let faulty = FaultyObjectStore(MemoryObjectStore(), seed: 1)
        let store = try Store(objects: faulty, options: .simulated)
        let writer = try store.makeCommitWriter()
        func set(_ path: String) throws -> ChangeSet {
            let changes = store.beginChanges()
            try changes.add(path, [1, 2, 3])
            return try changes.finish()
        }
        let first = try store.apply(set("/a"), to: .empty, through: writer)
        let second = try store.apply(set("/b"), to: first, through: writer)
        #expect(second.files == 2)
        faulty.failNext(.sync, with: .brokenMedium)
        #expect(throws: SpileError.self) { try writer.sync() }
        let again = try store.apply(set("/c"), to: .empty, through: writer)
        try writer.sync()
        #expect(try store.keys(again) == [TreeKey(path: "/c", datum: "d")])
        #expect(store.statistics().abandonedSegments == 1)
    }
}

@Suite struct ForgottenFailureTests {
    private func apply(_ path: String, _ store: Store, _ root: Root, _ writer: SlotWriter) throws -> Root {
        let changes = store.beginChanges()
        try changes.add(path, [1, 2, 3])
        return try store.apply(try changes.finish(), to: root, through: writer)
    }

    @Test func `a forgotten failure does not hit the next batch`() throws {
        let faulty = FaultyObjectStore(MemoryObjectStore(), seed: 1)
        let store = try Store(objects: faulty, options: .simulated)
        let writer = try store.makeCommitWriter()
        let first = try apply("/a", store, .empty, writer)
        try writer.sync()
        faulty.failNext(.create, with: .noSpace)
        // The segment is full before this one: it needs another.
        #expect(throws: SpileError.self) {
            let changes = store.beginChanges()
            try changes.add("/b", Seeded(1).withBytes(100_000))
            let set = try changes.finish()
            var root = first
            for _ in 0..<40 { root = try store.apply(set, to: root, through: writer) }
        }
        writer.forgetFailure()
        try writer.sync()
        let second = try apply("/c", store, first, writer)
        try writer.sync()
        #expect(try store.keys(second).map(\.path) == ["/a", "/c"])
        #expect(try store.findings(second) == [])
    }

    @Test func `a writer that has not failed keeps what it appended`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let writer = try store.makeCommitWriter()
        let first = try apply("/a", store, .empty, writer)
        writer.forgetFailure()
        try writer.sync()
        #expect(try store.contents(first).count == 1)
        #expect(store.statistics().abandonedSegments == 0)
    }
}

@Suite struct StreamTests {
    @Test func `a long stream spills its changes and keeps its memory within bounds`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        var model: [TreeKey: [UInt8]] = [:]
        let root = try store.change(.empty) { changes in
            for index in 0..<3_000 {
                let key = TreeKey(path: "/d\(index % 7)/f\(index * 7_919 % 3_000)", datum: "d")
                model[key] = [UInt8(truncatingIfNeeded: index)]
                try changes.add(key.path, model[key]!)
            }
        }
        #expect(store.statistics().spilledRuns > 50)
        #expect(store.statistics().nodeCacheBytes < 200_000)
        #expect(try store.contents(root) == model)
    }

    @Test func `a deletion in a later run takes away what earlier runs added`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        let base = try store.change(.empty) { changes in
            try changes.add("/a/kept", [1], datum: "other")
            try changes.add("/a/gone", [1])
        }
        let root = try store.change(base) { changes in
            for index in 0..<300 { try changes.add("/a/f\(index)", [1], datum: index % 2 == 0 ? "d" : "other") }
            try changes.add("/a/kept", [2], datum: "other")
            for index in 0..<300 { try changes.add("/b/f\(index)", [1]) }
            try changes.deleteTree(prefix: "/a/", datum: "d")
            for index in 0..<300 { try changes.add("/c/f\(index)", [1]) }
            try changes.add("/a/last", [3])
        }
        let (from, upTo) = TreeKey.bounds(pathPrefix: "/a/")
        #expect(try store.keys(root, from: from, upTo: upTo) == [
            TreeKey(path: "/a/kept", datum: "other"), TreeKey(path: "/a/last", datum: "d"),
        ])
        #expect(try store.entry(root, path: "/a/kept", datum: "other")?.size == 1)
        #expect(root.files == 602)
    }

    @Test func `an abandoned stream leaves the store as it was`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        let root = try store.change(.empty) { try $0.add("/a", [1]) }
        for _ in 0..<3 {
            let changes = store.beginChanges()
            try changes.add("/b", Seeded(1).withBytes(100_000))
            changes.abandon()
        }
        let next = try store.change(root) { try $0.add("/c", Seeded(2).withBytes(100_000)) }
        #expect(try store.keys(next).map(\.path) == ["/a", "/c"])
        #expect(try store.findings(next) == [])
    }

    @Test func `many small files of one stream share slots`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let bytes = Seeded(1).withBytes(3_000 * 1024)
        let root = try store.change(.empty) { changes in
            for index in 0..<3_000 {
                try changes.add("/d/f\(index)", Array(bytes[(index * 1024)..<((index + 1) * 1024)]))
            }
        }
        #expect(root.files == 3_000)
        #expect(store.statistics().slotsAppended < 200)
        #expect(store.statistics().bytesWritten < 2 * bytes.count)
    }

    @Test func `a change set can be applied to several roots`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let one = try store.change(.empty) { try $0.add("/log", Array("one\n".utf8)) }
        let changes = store.beginChanges()
        try changes.add("/log", Array("two\n".utf8))
        let set = try changes.finish()
        let first = try store.applyLarge(set, to: one)
        let second = try store.applyLarge(set, to: .empty)
        #expect(try store.contents(first).values.first == Array("one\ntwo\n".utf8))
        #expect(try store.contents(second).values.first == Array("two\n".utf8))
    }

    @Test func `readers see slots that are not written out yet`() throws {
        var options = StoreOptions.tiny
        options.nodeCacheBytes = 1
        let store = try Store(objects: MemoryObjectStore(), options: options)
        let writer = try store.makeCommitWriter()
        var root = Root.empty
        for index in 0..<10 {
            let changes = store.beginChanges()
            try changes.add("/f\(index)", [UInt8(index)])
            root = try store.apply(try changes.finish(), to: root, through: writer)
            #expect(try store.contents(root).count == index + 1)
        }
        #expect(store.statistics().syncs == 0)
        try writer.sync()
        #expect(store.statistics().syncs == 1)
        #expect(try store.contents(root).count == 10)
    }
}
