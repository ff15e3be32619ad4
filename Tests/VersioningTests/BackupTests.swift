import Backends
import Core
import Foundation
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

/// Snapshots of a history that is in use, and what comes back from them.
@Suite struct BackupTests {
    /// Brings a snapshot back into a folder of its own and opens it.
    private static func restored(
        _ snapshot: String, _ body: (History) throws -> Void
    ) throws {
        let folder = NSTemporaryDirectory() + "spile-restored-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/segments", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try LocalSnapshot.restore(
            snapshot, catalog: folder + "/catalog.sqlite", segments: folder + "/segments",
            keyFile: folder + "/secrets.key") { _, _ in }
        let history = try SmallHistory.open(
            folder, LocalDisk(folder: folder + "/segments"), SeededRandomness(seed: 99))
        do { try body(history) } catch {
            try? history.close()
            throw error
        }
        try history.close()
    }

    private static func snapshot(_ small: SmallHistory, _ name: String) throws -> String {
        let path = small.folder + "/" + name
        _ = try small.history.snapshot(to: LocalSnapshot(path, ofSegments: small.segments))
        return path
    }

    @Test func `a snapshot holds all of a history and shares its sealed segments`() async throws {
        let small = try SmallHistory()
        let repo = try await small.history.makeRepo("a")
        var files: [String: [UInt8]] = [:]
        for turn in 0..<20 { files["/\(turn)"] = small.randomness.bytes(turn % 4 == 0 ? 300_000 : 700) }
        let commit = try await small.history.put(repo.branch("master"), files)
        let open = try await small.history.start(repo.branch("open"))
        let path = small.folder + "/copy"
        try small.history.store.sealIdleWriters()
        let progress = try small.history.snapshot(to: LocalSnapshot(path, ofSegments: small.segments))
        #expect(progress.bytesShared > 1_000_000)
        #expect(progress.segmentsDone == progress.segmentsTotal)
        try Self.restored(path) { history in
            #expect(try history.findings() == [])
            for (path, bytes) in files { #expect(try history.content(CommitHandle(commit), path) == bytes) }
            let stillOpen = try history.read { try $0.existingCommit(CommitHandle(open)) }
            #expect(stillOpen.isOpen)
        }
    }

    @Test func `a snapshot stays as it was when the store is compacted and goes on`() async throws {
        let small = try SmallHistory()
        let history = small.history
        let (kept, gone) = (try await history.makeRepo("kept"), try await history.makeRepo("gone"))
        let bytes = (small.randomness.bytes(200_000), small.randomness.bytes(200_000))
        let commits = (
            try await history.put(kept.branch("master"), ["/f": bytes.0]),
            try await history.put(gone.branch("master"), ["/f": bytes.1])
        )
        try history.store.sealIdleWriters()
        let path = try Self.snapshot(small, "copy")
        func contents() throws -> [String: Data] {
            let names = try FileManager.default.contentsOfDirectory(atPath: path + "/segments")
            return Dictionary(uniqueKeysWithValues: names.compactMap { name in
                FileManager.default.contents(atPath: path + "/segments/" + name).map { (name, $0) }
            })
        }
        let before = try contents()
        try await history.drop(gone)
        let report = try history.collect()
        #expect(report.plan.segmentsRewritten > 0)
        #expect(try contents() == before, "compaction wrote into a segment that a snapshot shares")
        try Self.restored(path) { restored in
            #expect(try restored.content(CommitHandle(commits.0), "/f") == bytes.0)
            #expect(try restored.content(CommitHandle(commits.1), "/f") == bytes.1)
            #expect(try restored.findings() == [])
            // What is restored shares files with the snapshot, too.
            _ = try restored.collect()
        }
        #expect(try contents() == before)
    }

    @Test(.serialized, arguments: 1...3 as ClosedRange<UInt64>)
    func `a snapshot under load holds every commit acknowledged before it began`(seed: UInt64) async throws {
        let small = try SmallHistory(seed: seed)
        let history = small.history
        let acknowledged = Notes<(commit: CommitKey, path: String, bytes: [UInt8])>()
        let isOver = Flag()
        let (folder, segments) = (small.folder, small.segments)
        let snapshots = try await withThrowingTaskGroup(of: [(path: String, known: Int)].self) { group in
            group.addTask {
                try await onThread {
                    var made: [(path: String, known: Int)] = []
                    while !isOver.isRaised || made.count < 2 {
                        let known = acknowledged.all.count
                        let path = folder + "/copy-\(made.count)"
                        _ = try history.snapshot(to: LocalSnapshot(path, ofSegments: segments))
                        made.append((path, known))
                        try history.collect { $0.sealsFirst = made.count.isMultiple(of: 2) }
                        rest()
                    }
                    return made
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for writer in 0..<3 {
                    let random = SeededRandomness(seed: seed &* 131 &+ UInt64(writer))
                    writers.addTask {
                        let repo = try await history.makeRepo("r\(writer)")
                        for turn in 0..<25 {
                            let bytes = random.bytes(random.pick([100, 900, 30_000, 400_000]))
                            let commit = try await history.put(repo.branch("master"), ["/\(turn)": bytes])
                            acknowledged.add((commit, "/\(turn)", bytes))
                            let passing = try await history.makeRepo("passing-\(writer)-\(turn)")
                            _ = try await history.put(passing.branch("x"), ["/x": random.bytes(20_000)])
                            try await history.drop(passing)
                        }
                    }
                }
                defer { isOver.raise() }
                try await writers.waitForAll()
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(snapshots.count >= 2)
        let all = acknowledged.all
        for (path, known) in snapshots.suffix(4) {
            try Self.restored(path) { restored in
                #expect(try restored.findings() == [], "seed \(seed), \(path)")
                for item in all.prefix(known) {
                    let found = try restored.content(CommitHandle(item.commit), item.path)
                    #expect(found == item.bytes, "seed \(seed), \(path): \(item.commit)")
                }
            }
        }
    }

    @Test func `a folder that exists is refused, and an unfinished snapshot is told from a whole one`() async throws {
        let small = try SmallHistory()
        let repo = try await small.history.makeRepo("a")
        _ = try await small.history.put(repo.branch("master"), ["/f": [1]])
        let path = small.folder + "/copy"
        struct GivenUp: Error {}
        try small.history.store.sealIdleWriters()
        #expect(throws: GivenUp.self) {
            _ = try small.history.snapshot(to: LocalSnapshot(path, ofSegments: small.segments)) { _ in throw GivenUp() }
        }
        let refusal = #expect(throws: SpileError.self) { try Self.restored(path) { _ in } }
        #expect(refusal?.code == .failedPrecondition)
        #expect(refusal?.message.contains("no finished snapshot") == true)
        let taken = #expect(throws: SpileError.self) { try LocalSnapshot(path, ofSegments: small.segments) }
        #expect(taken?.message.contains("unfinished snapshot") == true)
        let relative = #expect(throws: SpileError.self) { try LocalSnapshot("copy", ofSegments: small.segments) }
        #expect(relative?.code == .invalidArgument)
    }

    @Test(arguments: ["lost", "short"])
    func `a snapshot from which something is missing is refused`(damage: String) async throws {
        let small = try SmallHistory()
        let repo = try await small.history.makeRepo("a")
        _ = try await small.history.put(repo.branch("master"), ["/f": small.randomness.bytes(300_000)])
        let path = try Self.snapshot(small, "copy")
        let names = try FileManager.default.contentsOfDirectory(atPath: path + "/segments").sorted()
        let victim = path + "/segments/" + (try #require(names.first))
        let bytes = try #require(FileManager.default.contents(atPath: victim))
        // Not in place: the store shares the file.
        try FileManager.default.removeItem(atPath: victim)
        if damage == "short" { try bytes.dropLast(10).write(to: URL(fileURLWithPath: victim)) }
        let refusal = #expect(throws: SpileError.self) { try Self.restored(path) { _ in } }
        #expect(refusal?.code == .dataLoss)
    }

    @Test func `a collection waits for a snapshot that began before it`() async throws {
        let small = try SmallHistory()
        let history = small.history
        let gone = try await history.makeRepo("gone")
        let bytes = small.randomness.bytes(300_000)
        let commit = try await history.put(gone.branch("master"), ["/f": bytes])
        try history.store.sealIdleWriters()
        try await history.drop(gone)
        let held = Held<Activity>()
        held.value = history.store.beginWriting()
        try await onThread {
            try history.collect({ _ in }) { progress in
                guard case .waiting(let writers, _) = progress else { return }
                // The committer may hold its last batch for a moment still.
                #expect(writers >= 1)
                held.value = nil
            }
        }
        #expect(held.value == nil)
        _ = commit
    }
}
