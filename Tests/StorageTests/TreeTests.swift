import Core
import Simulation
import Storage
import Testing

@Suite struct TreeTests {
    private static let datums = ["d", "e"]

    private static func key(_ random: inout Seeded) -> TreeKey {
        let depth = 1 + random.below(3)
        var path = ""
        for _ in 0..<depth { path += "/" + ["a", "b", "ab", "a!", "c-\(random.below(30))", "é"][random.below(6)] }
        return TreeKey(path: path, datum: datums[random.below(10) == 0 ? 1 : 0])
    }

    /// One random stream, done to the store and to the model.
    private static func stream(
        _ random: inout Seeded, _ store: Store, _ root: Root, _ model: inout [TreeKey: [UInt8]], steps: Int
    ) throws -> ChangeSet {
        let changes = store.beginChanges()
        var stream = ModelStream(model)
        for _ in 0..<steps {
            let key = key(&random)
            switch random.below(20) {
            case 0..<12:
                let bytes = random.bytes(random.below(8) == 0 ? 0 : random.below(600))
                try changes.add(key.path, bytes, datum: key.datum)
                stream.add(key, bytes)
            case 12..<15:
                try changes.delete(path: key.path, datum: key.datum)
                stream.delete(key)
            case 15:
                let prefix = random.below(8) == 0 ? "/" : key.path + "/"
                try changes.deleteTree(prefix: prefix, datum: key.datum)
                stream.deleteTree(prefix, datum: key.datum)
            default:
                guard let source = model.keys.sorted().randomElement(using: &random), let bytes = model[source],
                    let entry = try store.entry(root, path: source.path, datum: source.datum)
                else { continue }
                let append = random.below(2) == 0
                try changes.put(entry, path: key.path, datum: key.datum, append: append)
                if append { stream.add(key, bytes) } else { stream.replace(key, bytes) }
            }
        }
        model = stream.result
        return try changes.finish()
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `random streams give what a dictionary gives`(seed: UInt64) throws {
        var random = Seeded(seed)
        let store = try Store(objects: MemoryObjectStore(), options: seed % 2 == 0 ? .tiny : .simulated)
        let reference = try Store(objects: MemoryObjectStore(), options: .simulated)
        let writer = try store.makeCommitWriter()
        var root = Root.empty
        var model: [TreeKey: [UInt8]] = [:]
        for step in 0..<12 {
            let old = (root, model)
            let set = try Self.stream(&random, store, root, &model, steps: 1 + random.below(120))
            if set.isLarge { root = try store.applyLarge(set, to: root) } else {
                root = try store.apply(set, to: root, through: writer)
                if random.below(2) == 0 { try writer.sync() }
            }
            #expect(try store.contents(root) == model, "seed \(seed) step \(step)")
            #expect(try reference.build(model) == root, "not canonical: seed \(seed) step \(step)")
            try checkRanges(store, root, model, &random, "seed \(seed) step \(step)")
            try checkDiff(store, old, (root, model), &random, "seed \(seed) step \(step)")
        }
        try writer.sync()
        #expect(try store.findings(root) == [], "seed \(seed)")
    }

    private func bound(_ random: inout Seeded) -> TreeKey? {
        switch random.below(4) {
        case 0: nil
        case 1: TreeKey.bounds(pathPrefix: Self.key(&random).path + "/").from
        default: Self.key(&random)
        }
    }

    private func checkRanges(
        _ store: Store, _ root: Root, _ model: [TreeKey: [UInt8]], _ random: inout Seeded, _ note: Comment
    ) throws {
        let sorted = model.keys.sorted()
        for _ in 0..<6 {
            let from = bound(&random)
            let upTo = bound(&random)
            let inside = sorted.filter { key in (from.map { key >= $0 } ?? true) && (upTo.map { key < $0 } ?? true) }
            #expect(try store.keys(root, from: from, upTo: upTo) == inside, note)
            var back: [TreeKey] = []
            var cursor = store.scanBackward(root, below: upTo, downTo: from)
            while let key = try cursor.nextKey() { back.append(key) }
            #expect(back == inside.reversed(), note)
            let sum = try store.aggregate(root, from: from, upTo: upTo)
            #expect(sum.entries == UInt64(inside.count), note)
            #expect(sum.bytes == inside.reduce(0) { $0 + UInt64(model[$1]!.count) }, note)
            var seeking = store.scan(root, from: nil, upTo: nil)
            let target = Self.key(&random)
            try seeking.seek(to: target)
            #expect(try seeking.nextKey() == sorted.first { $0 >= target }, note)
            var before = store.scanBackward(root, below: nil, downTo: nil)
            try before.seek(to: target)
            #expect(try before.nextKey() == sorted.last { $0 < target }, note)
            let found = try store.entry(root, path: target.path, datum: target.datum)
            #expect(found.map { Int($0.size) } == model[target]?.count, note)
        }
    }

    private func checkDiff(
        _ store: Store, _ old: (Root, [TreeKey: [UInt8]]), _ new: (Root, [TreeKey: [UInt8]]), _ random: inout Seeded,
        _ note: Comment
    ) throws {
        let from = bound(&random)
        let upTo = bound(&random)
        let expected = Set(old.1.keys).union(new.1.keys).filter { key in
            old.1[key] != new.1[key] && (from.map { key >= $0 } ?? true) && (upTo.map { key < $0 } ?? true)
        }.sorted()
        var cursor = store.diff(old.0, new.0, from: from, upTo: upTo)
        var found: [TreeKey] = []
        while let (key, before, after) = try cursor.next() {
            found.append(key)
            #expect(before.map { Int($0.size) } == old.1[key]?.count, note)
            #expect(after.map { Int($0.size) } == new.1[key]?.count, note)
        }
        #expect(found == expected, note)
        var kept: [TreeKey] = []
        var without = store.diff(old.0, new.0, from: from, upTo: upTo, removals: false)
        while let (key, before, after) = try without.next() {
            kept.append(key)
            #expect(before.map { Int($0.size) } == old.1[key]?.count && after != nil, note)
        }
        #expect(kept == expected.filter { new.1[$0] != nil }, note)
    }

    @Test func `a diff without removals does not look into what was removed`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let old = try store.change(.empty) { changes in
            for index in 0..<20_000 { try changes.add("/\(index % 3)/file-\(index)", [1]) }
        }
        let new = try store.change(old) { changes in
            try changes.deleteTree(prefix: "/1/", datum: "d")
            try changes.add("/2/zzz", [1])
        }
        #expect(new.files == 13_334)
        let before = store.statistics().nodesVisited
        var cursor = store.diff(old, new, from: nil, upTo: nil, removals: false)
        #expect(try cursor.next()?.key == TreeKey(path: "/2/zzz", datum: "d"))
        #expect(try cursor.next() == nil)
        #expect(store.statistics().nodesVisited - before < 40)
        var gone = store.diff(new, .empty, from: nil, upTo: nil, removals: false)
        #expect(try gone.next() == nil)
    }

