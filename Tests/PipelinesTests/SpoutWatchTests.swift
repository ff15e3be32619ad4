import Backends
import Core
import Logging
import Simulation
import Storage
import Testing
import Versioning

@testable import Pipelines

/// A history whose launches are watched.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let clock = ManualClock()
    let history: History
    let manager: PipelineManager
    let ledger: HistoryLedger
    let watch: SpoutWatch
    let user = Principal.user("")
    let key = PipelineKey(name: "ticks")

    init() throws {
        watch = SpoutWatch(clock: clock)
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: clock, randomness: SeededRandomness(seed: 3),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), observer: watch)
        manager = PipelineManager(history: history, changed: { _ in })
        ledger = HistoryLedger(history: history)
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    /// Creates the pipeline, starts a launch of it as the supervisor does, and returns who its code is.
    func launch() async throws -> Principal {
        let spec = #"{"pipeline": {"name": "ticks"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#
        _ = try await manager.create(PipelineRequest(spec: spec), as: user)
        let (_, epoch) = try await ledger.beginLaunch(of: key, version: 1, job: nil, tokenHash: .zero, failures: 0)
        try await ledger.report(
            StateReport(version: 1, state: .running, reason: "", startedAt: clock.now()), of: key)
        return .launch(key, epoch: epoch)
    }

    var output: BranchKey { key.repo(.user).branch("master") }

    func put(
        _ files: [String: Int], into handle: CommitHandle? = nil, as principal: Principal,
        _ terms: WriteTerms = WriteTerms()
    ) async throws {
        let upload = try Upload(to: handle ?? CommitHandle(output), in: history, as: principal, terms)
        for (path, size) in files {
            try [UInt8](repeating: 7, count: size).withUnsafeBytes {
                try upload.add(path: path, datum: "", bytes: $0)
            }
        }
        _ = try await upload.finish()
    }

    /// The pipeline as InspectPipeline shows it.
    func shown() throws -> PipelineRecord {
        let record = try manager.inspect(project: .standard, name: "ticks", as: user)
        return try history.read { try watch.shown(record, in: $0) }
    }

    func counts() -> [Int] {
        let figures = watch.figures(of: key)
        return [figures.commits, figures.files, figures.bytes]
    }
}

