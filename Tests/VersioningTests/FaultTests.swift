import Backends
import Core
import Foundation
import Logging
import Simulation
import Storage
import Testing
import Versioning

/// A history over a disk that fails by a seeded schedule (invariant I6).
@Suite struct HistoryFaultTests {
    enum Medium: Sendable, CaseIterable { case memory, disk }

    /// One write that a test tried: its files lie in a folder of their own.
    private struct Attempt: Sendable {
        let branch: BranchKey
        let files: [String: [UInt8]]
        let isAcknowledged: Bool
    }

    /// A history whose store can fail, and the store underneath, which cannot.
    private final class World {
        let folder: String
        let memory = MemoryObjectStore()
        let medium: Medium
        let faulty: FaultyObjectStore
        private let disk: LocalDisk?
        let randomness: SeededRandomness
        private(set) var history: History

        init(_ medium: Medium, seed: UInt64) throws {
            folder = NSTemporaryDirectory() + "spile-faults-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder + "/segments", withIntermediateDirectories: true)
            self.medium = medium
            randomness = SeededRandomness(seed: seed)
            disk = medium == .memory ? nil : try LocalDisk(folder: folder + "/segments")
            faulty = FaultyObjectStore(disk ?? memory, seed: seed)
            history = try TestHistory.open(folder, faulty, randomness)
        }

        deinit {
            try? history.close()
            try? FileManager.default.removeItem(atPath: folder)
        }

        /// Opens what is left again without faults: after a power loss where the medium is memory.
        func reopen() throws {
            try? history.close()
            disk?.release()
            let left: any ObjectStore =
                medium == .memory ? memory.crash() : try LocalDisk(folder: folder + "/segments")
            history = try TestHistory.open(folder, left, randomness)
        }
    }

