import Core
import Foundation
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

@Suite struct GarbageCollectionTests {
    @Test func `dropping half of history gives nine tenths of its space back`() async throws {
        let world = try SmallHistory()
        let history = world.history
        let random = world.randomness
        let (kept, dropped) = (try await history.makeRepo("kept"), try await history.makeRepo("dropped"))
        var files: [String: [UInt8]] = [:]
        func size() throws -> Int {
            try history.store.sealIdleWriters()
            try history.transactBlocking { _ in }
            return try FileManager.default.contentsOfDirectory(atPath: world.segments).filter { $0.hasSuffix(".seg") }
                .reduce(0) { sum, name in
                    let attributes = try FileManager.default.attributesOfItem(atPath: world.segments + "/" + name)
                    return sum + (attributes[.size] as? Int ?? 0)
                }
        }
        for turn in 0..<40 {
            let mine = ["/f/\(turn)": random.bytes(20_000), "/g/\(turn % 5)": random.bytes(500)]
            files.merge(mine) { $1 }
            _ = try await history.put(kept.branch("master"), mine)
            let theirs = ["/f/\(turn)": random.bytes(20_000), "/g/\(turn % 5)": random.bytes(500)]
            _ = try await history.put(dropped.branch("master"), theirs)
        }
        _ = try history.collect()
        let before = try size()
        try await history.drop(dropped)
        #expect(try history.expectsGarbage())
        let report = try history.collect { $0.minimumDeadShare = 0.25 }
        let given = before - (try size())
        #expect(given > before / 2 * 9 / 10, "\(given) of \(before / 2)")
        #expect(report.bytesFreed >= given - 300_000)
        #expect(try !history.expectsGarbage())
        for (path, bytes) in files { #expect(try history.content(CommitHandle(kept.branch("master")), path) == bytes) }
        #expect(try history.findings() == [])
        try world.restart()
        #expect(try world.history.findings() == [])
        #expect(try !world.history.expectsGarbage())
    }

    @Test func `a dry run says the same and changes nothing`() async throws {
        let world = try SmallHistory()
        let history = world.history
        let repo = try await history.makeRepo("a")
        for turn in 0..<20 {
            _ = try await history.put(repo.branch("master"), ["/\(turn)": world.randomness.bytes(900_000)])
        }
        // What goes whole is not the newest segment, whose number has to be kept.
        let kept = try await history.makeRepo("kept")
        _ = try await history.put(kept.branch("master"), ["/last": world.randomness.bytes(300_000)])
        try await history.drop(repo)
        try history.store.sealIdleWriters()
        func listing() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: world.segments).filter { !$0.hasPrefix(".") }.sorted()
        }
        let before = try listing()
        let dry = try history.collect { $0.isDryRun = true }
        #expect(dry.bytesFreed == 0)
        #expect(dry.plan.segmentsDropped > 0)
        #expect(try listing() == before)
        let wet = try history.collect { $0.sealsFirst = false }
        #expect(wet.plan == dry.plan)
        // A rewritten segment also sheds the padding between its slots, which no plan counts.
        let planned = dry.plan.bytesToFree
        #expect((planned...(planned + 65_536)).contains(wet.bytesFreed))
    }

    @Test func `open commits and commits in error keep their files`() async throws {
        let world = try SmallHistory()
        let history = world.history
        let repo = try await history.makeRepo("a")
        let bytes = world.randomness.bytes(40_000)
        let open = try await history.start(repo.branch("open"))
        _ = try await history.modify(CommitHandle(open)) { try $0.put("/f", bytes) }
        let bad = try await history.start(repo.branch("bad"))
        _ = try await history.modify(CommitHandle(bad)) { try $0.put("/f", bytes + [1]) }
        try await history.finish(CommitHandle(bad), description: "", error: "no good", force: false, as: History.user)
        try history.collect()
        #expect(try history.content(CommitHandle(open), "/f") == bytes)
        #expect(try history.content(CommitHandle(bad), "/f") == bytes + [1])
        #expect(try history.findings() == [])
    }

    @Test func `a collection that is stopped leaves all as it was`() async throws {
        let world = try SmallHistory(clockStep: 10_000_000)
        let history = world.history
        let repo = try await history.makeRepo("a")
        let bytes = world.randomness.bytes(300_000)
        _ = try await history.put(repo.branch("master"), ["/f": bytes])
        #expect(throws: CancellationError.self) {
            try history.collectGarbage(pause: { _ in throw CancellationError() }) { progress in
                if case .sweeping = progress { Issue.record("it went on") }
            }
        }
        try history.collect()
        #expect(try history.content(CommitHandle(repo.branch("master")), "/f") == bytes)
    }

    @Test func `a collector that may work a tenth of the time rests nine times as long as it worked`() async throws {
        let world = try SmallHistory(clockStep: 10_000_000)
        let repo = try await world.history.makeRepo("a")
        for turn in 0..<200 { _ = try await world.history.put(repo.branch("b\(turn)"), ["/\(turn)": [UInt8(turn)]]) }
        let rests = Mutex<[Double]>([])
        var options = GarbageOptions()
        options.workShare = 0.1
        _ = try world.history.collectGarbage(options, pause: { seconds in rests.withLock { $0.append(seconds) } })
        // At each look at the clock ten milliseconds have gone by.
        let long = rests.withLock { $0 }.filter { abs($0 - 0.09) < 0.001 }
        #expect(long.count >= 3)
    }
}