@Suite(.timeLimit(.minutes(15))) struct SpoutWatchTests {
    private let scene: Scene
    init() throws { scene = try Scene() }

    @Test func whatALaunchWritesIsCountedToTheByte() async throws {
        let launch = try await scene.launch()
        #expect(scene.counts() == [0, 0, 0], "the commits of the server itself do not count")
        try await scene.put(["/a": 10, "/b": 20], as: launch)
        #expect(scene.counts() == [1, 2, 30])
        // Large enough to be applied beside the committer.
        try await scene.put(["/c": 700_000], as: launch)
        #expect(scene.counts() == [2, 3, 700_030])
    }

    @Test func aCommitOfSeveralWritesCountsOnceItIsFinished() async throws {
        let launch = try await scene.launch()
        let branch = scene.output
        let commit = try await scene.history.transact(as: launch) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        try await scene.put(["/a": 10], into: CommitHandle(commit), as: launch)
        try await scene.put(["/b": 5], into: CommitHandle(commit), as: launch)
        #expect(scene.counts() == [0, 2, 15])
        try await scene.history.finish(CommitHandle(commit), description: "", error: "", force: false, as: launch)
        #expect(scene.counts() == [1, 2, 15])
    }

    @Test func aCommitClosedWithAnErrorIsNoneThatLanded() async throws {
        let launch = try await scene.launch()
        let branch = scene.output
        let commit = try await scene.history.transact(as: launch) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        try await scene.history.finish(CommitHandle(commit), description: "", error: "bad", force: false, as: launch)
        #expect(scene.counts() == [0, 0, 0])
    }

    @Test func aRetryWithAKeyCountsOnce() async throws {
        let launch = try await scene.launch()
        for _ in 0..<3 { try await scene.put(["/a": 10], as: launch, WriteTerms(key: "k")) }
        #expect(scene.counts() == [1, 1, 10])
    }

    @Test func aWriteThatIsRefusedCountsNothing() async throws {
        let launch = try await scene.launch()
        _ = try await scene.ledger.beginLaunch(of: scene.key, version: 1, job: nil, tokenHash: .zero, failures: 0)
        await #expect(throws: SpileError.self) { try await scene.put(["/a": 10], as: launch) }
        #expect(scene.counts() == [0, 0, 0])
    }

    @Test func aStallIsTheReasonOfARunningPipelineUntilTheNextCommit() async throws {
        let launch = try await scene.launch()
        for number in 0..<6 {
            scene.clock.advance(seconds: 2)
            try await scene.put(["/\(number)": 1], as: launch)
        }
        #expect(try scene.shown().reason == "")
        scene.clock.advance(seconds: 90)
        let stalled = try scene.shown()
        #expect(stalled.state == .running)
        #expect(
            stalled.reason == "nothing committed for 90 s (usually every 2.0 s): "
                + "the code sends nothing: it waits for its source, or hangs")
        try await scene.put(["/more": 1], as: launch)
        #expect(try scene.shown().reason == "")
    }

    @Test func aStallNamesTheCommitThatIsHeldOpen() async throws {
        let launch = try await scene.launch()
        let branch = scene.output
        let commit = try await scene.history.transact(as: launch) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        scene.clock.advance(seconds: 400)
        #expect(try scene.shown().reason == "nothing committed for 400 s: a commit is open for 400 s")
        try await scene.history.finish(CommitHandle(commit), description: "", error: "", force: false, as: launch)
        #expect(try scene.shown().reason == "")
    }

    @Test func aStallNamesWhyWritesAreRefused() async throws {
        _ = try await scene.launch()
        scene.watch.refused(scene.key, epoch: 1, "no space left on device")
        scene.clock.advance(seconds: 400)
        #expect(
            try scene.shown().reason
                == "nothing committed for 400 s: its last write was refused: no space left on device")
        #expect(scene.watch.figures(of: scene.key).refusals == 1)
    }

    @Test func aPipelineThatDoesNotRunIsNotStalled() async throws {
        _ = try await scene.launch()
        try await scene.ledger.report(StateReport(version: 1, state: .crashing, reason: "x"), of: scene.key)
        scene.clock.advance(seconds: 4000)
        #expect(try scene.shown().reason == "x")
    }

    @Test func theLastCommitIsKnownFromTheCatalogToo() async throws {
        let launch = try await scene.launch()
        func last(_ watch: SpoutWatch) throws -> Instant? {
            let record = try scene.manager.inspect(project: .standard, name: "ticks", as: scene.user)
            return try scene.history.read { try watch.lastCommit(of: record, in: $0) }
        }
        #expect(try last(scene.watch) == nil)
        try await scene.put(["/a": 1], as: launch)
        let known = try #require(try last(scene.watch))
        #expect(try last(SpoutWatch(clock: scene.clock)) == known, "a server that was started anew")
    }

    @Test func whatIsForgottenBeginsAtZero() async throws {
        let launch = try await scene.launch()
        try await scene.put(["/a": 1], as: launch)
        scene.watch.forget(scene.key)
        #expect(scene.counts() == [0, 0, 0])
    }

    @Test func groupCommitsAreMeasured() async throws {
        let before = scene.history.figures.batches.reading
        let launch = try await scene.launch()
        try await scene.put(["/a": 1], as: launch)
        let after = scene.history.figures.batches.reading
        #expect(after.count > before.count && after.sum > before.sum)
        #expect(scene.history.figures.queued.current == 0)
        #expect(scene.history.figures.whyRefused == nil)
    }
}
