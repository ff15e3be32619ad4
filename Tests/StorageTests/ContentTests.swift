import Core
import Simulation
import Storage
import Testing

@Suite struct ContentTests {
    private func entry(_ store: Store, _ pieces: [[UInt8]]) throws -> FileEntry {
        let root = try store.change(.empty) { changes in for piece in pieces { try changes.add("/f", piece) } }
        return try #require(try store.entry(root, path: "/f", datum: "d"))
    }

    @Test(arguments: [0, 1, 100, 65_535, 65_536, 65_537, 300_000, 5_000_000])
    func `the same bytes give the same digest however they are split`(size: Int) throws {
        var random = Seeded(UInt64(size) + 1)
        let bytes = random.bytes(size)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let whole = try entry(store, [bytes])
        #expect(whole.size == UInt64(size))
        for _ in 0..<3 {
            var pieces: [[UInt8]] = [[]]
            var position = 0
            while position < size {
                let end = min(size, position + 1 + random.below(max(1, size / 3)))
                pieces.append(Array(bytes[position..<end]))
                position = end
            }
            let split = try entry(store, pieces)
            #expect(split == whole, "size \(size), pieces \(pieces.map(\.count))")
            #expect(try store.read(split, offset: 0, maxBytes: size) == bytes)
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `appending commit by commit gives the digest of the whole`(seed: UInt64) throws {
        var random = Seeded(seed)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let writer = try store.makeCommitWriter()
        var root = Root.empty
        var bytes: [UInt8] = []
        for step in 0..<60 {
            let scale = [10, 1_000, 70_000, 400_000][random.below(4)]
            let piece = random.bytes(1 + random.below(scale))
            bytes += piece
            root = try store.change(root, random.below(3) == 0 ? nil : writer) { try $0.add("/f", piece) }
            if step % 20 == 19 {
                let found = try #require(try store.entry(root, path: "/f", datum: "d"))
                #expect(try store.read(found, offset: 0, maxBytes: bytes.count) == bytes, "seed \(seed) step \(step)")
                #expect(try found == entry(store, [bytes]), "seed \(seed) step \(step)")
            }
        }
        #expect(try store.findings(root) == [])
    }

    @Test func `small appends keep a file in few pieces and cost the same on a long file as on an empty one`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let writer = try store.makeCommitWriter()
        var random = Seeded(7)
        var bytes = random.bytes(3_000_000)
        var root = try store.change(.empty, writer) { try $0.add("/long", bytes) }
        func cost(_ path: String) throws -> Int {
            let before = store.statistics()
            for _ in 0..<200 { root = try store.change(root, writer) { try $0.add(path, Array("0123456789".utf8)) } }
            return store.statistics().bytesWritten - before.bytesWritten
        }
        let onEmpty = try cost("/new")
        let onLong = try cost("/long")
        for _ in 0..<200 { bytes += Array("0123456789".utf8) }
        #expect(Double(onLong) <= 4 * Double(onEmpty), "\(onLong) bytes against \(onEmpty)")
        let found = try #require(try store.entry(root, path: "/long", datum: "d"))
        #expect(found.encoded.count < 4_000, "an entry of \(found.encoded.count) bytes")
        #expect(try store.read(found, offset: 0, maxBytes: bytes.count) == bytes)
    }

    @Test func `a small file's entry is short and survives encoding`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let found = try entry(store, [Seeded(3).withBytes(1024)])
        #expect(found.encoded.count <= 60)
        #expect(try FileEntry(encoded: found.encoded) == found)
        #expect(throws: SpileError.self) { try FileEntry(encoded: Array(found.encoded.dropLast())) }
    }

    @Test func `any run of bytes can be read`() throws {
        var random = Seeded(11)
        let bytes = random.bytes(3_000_000)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let found = try entry(store, [bytes])
        for _ in 0..<50 {
            let from = random.below(bytes.count)
            let count = random.below(bytes.count - from + 10)
            let expected = Array(bytes[from..<min(bytes.count, from + count)])
            #expect(try store.read(found, offset: UInt64(from), maxBytes: count) == expected)
        }
        var reader = store.reader(found, offset: 100, length: 1_000_000)
        var gathered: [UInt8] = []
        while let piece = try reader.next(maxBytes: 70_001) { gathered += piece }
        #expect(gathered == Array(bytes[100..<1_000_100]))
        #expect(try store.read(found, offset: 3_000_000, maxBytes: 10) == [])
    }

