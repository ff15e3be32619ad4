import Backends
import Core
import Logging
import Pipelines
import Simulation
import Storage
import Testing
import Versioning

/// A manager on a catalog and a store of its own.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let manager: PipelineManager
    let ledger: HistoryLedger
    let changes = ScriptedMailbox<PipelineKey>()
    let user = Principal.user("")
    let key = PipelineKey(name: "ticks")

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(), randomness: SeededRandomness(seed: 3),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let changes = changes
        manager = PipelineManager(history: history, changed: { changes.put($0) })
        ledger = HistoryLedger(history: history)
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    static let spec = #"{"pipeline": {"name": "ticks"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#

    @discardableResult
    func create(_ spec: String = Scene.spec, update: Bool = false, reprocess: Bool = false) async throws
        -> PipelineRecord
    {
        _ = try await manager.create(PipelineRequest(spec: spec, update: update, reprocess: reprocess), as: user)
        return try pipeline
    }

    var pipeline: PipelineRecord {
        get throws { try manager.inspect(project: .standard, name: "ticks", as: user) }
    }

    func branch(_ name: String = "master", type: RepoType = .user) throws -> BranchRecord? {
        try history.read { catalog in
            try catalog.repo(key.repo(type)).flatMap { try catalog.branch(repo: $0.id, name: name) }
        }
    }

    /// Commits of the output repo, oldest first.
    func commits() throws -> [CommitRecord] {
        try history.read { catalog in
            guard let repo = try catalog.repo(key.repo(.user)) else { return [] }
            return try catalog.commits(repo: repo.id, order: .oldestFirst, beyond: nil, limit: 100)
        }
    }

    func error(_ body: () async throws -> Void) async throws -> SpileError {
        do { try await body() } catch { return try #require(error as? SpileError) }
        throw SpileError.bug("nothing was thrown")
    }

    /// Starts a launch as the supervisor does, and returns who its code is.
    func launch(version: Int64 = 1) async throws -> Principal {
        let (_, epoch) = try await ledger.beginLaunch(
            of: key, version: version, job: nil, tokenHash: .zero, failures: 0)
        return .launch(key, epoch: epoch)
    }

    func startCommit(as principal: Principal) async throws -> CommitKey {
        let branch = key.repo(.user).branch("master")
        return try await history.transact(as: principal) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
    }
}