    @Test func `deleting a directory drops whole subtrees, unless there are other datums in them`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let old = try store.change(.empty) { changes in
            for index in 0..<30_000 { try changes.add("/\(index % 3)/file-\(index)", [1]) }
            try changes.add("/1/file-15001x", [2], datum: "other")
        }
        let writer = try store.makeCommitWriter()
        let before = store.statistics().nodesVisited
        let new = try store.change(old, writer) { changes in
            try changes.deleteTree(prefix: "/1/", datum: "d")
            try changes.add("/1/new", [1])
        }
        #expect(store.statistics().nodesVisited - before < 100)
        let (from, upTo) = TreeKey.bounds(pathPrefix: "/1/")
        #expect(try store.keys(new, from: from, upTo: upTo).map(\.path) == ["/1/file-15001x", "/1/new"])
        #expect(new.files == 20_002)
        #expect(try store.findings(new) == [])
        let none = try store.change(new, writer) { try $0.deleteTree(prefix: "/1/", datum: "nobody's") }
        #expect(none == new)
        let empty = try store.change(new, writer) { changes in
            try changes.deleteTree(prefix: "/", datum: "d")
            try changes.deleteTree(prefix: "/", datum: "other")
        }
        #expect(empty.isEmpty)
    }

    @Test(arguments: [1_000, 20_000])
    func `a tree is the same whatever the order and the batches of its writes`(count: Int) throws {
        var random = Seeded(UInt64(count))
        let names = (0..<count).map { "/dir\($0 % 37)/file-\($0)" }
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        func root(_ order: [String], batch: Int, extra: [String]) throws -> Root {
            var root = Root.empty
            for start in stride(from: 0, to: order.count, by: batch) {
                root = try store.change(root) { changes in
                    for name in order[start..<min(order.count, start + batch)] {
                        try changes.add(name, Array(name.utf8))
                    }
                    for name in extra { try changes.add(name, [1]) }
                }
            }
            if extra.isEmpty { return root }
            return try store.change(root) { changes in
                for name in extra { try changes.delete(path: name, datum: "d") }
            }
        }
        let whole = try root(names, batch: count, extra: [])
        #expect(whole.files == UInt64(count))
        #expect(try root(names.shuffled(using: &random), batch: count / 7 + 1, extra: []) == whole)
        let extra = (0..<500).map { "/dir\($0 % 50)/extra\($0)" }
        #expect(try root(names.reversed(), batch: count / 3 + 1, extra: extra) == whole)
        #expect(try store.aggregate(whole, from: nil, upTo: nil).entries == UInt64(count))
        #expect(try store.findings(whole) == [])
    }

    @Test func `one change in a large tree visits and writes one path`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let root = try store.change(.empty) { changes in
            for index in 0..<50_000 { try changes.add("/dir\(index % 100)/file-\(index)", [1]) }
        }
        let writer = try store.makeCommitWriter()
        var before = store.statistics()
        let next = try store.change(root, writer) { try $0.add("/dir50/new", [2]) }
        var after = store.statistics()
        #expect(after.slotsAppended - before.slotsAppended <= 3 * (Int(root.level) + 2))
        #expect(after.bytesWritten - before.bytesWritten < 80_000)
        before = store.statistics()
        var cursor = store.diff(root, next, from: nil, upTo: nil)
        #expect(try cursor.next()?.key == TreeKey(path: "/dir50/new", datum: "d"))
        #expect(try cursor.next() == nil)
        after = store.statistics()
        #expect(after.nodesVisited - before.nodesVisited <= 6 * (Int(root.level) + 2))
        before = after
        let (from, upTo) = TreeKey.bounds(pathPrefix: "/dir50/")
        #expect(try store.aggregate(next, from: from, upTo: upTo).entries == 501)
        after = store.statistics()
        #expect(after.nodesVisited - before.nodesVisited <= 2 * (Int(root.level) + 1))
    }

    @Test func `the fingerprint of a directory depends on its files alone`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        func files(_ extra: Int) throws -> Root {
            try store.change(.empty) { changes in
                for index in 0..<3_000 { try changes.add("/same/file-\(index)", [UInt8(index % 7)]) }
                for index in 0..<extra { try changes.add("/other/\(index)", [1]) }
            }
        }
        let (from, upTo) = TreeKey.bounds(pathPrefix: "/same/")
        let one = try store.aggregate(files(0), from: from, upTo: upTo)
        #expect(try store.aggregate(files(777), from: from, upTo: upTo) == one)
        let changed = try store.change(files(0)) { try $0.add("/same/file-5", [9]) }
        #expect(try store.aggregate(changed, from: from, upTo: upTo).fingerprint != one.fingerprint)
    }

    @Test func `keys are compared by bytes, not as text`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let root = try store.change(.empty) { changes in
            try changes.add("/caf\u{e9}", [1])
            try changes.add("/cafe\u{301}", [2])
        }
        #expect(root.files == 2)
    }

    @Test func `very long keys and many datums still make a sound tree`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let long = String(repeating: "x", count: 5_000)
        var model: [TreeKey: [UInt8]] = [:]
        for index in 0..<60 { model[TreeKey(path: "/\(long)\(index)", datum: "d\(index % 9)")] = [UInt8(index)] }
        let root = try store.build(model)
        #expect(try store.contents(root) == model)
        #expect(try store.findings(root) == [])
    }
}