    /// All but the end of the file, which is shorter than a block and shares a pack with others.
    @Test func `content that is known already is not written again, also after a restart`() throws {
        let objects = MemoryObjectStore()
        let bytes = Seeded(5).withBytes(6_000_000)
        var store = try Store(objects: objects, options: .simulated)
        let first = try entry(store, [bytes])
        let before = store.statistics().payloadBytes
        #expect(try entry(store, [bytes]) == first)
        #expect(store.statistics().payloadBytes - before < 65_536)
        try store.close()
        store = try Store(objects: objects, options: .simulated)
        #expect(try entry(store, [bytes]) == first)
        #expect(store.statistics().payloadBytes < 65_536)
    }

    @Test func `a change in the middle of a long file rewrites only what is near it`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        var bytes = Seeded(6).withBytes(30_000_000)
        _ = try entry(store, [bytes])
        let before = store.statistics().payloadBytes
        bytes.insert(contentsOf: [1, 2, 3], at: 15_000_000)
        let changed = try entry(store, [bytes])
        #expect(store.statistics().payloadBytes - before < 65_536_000)
        #expect(try store.read(changed, offset: 14_999_990, maxBytes: 30) == Array(bytes[14_999_990..<15_000_020]))
    }

    @Test func `a part list too long for its entry lives in a tree of its own and grows at its end`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        // One chunk of zeros, known after its first time, makes a long list cheaply.
        let zeros = [UInt8](repeating: 0, count: 8 << 20)
        var root = Root.empty
        for _ in 0..<3 {
            root = try store.change(root) { changes in for _ in 0..<50 { try changes.add("/zeros", zeros) } }
        }
        let found = try #require(try store.entry(root, path: "/zeros", datum: "d"))
        #expect(found.size == 150 * 8 << 20)
        #expect(found.encoded.count < 200)
        #expect(try store.read(found, offset: 999_999_999, maxBytes: 10) == [UInt8](repeating: 0, count: 10))
        let whole = try entry(store, Array(repeating: zeros, count: 150))
        #expect(whole == found)
        #expect(store.statistics().payloadBytes < 30_000_000)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `a file of chunks by their hashes is the same as by its bytes`(seed: UInt64) throws {
        var random = Seeded(seed)
        let bytes = random.bytes(7_000_000)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let whole = try entry(store, [bytes])
        for changed in [false, true] {
            var other = bytes
            if changed { other[3_500_000] ^= 1 }
            var (sent, chunks, position) = (0, 0, 0)
            let root = try store.change(.empty) { changes in
                var cutter = FileCutter()
                while position < other.count {
                    let end = min(other.count, position + 1 + random.below(300_000))
                    try other[position..<end].withUnsafeBytes { piece in
                        try cutter.take(piece) { chunk in
                            chunks += 1
                            let isKnown = try changes.add(
                                path: "/g", datum: "d", chunk: chunk.hash, length: chunk.bytes.count)
                            if isKnown { return }
                            sent += 1
                            try changes.add("/g", chunk.bytes)
                        }
                    }
                    position = end
                }
                try changes.add("/g", cutter.finish())
            }
            let made = try #require(try store.entry(root, path: "/g", datum: "d"))
            #expect(chunks >= 4)
            // What is changed in one place is new in one chunk, or in two where the place decided about a cut.
            #expect(changed ? (1...2).contains(sent) : sent == 0, "\(sent) of \(chunks)")
            #expect((made == whole) == !changed)
            #expect(try store.read(made, offset: 0, maxBytes: other.count) == other)
        }
    }

    @Test func `no chunk is taken by its hash where it would not stand by its bytes`() throws {
        var random = Seeded(9)
        let bytes = random.bytes(3_000_000)
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        _ = try entry(store, [bytes])
        var first: FileCutter.Chunk?
        var cutter = FileCutter()
        bytes.withUnsafeBytes { cutter.take($0) { chunk in first = first ?? chunk } }
        let chunk = try #require(first)
        _ = try store.change(.empty) { changes in
            let isShorter = try changes.add(
                path: "/f", datum: "d", chunk: chunk.hash, length: chunk.bytes.count - 1)
            #expect(!isShorter)
            try changes.add("/f", [1])
            let isWithin = try changes.add(path: "/f", datum: "d", chunk: chunk.hash, length: chunk.bytes.count)
            #expect(!isWithin)
            let isUnknown = try changes.add(path: "/h", datum: "d", chunk: .zero, length: 600_000)
            #expect(!isUnknown)
        }
    }
}

extension Seeded {
    func withBytes(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