    /// Tries one write and says whether it was acknowledged; any error must say that the disk is at fault.
    private static func attempt(
        _ history: History, _ branch: BranchKey, _ files: [String: [UInt8]], _ context: String
    ) async -> Attempt {
        do {
            try await history.modify(CommitHandle(branch)) { upload in
                for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
                    try bytes.withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
                }
            }
            return Attempt(branch: branch, files: files, isAcknowledged: true)
        } catch let error as SpileError {
            #expect([.resourceExhausted, .dataLoss].contains(error.code), "\(context): \(error)")
        } catch {
            Issue.record("\(context): \(error)")
        }
        return Attempt(branch: branch, files: files, isAcknowledged: false)
    }

    private static func compare(_ history: History, _ attempts: [Attempt], _ context: String) throws {
        for attempt in attempts {
            let handle = CommitHandle(attempt.branch)
            var present = 0
            for (path, bytes) in attempt.files {
                let found = try? history.content(handle, path)
                if attempt.isAcknowledged {
                    #expect(found == bytes, "\(context): \(path) was acknowledged")
                } else if let found {
                    present += 1
                    #expect(found == bytes, "\(context): \(path) is there in part")
                }
            }
            if !attempt.isAcknowledged {
                #expect(present == 0 || present == attempt.files.count, "\(context): a failed write is there in part")
            }
        }
        #expect(try history.findings() == [], "\(context)")
    }

    private static func files(_ stem: String, _ random: SeededRandomness) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for index in 0..<(1 + random.below(5)) {
            // Most are small; some streams are large enough for a segment of their own.
            files["\(stem)/\(index)"] = random.bytes(random.pick([0, 10, 500, 500, 3000, 400_000]))
        }
        return files
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>, Medium.allCases)
    func `writers side by side keep what was acknowledged over a failing disk`(
        seed: UInt64, medium: Medium
    ) async throws {
        let world = try World(medium, seed: seed)
        let history = world.history
        let repo = try await history.makeRepo("a")
        world.faulty.fail([.create, .write, .sync, .finish], oneIn: 6)
        let tried = await withTaskGroup(of: [Attempt].self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let random = SeededRandomness(seed: seed &* 31 &+ UInt64(writer))
                    let branch = repo.branch(writer < 2 ? "shared" : "own-\(writer)")
                    var tried: [Attempt] = []
                    for turn in 0..<12 {
                        let files = Self.files("/w\(writer)/\(turn)", random)
                        tried.append(await Self.attempt(history, branch, files, "seed \(seed)"))
                    }
                    return tried
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        world.faulty.fail([], oneIn: 0)
        #expect(world.faulty.failures > 0, "seed \(seed)")
        #expect(tried.contains { $0.isAcknowledged } && tried.contains { !$0.isAcknowledged }, "seed \(seed)")
        try Self.compare(history, tried, "seed \(seed), \(medium)")

        let next = await Self.attempt(history, repo.branch("shared"), ["/next": [1]], "seed \(seed), healed")
        #expect(next.isAcknowledged, "seed \(seed): the history is of no use after the fault is gone")
        try world.reopen()
        try Self.compare(world.history, tried + [next], "seed \(seed), \(medium), reopened")
        let last = await Self.attempt(world.history, repo.branch("shared"), ["/last": [1]], "seed \(seed)")
        #expect(last.isAcknowledged)
    }

    @Test(arguments: FaultyObjectStore.Fault.allCases, [FaultyObjectStore.Operation.create, .write, .sync])
    func `one fault costs one write`(
        fault: FaultyObjectStore.Fault, operation: FaultyObjectStore.Operation
    ) async throws {
        for position in 0..<4 {
            let context = "\(operation) \(fault) at \(position)"
            let world = try World(.memory, seed: 1)
            let repo = try await world.history.makeRepo("a")
            world.faulty.failNext(operation, after: position, with: fault)
            var attempts: [Attempt] = []
            for turn in 0..<10 {
                let bytes = [UInt8](repeating: UInt8(turn), count: turn % 3 == 2 ? 600_000 : 700)
                attempts.append(
                    await Self.attempt(
                        world.history, repo.branch("master"), ["/\(turn)/a": bytes, "/\(turn)/b": bytes], context))
            }
            #expect(attempts.count { !$0.isAcknowledged } <= 1, "\(context)")
            #expect(attempts.count { !$0.isAcknowledged } == world.faulty.failures, "\(context)")
            try Self.compare(world.history, attempts, context)
            try world.reopen()
            try Self.compare(world.history, attempts, "\(context), reopened")
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `an open commit holds every acknowledged stream whole over a failing disk`(seed: UInt64) async throws {
        let world = try World(.memory, seed: seed)
        let random = SeededRandomness(seed: seed)
        let repo = try await world.history.makeRepo("a")
        let open = try await world.history.start(repo.branch("master"))
        world.faulty.fail([.create, .write, .sync], oneIn: 4)
        var attempts: [Attempt] = []
        for turn in 0..<15 {
            attempts.append(
                await Self.attempt(
                    world.history, repo.branch("master"), Self.files("/\(turn)", random), "seed \(seed)"))
        }
        world.faulty.fail([], oneIn: 0)
        try Self.compare(world.history, attempts, "seed \(seed)")
        try world.reopen()
        #expect(try await world.history.commit(CommitHandle(open), at: .started).isOpen, "seed \(seed)")
        try Self.compare(world.history, attempts, "seed \(seed), reopened")
        try await world.history.finish(open)
        try Self.compare(world.history, attempts, "seed \(seed), finished")
    }

    @Test func `a write that fails wakes nobody and makes no branch`() async throws {
        let world = try World(.memory, seed: 1)
        let repo = try await world.history.makeRepo("a")
        world.faulty.failNext(.sync, with: .brokenMedium)
        let failed = await Self.attempt(world.history, repo.branch("master"), ["/a": [1]], "sync")
        #expect(!failed.isAcknowledged)
        #expect(try world.history.read { try $0.branches(repo: nil) } == [])
        #expect(try world.history.read { try $0.lastSequence() } == 0)
    }

    @Test(arguments: [FaultyObjectStore.Operation.write, .sync])
    func `a full disk is told until a write is durable again`(operation: FaultyObjectStore.Operation) async throws {
        let world = try World(.memory, seed: 1)
        let repo = try await world.history.makeRepo("a")
        let figures = world.history.figures
        let committed = figures.batches.reading.count
        #expect(figures.whyRefused == nil)
        world.faulty.failNext(operation, with: .noSpace)
        let failed = await Self.attempt(world.history, repo.branch("master"), ["/a": [1]], "\(operation)")
        #expect(!failed.isAcknowledged)
        #expect(figures.failures.current == 1)
        #expect(figures.whyRefused != nil)
        #expect(figures.batches.reading.count == committed)
        // What fails by itself says nothing of the disk.
        await #expect(throws: SpileError.self) { _ = try await world.history.makeRepo("no name") }
        #expect(figures.whyRefused != nil)
        _ = try await world.history.makeRepo("b")
        #expect(figures.whyRefused == nil)
        #expect(figures.batches.reading.count == committed + 1)
    }
}