@Suite(.timeLimit(.minutes(15))) struct PipelineManagerTests {
    private let scene: Scene
    init() throws { scene = try Scene() }

    @Test func creatingASpoutMakesItsReposAndAFinishedFirstCommit() async throws {
        let pipeline = try await scene.create()
        #expect(pipeline.version == 1 && pipeline.kind == .spout && pipeline.state == .starting)
        #expect(pipeline.userSpec == Scene.spec)
        let spec = try #require(try scene.branch(type: .spec))
        let output = try #require(try scene.branch())
        #expect(output.provenance == [spec.id])
        let commits = try scene.commits()
        try #require(commits.map(\.description) == ["close spout commit"])
        #expect(commits[0].origin == .auto && commits[0].finished != nil)
        #expect(commits[0].key.id == pipeline.specCommit, "one commit set for all of it")
        #expect(try scene.history.read { try $0.repo(scene.key.repo(.meta)) } == nil)
        #expect(await scene.changes.next() == scene.key)
    }

    @Test func theEffectiveSpecHasDefaultsProjectAndTheSpoutThatWasMeant() async throws {
        let pipeline = try await scene.create(#"{"pipeline": {"name": "ticks"}, "transform": {"cmd": ["tick"]}}"#)
        #expect(
            pipeline.effectiveSpec == """
                {"datumTries":3,"outputBranch":"master","reprocessSpec":"until_success","transform":\
                {"image":"ubuntu:20.04","cmd":["tick"]},\
                "pipeline":{"name":"ticks","project":{"name":"default"}},"spout":{}}
                """)
        #expect(pipeline.kind == .spout)
    }

    @Test func aDryRunChecksAndChangesNothing() async throws {
        let request = PipelineRequest(spec: Scene.spec, dryRun: true)
        #expect(try await scene.manager.create(request, as: scene.user).contains("\"spout\":{}"))
        #expect(try scene.manager.list(PipelineManager.Listing(), as: scene.user).isEmpty)
    }

    @Test func aSecondCreationIsRefusedAndAnUpdateIsTheNextVersion() async throws {
        let first = try await scene.create()
        let error = try await scene.error { _ = try await scene.create() }
        #expect(error.code == .alreadyExists && error.message == "pipeline \"default/ticks\" already exists")
        let second = try await scene.create(update: true)
        #expect(second.version == 2 && second.createdAt == first.createdAt && second.updatedAt > first.updatedAt)
        #expect(second.salt == first.salt && second.specCommit != first.specCommit)
        #expect(try scene.commits().count == 1, "an update of the same branch adds no output commit")
        let third = try await scene.create(update: true, reprocess: true)
        #expect(third.salt != first.salt)
        #expect(try scene.manager.inspect(project: .standard, name: "ticks^2", as: scene.user).version == 1)
        #expect(
            try scene.manager.list(PipelineManager.Listing(history: -1), as: scene.user).map(\.version) == [3, 2, 1])
        #expect(try scene.manager.list(PipelineManager.Listing(history: 1), as: scene.user).map(\.version) == [3, 2])
    }

    @Test func ancestryThatLeadsNowhereIsRefused() async throws {
        try await scene.create()
        for (name, text) in [
            ("ticks^1", "has only 1 versions, not enough to find ancestor 1"),
            ("ticks.2", "cannot inspect future pipelines"), ("tocks", "pipeline \"default/tocks\" not found"),
        ] {
            let error = try await scene.error {
                _ = try scene.manager.inspect(project: .standard, name: name, as: scene.user)
            }
            #expect(error.message.contains(text))
        }
    }

    @Test func anUpdateToAnotherBranchGivesItAFinishedCommit() async throws {
        try await scene.create()
        try await scene.create(
            #"{"pipeline": {"name": "ticks"}, "transform": {"cmd": ["tick"]}, "outputBranch": "next"}"#, update: true)
        #expect(try scene.branch("next")?.provenance.count == 1)
        #expect(try scene.commits().allSatisfy { $0.finished != nil })
    }

    @Test func stopAndStartLeaveNoOpenCommit() async throws {
        try await scene.create()
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        #expect(try scene.pipeline.stopped)
        #expect(try scene.branch()?.provenance == [])
        try await scene.manager.start(scene.key, as: scene.user)
        #expect(try !scene.pipeline.stopped)
        #expect(try scene.branch()?.provenance.count == 1)
        #expect(try scene.commits().allSatisfy { $0.finished != nil && $0.error.isEmpty })
    }

    @Test func anUpdateOfAStoppedPipelineLeavesItStopped() async throws {
        try await scene.create()
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        let updated = try await scene.create(update: true)
        #expect(updated.stopped && updated.state == .paused && updated.version == 2)
        #expect(try scene.branch()?.provenance == [])
    }

    @Test func whatALaunchLeftOpenIsFinishedAsAnErrorByTheNext() async throws {
        try await scene.create()
        let first = try await scene.launch()
        let commit = try await scene.startCommit(as: first)
        let second = try await scene.launch()
        let left = try #require(try scene.commits().first { $0.key == commit })
        #expect(left.finished != nil && left.error == "left open by an earlier launch of the pipeline")
        let error = try await scene.error { _ = try await scene.startCommit(as: first) }
        #expect(error.code == .permissionDenied, "the older launch is fenced")
        _ = try await scene.startCommit(as: second)
    }

    @Test func aLaunchFindsThePositionOfTheNewestGoodCommit() async throws {
        try await scene.create()
        #expect(try scene.ledger.position(of: scene.pipeline) == SpoutPosition())
        let first = try await scene.launch()
        let output = CommitHandle(scene.key.repo(.user).branch("master"))
        func write(_ offset: String) async throws -> CommitKey {
            try await Upload(to: output, in: scene.history, as: first, WriteTerms(metadata: ["offset": offset]))
                .finish()
        }
        _ = try await write("1")
        let good = try await write("2")
        let expected = SpoutPosition(commit: good.id, metadata: ["offset": "2"])
        #expect(try scene.ledger.position(of: scene.pipeline) == expected)
        // What is open does not count, and neither does what the next launch finds open.
        _ = try await scene.startCommit(as: first)
        _ = try await write("3")
        #expect(try scene.ledger.position(of: scene.pipeline) == expected)
        _ = try await scene.launch()
        #expect(try scene.ledger.position(of: scene.pipeline) == expected)
        // Stop and start add a commit of the server's.
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        try await scene.manager.start(scene.key, as: scene.user)
        #expect(try scene.commits().last?.key.id != good.id)
        #expect(try scene.ledger.position(of: scene.pipeline) == expected)
    }

    @Test func theEndOfALaunchFencesItAndClosesItsCommits() async throws {
        try await scene.create()
        let launch = try await scene.launch()
        _ = try await scene.startCommit(as: launch)
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        try await scene.ledger.endLaunch(of: scene.key, tokenHash: .zero)
        #expect(try scene.commits().allSatisfy { $0.finished != nil })
        let error = try await scene.error { _ = try await scene.startCommit(as: launch) }
        #expect(error.code == .permissionDenied)
        let stale = try await scene.error { _ = try await scene.launch() }
        #expect(stale.code == .aborted, "a stopped pipeline is not launched")
    }

    @Test func aReportOfAnOldVersionIsDropped() async throws {
        try await scene.create()
        try await scene.create(update: true)
        try await scene.ledger.report(StateReport(version: 1, state: .crashing, reason: "x"), of: scene.key)
        #expect(try scene.pipeline.state == .starting)
        try await scene.ledger.report(StateReport(version: 2, state: .running, reason: ""), of: scene.key)
        #expect(try scene.pipeline.state == .running)
    }

    @Test func deletingRemovesAllOfIt() async throws {
        try await scene.create()
        let launch = try await scene.launch()
        try await scene.manager.delete(scene.key, .init(mustExist: true), as: scene.user)
        for type in RepoType.allCases { #expect(try scene.history.read { try $0.repo(scene.key.repo(type)) } == nil) }
        #expect(try scene.history.read { try $0.launch(scene.key) } == nil)
        await #expect(throws: SpileError.self) { try await scene.startCommit(as: launch) }
        try await scene.manager.delete(scene.key, .init(), as: scene.user)
        let error = try await scene.error {
            try await scene.manager.delete(scene.key, .init(mustExist: true), as: scene.user)
        }
        #expect(error.code == .notFound)
        try await scene.create()
    }

    @Test func keepRepoLeavesAnOrdinaryRepoThatBlocksTheName() async throws {
        try await scene.create()
        try await scene.manager.delete(scene.key, .init(keepRepo: true), as: scene.user)
        #expect(try scene.branch()?.provenance == [])
        _ = try await scene.startCommit(as: scene.user)
        let error = try await scene.error { _ = try await scene.create() }
        #expect(error.message.contains("cannot be created because a repo with the same name already exists"))
    }

    @Test func aRefusedDeletionLeavesThePipelineAsItWas() async throws {
        try await scene.create()
        let output = scene.key.repo(.user).branch("master")
        let other = RepoKey(name: "other").branch("master")
        try await scene.history.transact(as: scene.user) { transaction in
            try transaction.createRepo(other.repo, description: "", update: false)
            try transaction.createBranch(other, BranchChange(provenance: [output]))
        }
        let error = try await scene.error { try await scene.manager.delete(scene.key, .init(), as: scene.user) }
        #expect(error.message.contains("it's in the direct provenance of"))
        #expect(try !scene.pipeline.stopped)
        try await scene.manager.delete(scene.key, .init(force: true), as: scene.user)
    }

    @Test func allPipelinesOfAProjectAreDeletedTogether() async throws {
        try await scene.create()
        try await scene.create(#"{"pipeline": {"name": "tocks"}, "transform": {"cmd": ["tock"]}}"#)
        let deleted = try await scene.manager.deleteAll(in: [.standard], .init(), as: scene.user)
        #expect(deleted.map(\.name).sorted() == ["ticks", "tocks"])
    }

    @Test(arguments: [
        (
            #"{"pipeline": {"name": "a"}, "input": {"pfs": {"repo": "none", "glob": "/"}}}"#, SpileError.Code.notFound,
            "repo default/none not found"
        ),
        (
            #"{"pipeline": {"name": "a"}, "service": {}, "transform": {"cmd": ["x"]}}"#, .invalidArgument,
            "service pipeline default/a has no input"
        ),
        (#"{"pipeline": {"name": "a"}}"#, .invalidArgument, "pipeline default/a has no input"),
        (#"{"transform": {"cmd": ["x"]}}"#, .unknown, "request.Pipeline cannot be nil"),
        (
            #"{"pipeline": {"name": "a"}, "nope": 1}"#, .invalidArgument,
            "could not make effective spec: malformed pipeline spec: line 1: nope"
        ),
        (
            #"{"pipeline": {"name": "a"}, "tfJob": {}}"#, .invalidArgument,
            "could not make effective spec: invalid effective spec"
        ),
        (#"{"pipeline": {"name": "a", "project": {"name": "none"}}, "spout": {}}"#, .notFound, "none"),
    ])
    func faultySpecsAreRefusedAndLeaveNothing(_ spec: String, _ code: SpileError.Code, _ text: String) async throws {
        let error = try await scene.error {
            _ = try await scene.manager.create(PipelineRequest(spec: spec), as: scene.user)
        }
        #expect(error.code == code, "\(error)")
        #expect(error.description.contains(text), "\(error)")
        #expect(try scene.history.read { try $0.repos(in: nil, type: nil) }.isEmpty)
    }

    @Test func aLaunchMayReadItsOwnPipelineAndChangeNone() async throws {
        try await scene.create()
        try await scene.create(#"{"pipeline": {"name": "tocks"}, "transform": {"cmd": ["tock"]}}"#)
        let launch = try await scene.launch()
        #expect(try scene.manager.inspect(project: .standard, name: "ticks", as: launch).version == 1)
        #expect(try scene.manager.list(.init(), as: launch).map(\.key.name) == ["ticks"])
        for refused in [
            try await scene.error { _ = try scene.manager.inspect(project: .standard, name: "tocks", as: launch) },
            try await scene.error {
                _ = try await scene.manager.create(.init(spec: Scene.spec, update: true), as: launch)
            },
            try await scene.error { try await scene.manager.stop(scene.key, mustExist: true, as: launch) },
            try await scene.error { try await scene.manager.start(scene.key, as: launch) },
            try await scene.error { try await scene.manager.delete(scene.key, .init(), as: launch) },
            try await scene.error { _ = try await scene.manager.deleteAll(in: nil, .init(), as: launch) },
        ] {
            #expect(refused.code == .permissionDenied)
            #expect(refused.message.contains("not authorized to perform this operation"))
        }
    }
}
