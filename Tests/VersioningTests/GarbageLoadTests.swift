import Core
import Foundation
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

/// Collections beside writers, readers, copies and deletions, by seed.
@Suite(.serialized) struct GarbageLoadTests {
    /// What was acknowledged, by the commit that holds it; guarded by the mutex.
    private final class Ledger: Sendable {
        struct Item: Sendable {
            let commit: CommitKey
            let path: String
            let content: Int
        }
        private let items = Mutex<[Item]>([])

        func add(_ item: Item) { items.withLock { $0.append(item) } }
        func drop(_ repo: RepoKey) { items.withLock { $0.removeAll { $0.commit.repo == repo } } }
        var all: [Item] { items.withLock { $0 } }
    }

    private struct World: Sendable {
        let history: History
        let ledger = Ledger()
        /// Contents that many files share, so that streams keep finding each other's chunks.
        let contents: [[UInt8]]
        let copies = Counter()
        let reads = Counter()
    }

    final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        func add() { count.add(1, ordering: .relaxed) }
        var value: Int { count.load(ordering: .relaxed) }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `every acknowledged file is there, whatever was collected meanwhile`(seed: UInt64) async throws {
        let small = try SmallHistory(seed: seed)
        let random = SeededRandomness(seed: seed)
        let sizes = [300, 5_000, 80_000, 150_000, 400_000, 700_000]
        let world = World(history: small.history, contents: sizes.map { random.bytes($0) })
        let isOver = Flag()
        let freed = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await onThread {
                    var freed = 0
                    while !isOver.isRaised {
                        freed += try world.history.collect().bytesFreed
                        rest()
                    }
                    return freed
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for writer in 0..<3 {
                    let random = SeededRandomness(seed: seed &* 7919 &+ UInt64(writer))
                    writers.addTask { try await Self.write(world, writer, random) }
                }
                defer { isOver.raise() }
                try await writers.waitForAll()
            }
            return try await group.reduce(0, +)
        }
        #expect(freed > 0, "seed \(seed): nothing was ever collected")
        #expect(world.copies.value > 0 && world.reads.value > 0, "seed \(seed)")
        try Self.compare(world, small.history, "seed \(seed)")
        _ = try await onThread { try world.history.collect() }
        try Self.compare(world, small.history, "seed \(seed), collected")
    }

    private static func compare(_ world: World, _ history: History, _ context: String) throws {
        for item in world.ledger.all {
            let found = try history.content(CommitHandle(item.commit), item.path)
            #expect(found == world.contents[item.content], "\(context): \(item.commit) \(item.path)")
        }
        #expect(try history.findings() == [], "\(context)")
    }

    private static func write(_ world: World, _ writer: Int, _ random: SeededRandomness) async throws {
        let kept = try await world.history.makeRepo("kept-\(writer)")
        var passing: [RepoKey] = []
        for turn in 0..<25 {
            switch random.below(10) {
            case 0..<4: try await put(world, into: kept, "/\(turn)", random)
            case 4..<6:
                let repo = try await world.history.makeRepo("passing-\(writer)-\(turn)")
                passing.append(repo)
                try await put(world, into: repo, "/f", random)
            case 6..<8: try await copy(world, into: kept, "/copy-\(turn)", random)
            case 8:
                guard let repo = passing.popLast() else { continue }
                world.ledger.drop(repo)
                try await world.history.drop(repo)
            default: try read(world, random)
            }
        }
        for repo in passing {
            world.ledger.drop(repo)
            try await world.history.drop(repo)
        }
    }

    private static func put(
        _ world: World, into repo: RepoKey, _ path: String, _ random: SeededRandomness
    ) async throws {
        let content = random.below(world.contents.count)
        let commit = try await world.history.put(repo.branch("master"), [path: world.contents[content]])
        world.ledger.add(Ledger.Item(commit: commit, path: path, content: content))
    }

    /// Copies some file, of a commit that may be deleted meanwhile.
    private static func copy(
        _ world: World, into repo: RepoKey, _ path: String, _ random: SeededRandomness
    ) async throws {
        let known = world.ledger.all
        guard !known.isEmpty else { return }
        let source = random.pick(known)
        var isThere = true
        let commit = try await world.history.modify(CommitHandle(repo.branch("master"))) { upload in
            do {
                let file = FileReference(commit: CommitHandle(source.commit), path: source.path)
                try upload.copy(from: file, to: path, datum: "", append: false)
            } catch let error as SpileError where error.code == .notFound {
                isThere = false
            }
        }
        guard isThere else { return }
        world.copies.add()
        world.ledger.add(Ledger.Item(commit: commit, path: path, content: source.content))
    }

    /// Reads some file, of a commit that may be deleted meanwhile: whole or not at all.
    private static func read(_ world: World, _ random: SeededRandomness) throws {
        let known = world.ledger.all
        guard !known.isEmpty else { return }
        let item = random.pick(known)
        do {
            let files = try world.history.files(CommitHandle(item.commit))
            let entry = try #require(try files.inspect(item.path)?.entry)
            let bytes = try world.history.store.read(entry, offset: 0, maxBytes: Int(entry.size))
            #expect(bytes == world.contents[item.content])
            withExtendedLifetime(files) {}
            world.reads.add()
        } catch let error as SpileError where error.code == .notFound {
            return
        }
    }
}
