import Core
import Simulation
import Storage
import Testing

@Suite struct FileSetTests {
    /// What a stream may do, as a value, so that it can be done to several things.
    private enum Step {
        case add(TreeKey, [UInt8])
        case delete(TreeKey)
        case deleteTree(String, datum: String)
        /// Content that is stored already: behind what is there, or in its place.
        case put(TreeKey, [UInt8], FileEntry, append: Bool)
    }

    private static func key(_ random: inout Seeded) -> TreeKey {
        let names = ["a", "b", "a!", "c\(random.below(12))"]
        var path = ""
        for _ in 0..<(1 + random.below(3)) { path += "/" + names[random.below(4)] }
        return TreeKey(path: path, datum: ["d", "e"][random.below(4) == 0 ? 1 : 0])
    }

    private static func program(
        _ random: inout Seeded, _ sources: [(bytes: [UInt8], entry: FileEntry)], steps: Int
    ) -> [Step] {
        (0..<steps).map { _ in
            let key = key(&random)
            switch random.below(12) {
            case 0..<6: return .add(key, random.bytes(random.below(6) == 0 ? 0 : random.below(400)))
            case 6, 7: return .delete(key)
            case 8, 9: return .deleteTree(random.below(6) == 0 ? "/" : key.path + "/", datum: key.datum)
            default:
                guard !sources.isEmpty else { return .delete(key) }
                let source = sources[random.below(sources.count)]
                return .put(key, source.bytes, source.entry, append: random.below(2) == 0)
            }
        }
    }

    private static func run(_ program: [Step], on files: [TreeKey: [UInt8]]) -> [TreeKey: [UInt8]] {
        var stream = ModelStream(files)
        for step in program {
            switch step {
            case .add(let key, let bytes): stream.add(key, bytes)
            case .delete(let key): stream.delete(key)
            case .deleteTree(let prefix, let datum): stream.deleteTree(prefix, datum: datum)
            case .put(let key, let bytes, _, let append):
                if append { stream.add(key, bytes) } else { stream.replace(key, bytes) }
            }
        }
        return stream.result
    }

    private static func collect(_ program: [Step], _ store: Store) throws -> ChangeSet {
        let changes = store.beginChanges()
        for step in program {
            switch step {
            case .add(let key, let bytes): try changes.add(key.path, bytes, datum: key.datum)
            case .delete(let key): try changes.delete(path: key.path, datum: key.datum)
            case .deleteTree(let prefix, let datum): try changes.deleteTree(prefix: prefix, datum: datum)
            case .put(let key, _, let entry, let append):
                try changes.put(entry, path: key.path, datum: key.datum, append: append)
            }
        }
        return try changes.finish()
    }