/// Streams that run into a collection. Each test draws both columns and then makes that order happen.
@Suite struct GarbageRaceTests {
    fileprivate struct World: @unchecked Sendable {
        let small: SmallHistory
        var history: History { small.history }
        let repo: RepoKey
        let garbage: [UInt8]

        /// A history in which `garbage` lies in sealed segments that no commit names, but whose chunks are known.
        init(seed: UInt64 = 1) async throws {
            small = try SmallHistory(seed: seed)
            repo = try await small.history.makeRepo("a")
            // More than the longest chunk: at least one of them is known by its hash.
            garbage = small.randomness.bytes(5_000_000)
            let doomed = try await small.history.makeRepo("doomed")
            _ = try await small.history.put(doomed.branch("master"), ["/f": garbage])
            try await small.history.drop(doomed)
            try small.history.store.sealIdleWriters()
        }

        /// A stream that has put the garbage's bytes and is not ended.
        func upload(_ repo: RepoKey? = nil) throws -> Upload {
            let branch = (repo ?? self.repo).branch("master")
            let upload = try Upload(to: CommitHandle(branch), in: history, as: History.user)
            try upload.put("/f", garbage)
            return upload
        }

        func verify() throws {
            #expect(try history.content(CommitHandle(repo.branch("master")), "/f") == garbage)
            #expect(try history.findings() == [])
        }
    }

    // collector                          stream
    // marks: garbage is unreachable
    //                                    begins, finds the chunk by its hash, refers to it
    // decides, sweeps
    //                                    finishes
    @Test func `a stream that finds garbage by its hash while it is collected keeps it`() async throws {
        let world = try await World()
        let hits = world.history.store.statistics().dedupHits
        let late = Held<Upload>()
        try await world.collect { progress in
            guard case .marking = progress, late.value == nil else { return }
            late.value = try world.upload()
        }
        #expect(world.history.store.statistics().dedupHits > hits, "the race did not happen")
        _ = try await #require(late.value).finish()
        try world.verify()
    }

    // collector                          stream
    // decides: garbage is dead
    //                                    begins, looks for the chunk: it is not given out, and stored anew
    // sweeps
    //                                    finishes
    @Test func `a stream that comes after the decision stores the chunk anew`() async throws {
        let world = try await World()
        let hits = world.history.store.statistics().dedupHits
        let late = Held<Upload>()
        try await world.collect { progress in
            guard case .sweeping = progress, late.value == nil else { return }
            late.value = try world.upload()
        }
        #expect(world.history.store.statistics().dedupHits == hits)
        _ = try await #require(late.value).finish()
        try world.verify()
    }

    // collector                          stream
    //                                    begins, refers to garbage
    // lists roots, marks
    // waits
    //                                    finishes
    // decides, sweeps
    @Test func `a stream that began before is waited for`() async throws {
        let world = try await World()
        let early = Held<Upload>()
        early.value = try world.upload()
        try await world.collect { progress in
            guard case .waiting(let writers, _) = progress, early.value != nil else { return }
            #expect(writers > 0)
            try world.finish(early)
        }
        #expect(early.value == nil, "it was not waited for")
        try world.verify()
    }

    // collector                  old stream                  new stream
    //                            begins, refers to garbage
    // lists roots, marks
    // waits                      commits
    //                                                        begins, copies from that commit
    //                            (its commit is deleted)
    // lists roots, decides, sweeps
    //                                                        finishes
    @Test func `what an old stream brought back and a new one copied stays, though its commit is gone`() async throws {
        let world = try await World()
        let passing = try await world.history.makeRepo("passing")
        let (early, late) = (Held<Upload>(), Held<Upload>())
        early.value = try world.upload(passing)
        try await world.collect { progress in
            guard case .waiting = progress, early.value != nil else { return }
            try world.finish(early)
            late.value = try world.copy(from: passing)
            try world.history.transactBlocking { _ = try $0.deleteRepo(passing, force: true) }
        }
        _ = try await #require(late.value).finish()
        try world.verify()
    }

