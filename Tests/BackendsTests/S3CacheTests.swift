import Core
import Foundation
import Simulation
import Synchronization
import Testing

@testable import Backends

@Suite struct S3CacheTests {
    private let folder = NSTemporaryDirectory() + "spile-blocks-\(UUID().uuidString)"
    private let object = String(repeating: "0a", count: 16)

    private func withFolder(_ body: () throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body()
    }

    private func id(_ index: Int) -> BlockCache.BlockID { BlockCache.BlockID(object: object, index: index) }
    private func bytes(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] { SeededRandomness(seed: seed).bytes(count) }

    private func put(_ cache: BlockCache, _ index: Int, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { cache.put(id(index), $0) }
    }

    private func read(_ cache: BlockCache, _ index: Int, _ range: Range<Int>, of length: Int) -> [UInt8]? {
        var found = [UInt8](repeating: 0, count: range.count)
        let isThere = found.withUnsafeMutableBytes {
            cache.read(id(index), length: length, offset: range.lowerBound, into: $0)
        }
        return isThere ? found : nil
    }

    @Test(arguments: [1, 65_535, 65_536, 65_537, 1 << 20])
    func `any range of a block is what was put`(count: Int) throws {
        try withFolder {
            let cache = BlockCache(folder: folder, limit: 10 << 20)
            let content = bytes(count)
            #expect(read(cache, 0, 0..<1, of: count) == nil)
            put(cache, 0, content)
            let random = SeededRandomness(seed: 3)
            for _ in 0..<50 {
                let start = random.below(count)
                let range = start..<(start + 1 + random.below(count - start))
                #expect(read(cache, 0, range, of: count) == Array(content[range]))
            }
            #expect(read(cache, 0, 0..<count, of: count) == content)
            let next = BlockCache(folder: folder, limit: 10 << 20)
            #expect(read(next, 0, 0..<count, of: count) == content)
        }
    }

    @Test func `no damaged byte is given out, and the block is dropped`() throws {
        try withFolder {
            let cache = BlockCache(folder: folder, limit: 10 << 20)
            let content = bytes(100_000)
            let path = "\(folder)/\(id(0).fileName)"
            for offset in [0, 8, 40, 71, 72, 40_000, 65_607, 65_608, 100_071] {
                put(cache, 0, content)
                var file = try Data(contentsOf: URL(fileURLWithPath: path))
                #expect(file.count == 100_072)
                file[offset] ^= 1
                try file.write(to: URL(fileURLWithPath: path))
                #expect(read(cache, 0, 0..<100_000, of: 100_000) == nil)
                #expect(!FileManager.default.fileExists(atPath: path))
            }
            #expect(cache.statistics.damaged == 9)
            for length in [0, 7, 72, 100_071] {
                put(cache, 0, content)
                try Data(contentsOf: URL(fileURLWithPath: path)).prefix(length).write(to: URL(fileURLWithPath: path))
                #expect(read(cache, 0, 0..<100_000, of: 100_000) == nil)
            }
            #expect(cache.statistics.blocks == 0 && cache.statistics.bytes == 0)
        }
    }

    @Test func `a block under the name of another is not taken for it`() throws {
        try withFolder {
            let cache = BlockCache(folder: folder, limit: 10 << 20)
            put(cache, 0, bytes(1_000, 1))
            put(cache, 1, bytes(1_000, 2))
            try FileManager.default.removeItem(atPath: "\(folder)/\(id(1).fileName)")
            try FileManager.default.copyItem(
                atPath: "\(folder)/\(id(0).fileName)", toPath: "\(folder)/\(id(1).fileName)")
            #expect(read(cache, 1, 0..<1_000, of: 1_000) == nil)
            #expect(read(cache, 0, 0..<1_000, of: 1_000) == bytes(1_000, 1))
        }
    }