    private static func base(
        _ random: inout Seeded, _ store: Store
    ) throws -> (root: Root, files: [TreeKey: [UInt8]], sources: [(bytes: [UInt8], entry: FileEntry)]) {
        let files = run(program(&random, [], steps: 150).filter { if case .add = $0 { true } else { false } }, on: [:])
        let root = try store.build(files)
        let sources = try files.keys.sorted().prefix(10).map { key in
            (
                bytes: files[key] ?? [],
                entry: try #require(try store.entry(root, path: key.path, datum: key.datum))
            )
        }
        return (root, files, sources)
    }

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func `a stored stream laid over any tree does what the stream would do`(seed: UInt64) throws {
        var random = Seeded(seed)
        let store = try Store(objects: MemoryObjectStore(), options: seed % 2 == 0 ? .tiny : .simulated)
        let (root, files, sources) = try Self.base(&random, store)
        for step in 0..<6 {
            let program = Self.program(&random, sources, steps: 1 + random.below(80))
            let stream = try Self.collect(program, store)
            let set = try store.bulk { try store.fileSet(of: stream, through: $0) }
            let label: Comment = "seed \(seed) step \(step)"
            #expect(try store.contents(set.content) == Self.run(program, on: [:]), label)
            let laid = try store.applyLarge(store.changes(of: set), to: root)
            #expect(try store.contents(laid) == Self.run(program, on: files), label)
            #expect(try laid == store.applyLarge(stream, to: root), label)
            #expect(try store.findings(set.content) + store.findings(set.deletions) == [], label)
        }
    }

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func `two composed do what one and then the other does`(seed: UInt64) throws {
        var random = Seeded(seed &+ 1000)
        let store = try Store(objects: MemoryObjectStore(), options: seed % 2 == 0 ? .tiny : .simulated)
        let (root, files, sources) = try Self.base(&random, store)
        for step in 0..<6 {
            let programs = (0..<3).map { _ in Self.program(&random, sources, steps: random.below(40)) }
            let sets = try programs.map { program in
                try store.bulk { try store.fileSet(of: Self.collect(program, store), through: $0) }
            }
            let left = try store.bulk { writer in
                try store.compose(
                    try store.compose(sets[0], sets[1], through: writer), sets[2], through: writer)
            }
            let right = try store.bulk { writer in
                try store.compose(
                    sets[0], try store.compose(sets[1], sets[2], through: writer), through: writer)
            }
            let label: Comment = "seed \(seed) step \(step)"
            #expect(left == right, label)
            let expected = programs.reduce(files) { Self.run($1, on: $0) }
            #expect(try store.contents(store.applyLarge(store.changes(of: left), to: root)) == expected, label)
            #expect(try store.contents(left.content) == programs.reduce([:]) { Self.run($1, on: $0) }, label)
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `the difference of two trees leads from one to the other`(seed: UInt64) throws {
        var random = Seeded(seed &+ 2000)
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        let (root, files, sources) = try Self.base(&random, store)
        let program = Self.program(&random, sources, steps: 60)
        let target = try store.applyLarge(Self.collect(program, store), to: root)
        let set = try store.bulk { try store.fileSet(from: root, to: target, through: $0) }
        let changed = Self.run(program, on: files).filter { files[$0.key] != $0.value }
        #expect(try store.contents(set.content) == changed)
        #expect(try store.applyLarge(store.changes(of: set), to: root) == target)
        #expect(try store.bulk { try store.fileSet(from: root, to: root, through: $0) } == .empty)
    }

    @Test func `a deletion above takes no deletion below away`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let root = try store.build([TreeKey(path: "/a/x", datum: "d"): [1], TreeKey(path: "/a/y", datum: "e"): [2]])
        func set(_ steps: [Step]) throws -> FileSet {
            try store.bulk { try store.fileSet(of: Self.collect(steps, store), through: $0) }
        }
        let lower = try set([.delete(TreeKey(path: "/a/y", datum: "e"))])
        let upper = try set([.deleteTree("/a/", datum: "d")])
        let both = try store.bulk { try store.compose(lower, upper, through: $0) }
        #expect(both.deletions.files == 2)
        #expect(try store.applyLarge(store.changes(of: both), to: root).isEmpty)
    }

    // MARK: Shards

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `cuts leave no piece fuller than one file makes it`(seed: UInt64) throws {
        var random = Seeded(seed &+ 3000)
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        var files: [TreeKey: [UInt8]] = [:]
        for _ in 0..<random.below(900) { files[Self.key(&random)] = random.bytes(random.below(300)) }
        for index in 0..<random.below(600) { files[TreeKey(path: "/z/\(index)", datum: "d")] = random.bytes(3) }
        let root = try store.build(files)
        let limits = [(1, 1_000_000), (7, 1_000_000), (100_000, 500), (50, 4000), (100_000, 1 << 40)]
        for (limitFiles, limitBytes) in limits {
            var expected: [String] = []
            var (count, size, last) = (0, 0, nil as String?)
            for key in files.keys.sorted() {
                if count >= limitFiles || size >= limitBytes, let last, last != key.path {
                    expected.append(key.path)
                    (count, size) = (0, 0)
                }
                count += 1
                size += files[key]?.count ?? 0
                last = key.path
            }
            let cuts = try store.cuts(root, files: UInt64(limitFiles), bytes: UInt64(limitBytes), limit: 5000)
            #expect(cuts == expected, "seed \(seed), \(limitFiles) files, \(limitBytes) bytes")
        }
    }

    @Test func `more cuts than allowed are refused`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let root = try store.build(
            Dictionary(uniqueKeysWithValues: (0..<20).map { (TreeKey(path: "/\($0)", datum: "d"), [1]) }))
        #expect(try store.cuts(root, files: 1, bytes: 100, limit: 19).count == 19)
        let error = #expect(throws: SpileError.self) { try store.cuts(root, files: 1, bytes: 100, limit: 18) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `the runs of a file are its bytes, as few as wanted`() throws {
        var random = Seeded(9)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        for size in [0, 1, 100_000, 12 << 20] {
            let key = TreeKey(path: "/f", datum: "d")
            let root = try store.build([key: random.bytes(size)])
            let entry = try #require(try store.entry(root, path: "/f", datum: "d"))
            for limit in [2, 3, 8192] {
                let runs = try store.runs(of: entry, limit: limit)
                #expect(runs.count <= limit)
                #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound && !$0.isEmpty })
                #expect(runs.first?.lowerBound ?? 0 == 0)
                #expect(runs.last?.upperBound ?? 0 == UInt64(size))
                if size == 12 << 20, limit == 8192 { #expect(runs.count > 3) }
            }
        }
    }
}

@Suite struct HashingTests {
    @Test(
        arguments: [
            (0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
            (127, "f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72"),
            (128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1"),
            (129, "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9"),
            (256, "582f782226018ec33076bd8d1c42413530ac7e1126260ffc0f306ba3befc3f24"),
            (1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331"),
        ])
    func `BLAKE2b gives what others give, however the bytes come`(size: Int, expected: String) {
        let bytes = (0..<size).map { UInt8($0 % 251) }
        for step in [1, 7, 128, 129, 5000] {
            var hash = Blake2b()
            for start in stride(from: 0, to: size, by: step) {
                bytes[start..<min(size, start + step)].withUnsafeBytes { hash.update($0) }
            }
            #expect("\(hash.finish())" == expected, "in steps of \(step)")
        }
    }

    @Test func `a signature holds for its bytes and its key alone`() {
        let signature = Hashing.signature(of: [1, 2, 3], key: [9])
        #expect(Hashing.isSignature(signature, of: [1, 2, 3], key: [9]))
        #expect(!Hashing.isSignature(signature, of: [1, 2, 4], key: [9]))
        #expect(!Hashing.isSignature(signature, of: [1, 2, 3], key: [8]))
    }
}

/// Without an activity around it: nothing is collected here.
extension Store {
    fileprivate func changes(of set: FileSet) -> ChangeSet { changes(of: set, for: beginWriting()) }

    fileprivate func compose(_ lower: FileSet, _ upper: FileSet, through writer: SlotWriter) throws -> FileSet {
        try compose(lower, upper, through: writer, for: beginWriting())
    }

    fileprivate func fileSet(from old: Root, to new: Root, through writer: SlotWriter) throws -> FileSet {
        try fileSet(from: old, to: new, through: writer, for: beginWriting())
    }
}
