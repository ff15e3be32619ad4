import Backends
import Core
import Foundation
import Logging
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

/// Writers, readers, a subscriber, droppers and the collector side by side, in an order that the seed decides: the same
/// seed is the same run, and whatever the order is, nothing is lost, torn or missed.
@Suite struct SimulationTests {
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func theSameSeedIsTheSameRunAndEveryRunIsSound(seed: UInt64) async throws {
        let first = try await onThread { try Run(seed: seed).carryOut() }
        let second = try await onThread { try Run(seed: seed).carryOut() }
        #expect(first == second, "seed \(seed): another run")
        #expect(first.count > 100, "seed \(seed): little happened")
        #expect(first.contains { $0.hasPrefix("collected") }, "seed \(seed): nothing was collected")
    }

    @Test func anotherSeedIsAnotherRun() async throws {
        let runs = try await onThread { try (100...102).map { try Run(seed: $0).carryOut() } }
        #expect(Set(runs).count == 3)
    }
}

/// One run. Everything happens on the thread that calls ``carryOut()``.
private final class Run: Sendable {
    private let seed: UInt64
    private let random: SeededRandomness
    private let executor: SeededExecutor
    private let history: History
    private let folder: String
    /// What happened, in order; guarded by its mutex.
    private let log = Mutex<[String]>([])
    /// Files by the commit that was acknowledged to hold them.
    private let acknowledged = Mutex<[(commit: CommitKey, path: String, text: String)]>([])
    /// Ids as the subscriber got them.
    private let delivered = Mutex<[CommitID]>([])

    /// Small, so that a short run fills segments, and without threads of the store's own.
    private static var options: StoreOptions {
        var options = SmallHistory.options
        options.writeBehind = false
        return options
    }

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededRandomness(seed: seed)
        executor = SeededExecutor(seed: seed &* 31)
        folder = NSTemporaryDirectory() + "spile-simulation-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        history = try History(
            catalog: SQLiteCatalog(path: folder + "/catalog.sqlite"),
            store: Store(objects: MemoryObjectStore(), options: Self.options), clock: ManualClock(),
            randomness: SeededRandomness(seed: seed &* 17), drive: .caller,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    deinit {
        try? history.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func note(_ text: String) { log.withLock { $0.append(text) } }

    /// Runs to the end, checks what has come of it, and gives the log.
    func carryOut() throws -> [String] {
        let kept = RepoKey(name: "kept")
        let passing = RepoKey(name: "passing")
        try history.transactBlocking { transaction in
            for repo in [kept, passing] { try transaction.createRepo(repo, description: "", update: false) }
        }
        Task(executorPreference: executor) { [self] in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<4 {
                    group.addTask { await self.task("writer \(number)") { try await self.write(number, kept) } }
                }
                for number in 0..<2 {
                    group.addTask { await self.task("dropper \(number)") { try await self.drop(number, passing) } }
                }
                group.addTask { await self.task("subscriber") { try await self.subscribe(kept) } }
            }
            self.note("all have ended")
        }
        try turn()
        try check(kept)
        return log.withLock { $0 }
    }

    /// Gives everyone their turns until nothing is left to do.
    private func turn() throws {
        var untilCollection = 60
        while true {
            untilCollection -= 1
            if untilCollection == 0 {
                untilCollection = 40 + random.below(120)
                try collect()
            }
            // Batches of different sizes: changes wait for a while, or not at all.
            if history.hasWaitingChanges, random.below(4) == 0 {
                history.commitWaiting()
                continue
            }
            if executor.step() { continue }
            if history.commitWaiting() { continue }
            if history.events.hasClosed { return }
            // The subscriber alone is left: it waits for more, for ever.
            history.events.close()
        }
    }

    private func collect() throws {
        var options = GarbageOptions()
        options.minimumDeadShare = 0
        // Each pause of the collector is a turn of the others.
        let report = try history.collectGarbage(options) { [self] _ in
            for _ in 0..<(1 + random.below(3)) {
                if !executor.step() { history.commitWaiting() }
            }
        }
        note("collected \(report.bytesFreed) of \(report.plan.bytes), \(report.nodes) nodes")
    }

    // MARK: Tasks

    private func task(_ name: String, _ body: () async throws -> Void) async {
        do { try await body() } catch { note("\(name) ended: \(error)") }
    }

    private func write(_ number: Int, _ repo: RepoKey) async throws {
        let random = SeededRandomness(seed: seed &* 1009 &+ UInt64(number))
        for turn in 0..<12 {
            let branch = repo.branch(random.below(3) == 0 ? "shared" : "own-\(number)")
            let path = "/\(number)/\(turn)"
            let text = String(repeating: "\(seed) \(number) \(turn) ", count: 1 + random.below(200))
            do {
                let key = random.below(3) == 0
                    ? try await threefold(branch, path, text)
                    : try await history.modify(CommitHandle(branch)) { try $0.put(path, text) }
                acknowledged.withLock { $0.append((key, path, text)) }
                note("writer \(number) wrote \(path) into \(key)")
                let read = try history.content(CommitHandle(key), path)
                #expect(read == Array(text.utf8), "seed \(seed): \(key) \(path)")
            } catch let error as SpileError where error.code == .unknown {
                // Somebody else has the shared branch open.
                note("writer \(number): \(error)")
            }
            await Task.yield()
        }
    }

    private func threefold(_ branch: BranchKey, _ path: String, _ text: String) async throws -> CommitKey {
        let key = try await history.start(branch)
        try await history.modify(CommitHandle(key)) { try $0.put(path, text) }
        await Task.yield()
        try await history.finish(key)
        return key
    }

    private func drop(_ number: Int, _ repo: RepoKey) async throws {
        let branch = repo.branch("drop-\(number)")
        for turn in 0..<10 {
            let text = String(repeating: "passing \(number) \(turn) ", count: 400)
            let key = try await history.modify(CommitHandle(branch)) { try $0.put("/\(turn)", text) }
            await Task.yield()
            try await history.transact(as: History.user) {
                try $0.remove(CommitHandle(key), by: .drop, recursive: false)
            }
            note("dropper \(number) dropped \(key)")
        }
    }

    private func subscribe(_ repo: RepoKey) async throws {
        try await history.subscribe(CommitSubscription(repo: repo, stage: .finished)) { view in
            self.delivered.withLock { $0.append(view.record.key.id) }
            self.note("delivered \(view.record.key)")
        }
    }

    // MARK: The end

    private func check(_ repo: RepoKey) throws {
        for (commit, path, text) in acknowledged.withLock({ $0 }) {
            #expect(try history.content(CommitHandle(commit), path) == Array(text.utf8), "seed \(seed): \(commit)")
        }
        let made = try history.commits(repo).map(\.key.id)
        #expect(delivered.withLock { $0 } == made, "seed \(seed): the subscriber missed something")
        #expect(try history.findings() == [], "seed \(seed)")
        #expect(log.withLock { $0.last } == "all have ended", "seed \(seed): somebody waits for ever")
    }
}