    @Test func `the bytes kept are bounded, and the least recently used go first`() throws {
        try withFolder {
            let size = 100_000 + 8 + 64
            let cache = BlockCache(folder: folder, limit: 3 * size)
            for index in 0..<3 { put(cache, index, bytes(100_000, UInt64(index))) }
            #expect(read(cache, 0, 0..<10, of: 100_000) != nil)
            put(cache, 3, bytes(100_000, 3))
            #expect((0..<4).map { cache.contains(id($0)) } == [true, false, true, true])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 3)
            #expect(cache.statistics.bytes == 3 * size)
            // A smaller one, and what is none of its files, when it is opened again.
            try Data([1]).write(to: URL(fileURLWithPath: folder + "/new-7"))
            let next = BlockCache(folder: folder, limit: 2 * size)
            #expect(next.statistics.blocks == 2)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
            let none = BlockCache(folder: folder, limit: 0)
            put(none, 9, bytes(10))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test func `a folder that is gone is no error`() throws {
        let cache = BlockCache(folder: folder + "/none", limit: 1 << 20)
        put(cache, 0, bytes(10))
        #expect(read(cache, 0, 0..<10, of: 10) == nil)
    }

    @Test func `the order of use is that of a plain list`() {
        let random = SeededRandomness(seed: 5)
        var real = LeastRecent<Int>()
        var model: [(key: Int, cost: Int)] = []
        for _ in 0..<5_000 {
            let key = random.below(20)
            switch random.below(4) {
            case 0:
                let cost = random.below(10)
                real.insert(key, cost: cost)
                model.removeAll { $0.key == key }
                model.append((key, cost))
            case 1:
                let entry = model.first { $0.key == key }
                #expect(real.touch(key) == (entry != nil))
                model.removeAll { $0.key == key }
                if let entry { model.append(entry) }
            case 2:
                real.remove(key)
                model.removeAll { $0.key == key }
            default:
                #expect(real.removeOldest() == model.first?.key)
                if !model.isEmpty { model.removeFirst() }
            }
            #expect(real.count == model.count)
            #expect(real.cost == model.reduce(0) { $0 + $1.cost })
            #expect(real.contains(key) == model.contains { $0.key == key })
        }
    }
}

@Suite struct S3BoundsTests {
    private struct Stop: Error {}

    @Test func `bodies under way are bounded, and all get their turn`() {
        let budget = TransferBudget(limit: 100)
        let state = Mutex((now: 0, most: 0, done: 0))
        let random = SeededRandomness(seed: 1)
        let sizes = (0..<200).map { _ in random.below(150) }
        DispatchQueue.concurrentPerform(iterations: 200) { index in
            let size = min(sizes[index], 100)
            budget.with(sizes[index]) {
                state.withLock {
                    $0.now += size
                    $0.most = max($0.most, $0.now)
                }
                state.withLock {
                    $0.now -= size
                    $0.done += 1
                }
            }
        }
        #expect(state.withLock { $0.most } <= 100)
        #expect(state.withLock { $0.done } == 200)
    }

    @Test func `steps run side by side, each once; after an error none begins`() throws {
        let done = Mutex<[Int]>([])
        try Parallel.forEach(50, width: 4) { index in done.withLock { $0.append(index) } }
        #expect(done.withLock { $0.sorted() } == Array(0..<50))
        try Parallel.forEach(0, width: 4) { _ in throw Stop() }
        let begun = Mutex(0)
        #expect(throws: Stop.self) {
            try Parallel.forEach(1_000, width: 1) { index in
                begun.withLock { $0 += 1 }
                if index == 3 { throw Stop() }
            }
        }
        #expect(begun.withLock { $0 } == 4)
    }

    @Test func `keys of the store are told from those of others`() {
        let names = S3Names(prefix: "p/")
        #expect(names.place("p/a") == .finished("a"))
        #expect(names.place(names.begun("a")) == .open("a", .begun))
        #expect(names.place(names.extent("a", 0xabc)) == .open("a", .extent(0xabc)))
        #expect(names.extent("a", 0xabc) == "p/open/a/0000000000000abc")
        #expect(names.place(names.end("a", as: "b")) == .open("a", .end("b")))
        #expect(names.place("p/open/a/else") == .open("a", .other))
        for key in ["p/", "p", "q/a", "p/x/y", "p/open/x"] { #expect(names.place(key) == nil) }
    }

    @Test func `what was synced ends at the first gap, and each extent where the next begins`() {
        func synced(_ extents: [(Int, Int)]) -> [S3Group.Extent] {
            var group = S3Group()
            for (offset, size) in extents { group.add(S3Item(key: "\(offset)", size: size), .extent(offset)) }
            return group.synced
        }
        func extents(_ list: [(Int, Int)]) -> [S3Group.Extent] { list.map { S3Group.Extent(offset: $0, size: $1) } }
        #expect(synced([]) == [])
        #expect(synced([(5, 5)]) == [])
        #expect(synced([(10, 5), (0, 10)]) == extents([(0, 10), (10, 5)]))
        #expect(synced([(0, 10), (6, 2), (8, 3)]) == extents([(0, 6), (6, 2), (8, 3)]))
        #expect(synced([(0, 10), (11, 5), (16, 1)]) == extents([(0, 10)]))
    }
}