    // old stream                         collector           new stream
    // begins, refers to garbage
    // makes its tree
    //                                    begins, lists roots
    // commits
    //                                                        begins, copies from that commit
    // (its commit is deleted)
    //                                    decides, sweeps
    //                                                        finishes
    @Test func `a tree that was made before the roots were listed and committed after is a root, too`() async throws {
        let world = try await World()
        let history = world.history
        let passing = try await history.makeRepo("passing")
        let changes = Held<ChangeSet>()
        changes.value = try {
            let writer = history.store.beginChanges()
            try world.garbage.withUnsafeBytes { try writer.add(path: "/f", datum: "default", bytes: $0) }
            return try writer.finish()
        }()
        let root = try history.store.applyLarge(try #require(changes.value), to: .empty)
        let late = Held<Upload>()
        try await world.collect { progress in
            guard case .waiting = progress, changes.value != nil else { return }
            // The row is written as a stream of changes would write it.
            try history.transactBlocking { transaction in
                var commit = try transaction.startCommit(on: passing.branch("master"), parent: nil, description: "")
                commit.root = root
                try transaction.catalog.update(commit)
            }
            changes.value = nil
            late.value = try world.copy(from: passing)
            try history.transactBlocking { _ = try $0.deleteRepo(passing, force: true) }
        }
        _ = try await #require(late.value).finish()
        try world.verify()
    }

    // collector                  reader
    //                            opens a commit
    //                            (the commit is deleted)
    // lists roots, marks, waits
    //                            reads to the end
    // decides, sweeps
    @Test func `a reader of a deleted commit reads to its end`() async throws {
        let world = try await World()
        let (reading, bytes) = try await world.readDeleted()
        try await world.collect { progress in
            guard case .waiting(_, let readers) = progress, let files = reading.value else { return }
            #expect(readers == 1)
            let entry = try #require(try files.inspect("/f")?.entry)
            #expect(try world.history.store.read(entry, offset: 0, maxBytes: bytes.count) == bytes)
            reading.value = nil
        }
        #expect(reading.value == nil, "it was not waited for")
    }

    @Test func `a reader that takes too long is not waited for`() async throws {
        let world = try await World()
        let (reading, bytes) = try await world.readDeleted()
        let entry = try #require(try reading.value?.inspect("/f")?.entry)
        try await world.collect({ $0.readerGrace = 0.1 }) { _ in }
        let gone = #expect(throws: SpileError.self) {
            try world.history.store.read(entry, offset: 0, maxBytes: bytes.count)
        }
        #expect(gone?.code == .dataLoss)
        withExtendedLifetime(reading) {}
    }
}

extension GarbageRaceTests.World {
    /// Collects on a thread of its own; `hook` runs on it and may do what the race needs.
    func collect(
        _ change: @escaping @Sendable (inout GarbageOptions) -> Void = { _ in },
        _ hook: @escaping @Sendable (GarbageProgress) throws -> Void
    ) async throws {
        let history = history
        _ = try await onThread {
            try history.collect(change) { progress in
                do { try hook(progress) } catch { Issue.record("\(error)") }
            }
        }
    }

    func finish(_ held: Held<Upload>) throws {
        _ = try blocking {
            guard let upload = held.value else { return }
            _ = try await upload.finish()
            held.value = nil
        }
    }

    func copy(from source: RepoKey) throws -> Upload {
        let copy = try Upload(to: CommitHandle(repo.branch("master")), in: history, as: History.user)
        let file = FileReference(commit: CommitHandle(source.branch("master")), path: "/f")
        try copy.copy(from: file, to: "/f", datum: "", append: false)
        return copy
    }

    /// A reader of a commit that has been deleted since.
    func readDeleted() async throws -> (Held<CommitFiles>, [UInt8]) {
        let passing = try await history.makeRepo("passing")
        let bytes = small.randomness.bytes(600_000)
        _ = try await history.put(passing.branch("master"), ["/f": bytes])
        let reading = Held<CommitFiles>()
        reading.value = try history.files(CommitHandle(passing.branch("master")))
        try await history.drop(passing)
        return (reading, bytes)
    }
}
