import Backends
import Core
import Logging
import Pipelines
import Simulation
import Storage
import Testing
import Versioning

/// A service over the repo `data`, on a catalog and a store of its own.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let manager: PipelineManager
    let ledger: HistoryLedger
    let jobs: Jobs
    let user = Principal.user("")
    let key = PipelineKey(name: "web")
    let data = RepoKey(name: "data")

    static let spec = """
        {"pipeline": {"name": "web"}, "transform": {"cmd": ["serve"]},
         "input": {"pfs": {"repo": "data", "glob": "/"}}, "service": {"internalPort": 8000, "externalPort": 30800}}
        """

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(stepNanoseconds: 1000), randomness: SeededRandomness(seed: 3),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        manager = PipelineManager(history: history, changed: { _ in })
        ledger = HistoryLedger(history: history)
        jobs = Jobs(history: history, progress: JobProgress())
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    func makeData() async throws {
        let data = data
        try await history.transact(as: user) { try $0.createRepo(data, description: "", update: false) }
    }

    func create(update: Bool = false) async throws {
        _ = try await manager.create(PipelineRequest(spec: Self.spec, update: update), as: user)
    }

    /// Starts and finishes a commit of the input; gives its set.
    @discardableResult
    func commit(error: String = "") async throws -> CommitID {
        let branch = data.branch("master")
        let key = try await history.transact(as: user) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        try await finish(key, error: error)
        return key.id
    }

    func finish(_ key: CommitKey, error: String = "") async throws {
        try await history.transact(as: user) {
            _ = try $0.finishCommit(CommitHandle(key), description: "", error: error, force: false)
        }
    }

    var pipeline: PipelineRecord {
        get throws { try manager.inspect(project: .standard, name: "web", as: user) }
    }

    func next() throws -> CommitID? { try ledger.nextJob(of: try pipeline) }

    func launch(_ job: CommitID) async throws {
        _ = try await ledger.beginLaunch(
            of: key, version: try pipeline.version, job: job, tokenHash: .zero, failures: 0)
    }

    /// States of all jobs, oldest first.
    func states() async throws -> [JobState] { try await list().map(\.job.state) }

    func list(_ listing: Jobs.Listing = .init(isOldestFirst: true)) async throws -> [Jobs.View] {
        var views: [Jobs.View] = []
        try await jobs.list(listing, as: user) {
            views.append($0)
            return true
        }
        return views
    }

    func output(_ id: CommitID) throws -> CommitRecord? {
        try history.read { catalog in
            try catalog.repo(key.repo(.user)).flatMap { try catalog.commit(repo: $0.id, id: id) }
        }
    }
}

/// Jobs of services from the input's commit to their end (`pps.md` §4.1, §10).
@Suite(.timeLimit(.minutes(15))) struct ServiceJobTests {
    private let scene: Scene
    init() throws { scene = try Scene() }

    @Test func creatingOneOverACommitMakesAJobAtOnce() async throws {
        try await scene.makeData()
        try await scene.commit()
        try await scene.create()
        let job = try #require(try await scene.list().first)
        #expect(job.job.state == .created && job.job.version == 1 && job.branch == "master")
        #expect(job.inputs.keys.contains(scene.data.branch("master")))
        #expect(try scene.next() == job.job.key.id)
        #expect(try scene.output(job.job.key.id)?.isOpen == true)
        #expect(try scene.history.read { try $0.repo(scene.key.repo(.meta)) } == nil)
    }

    @Test func theNewestJobWhoseInputIsFinishedIsServedAndEndsThoseBeforeIt() async throws {
        try await scene.makeData()
        try await scene.create()
        let first = try #require(try scene.next())
        try await scene.launch(first)
        #expect(try await scene.states() == [.running])

        let branch = scene.data.branch("master")
        let open = try await scene.history.transact(as: scene.user) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        #expect(try await scene.states() == [.running, .created])
        #expect(try scene.next() == first, "the input of the newer job is still open")
        try await scene.finish(open)
        #expect(try scene.next() == open.id)
        let third = try await scene.commit()
        #expect(try scene.next() == third)
        try await scene.launch(third)
        #expect(try await scene.states() == [.success, .success, .running])
        #expect(try await scene.list().map(\.job.counts.processed) == [1, 0, 0], "the second was never served")
        #expect(try scene.output(first)?.error == "" && scene.output(first)?.isFinished == true)
        let views = try await scene.list()
        #expect(views[0].job.startedAt != nil && views[0].job.finishedAt != nil)
    }

    @Test func anInputInErrorMakesAJobThatCannotRunAndTheOneBeforeIsServedOn() async throws {
        try await scene.makeData()
        try await scene.create()
        let first = try #require(try scene.next())
        try await scene.launch(first)
        let bad = try await scene.commit(error: "broken")
        #expect(try scene.next() == first)
        let watch = JobWatch(
            history: scene.history, changed: { _ in }, sleep: { _ in }, logger: Logger(label: "test"))
        let watching = Task { await watch.run() }
        let view = try await scene.jobs.inspect(
            JobKey(pipeline: scene.key, id: bad), isOver: true, as: scene.user)
        #expect(view.job.state == .unrunnable)
        #expect(
            view.job.reason == "unrunnable because the following upstream pipelines failed: data")
        #expect(try scene.output(bad)?.error == view.job.reason)
        watching.cancel()
        await watching.value
    }

    @Test func stopUpdateAndDeleteKillWhatIsUnderWay() async throws {
        try await scene.makeData()
        try await scene.create()
        try await scene.create(update: true)
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        let views = try await scene.list()
        #expect(views.map(\.job.state) == [.killed, .killed])
        #expect(
            views.map(\.job.reason) == [
                "all jobs killed because pipeline was updated for user unknown_username",
                "all jobs killed because pipeline was stopped for user unknown_username",
            ])
        #expect(try scene.next() == nil)
        try await scene.manager.start(scene.key, as: scene.user)
        #expect(try scene.next() != nil, "what there is, is served again")
        try await scene.manager.delete(scene.key, .init(keepRepo: true), as: scene.user)
        #expect(try await scene.list().isEmpty)
        let open = try await scene.history.transact(as: .server) { [key = scene.key] in
            try $0.openCommits(in: key.repo(.user))
        }
        #expect(open.isEmpty)
    }

    @Test func aCallerStopsAndDeletesAJob() async throws {
        try await scene.makeData()
        try await scene.create()
        let key = JobKey(pipeline: scene.key, id: try #require(try scene.next()))
        try await scene.jobs.stop(key, reason: "", as: scene.user)
        try await scene.jobs.stop(key, reason: "again", as: scene.user)
        let view = try await scene.jobs.inspect(key, isOver: true, as: scene.user)
        #expect(view.job.state == .killed && view.job.reason == "job stopped")
        #expect(try scene.output(key.id)?.error == "job stopped")
        try await scene.jobs.delete(key, as: scene.user)
        await #expect(throws: SpileError.self) { try await scene.jobs.inspect(key, isOver: false, as: scene.user) }
        #expect(try await scene.list().isEmpty)
    }

    @Test func whoeverClosesOrDropsTheOutputCommitEndsTheJob() async throws {
        try await scene.makeData()
        try await scene.create()
        let first = try #require(try scene.next())
        try await scene.finish(scene.key.repo(.user).commit(first))
        let second = try await scene.commit()
        try await scene.history.transact(as: scene.user) { try $0.remove(set: second, by: .drop) }
        let views = try await scene.list()
        #expect(views.map(\.job.state) == [.success, .killed])
        #expect(views[1].job.reason == "output commit removed" && views[1].branch == nil)
    }

    @Test func aTriggerNamedByAnInputThinsOutItsJobs() async throws {
        try await scene.makeData()
        let spec = Scene.spec.replacing("\"glob\": \"/\"", with: "\"glob\": \"/\", \"trigger\": {\"commits\": 2}")
        _ = try await scene.manager.create(PipelineRequest(spec: spec), as: scene.user)
        for _ in 0..<4 { try await scene.commit() }
        #expect(try await scene.states().count == 3, "one at the beginning, one for every two commits")
    }

    @Test func listingsNarrowByPipelineVersionInputAndTime() async throws {
        try await scene.makeData()
        try await scene.create()
        let id = try await scene.commit()
        try await scene.create(update: true)
        let all = try await scene.list()
        #expect(all.map(\.job.version) == [1, 1, 2])
        func count(_ listing: Jobs.Listing) async throws -> Int { try await scene.list(listing).count }
        #expect(try await count(.init(pipeline: scene.key, history: 0)) == 1)
        #expect(try await count(.init(pipeline: scene.key, history: 1)) == 3)
        #expect(try await count(.init(projects: [ProjectKey("none")])) == 0)
        #expect(try await count(.init(inputs: [CommitHandle(scene.data.commit(id))])) == 2)
        #expect(try await count(.init(isOldestFirst: true, marker: all[0].job.createdAt)) == 2)
        #expect(try await count(.init(marker: all[1].job.createdAt)) == 1)
        let error = await #expect(throws: SpileError.self) {
            _ = try await count(.init(pipeline: PipelineKey(name: "none")))
        }
        #expect(error?.code == .notFound)
        let set = try await scene.jobs.list(set: id, isOver: false, as: scene.user)
        #expect(set.map(\.job.key.id) == [id])
    }

    // MARK: Corners

    private func create(_ spec: String, update: Bool = false) async throws {
        _ = try await scene.manager.create(PipelineRequest(spec: spec, update: update), as: scene.user)
    }

    private func openCommits() async throws -> Int {
        let repo = scene.key.repo(.user)
        return try await scene.history.transact(as: .server) { try $0.openCommits(in: repo).count }
    }

    @Test func aSpoutThatBecomesAServiceLeavesNoOpenCommitUnderIt() async throws {
        try await scene.makeData()
        try await create(#"{"pipeline": {"name": "web"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#)
        let (_, epoch) = try await scene.ledger.beginLaunch(
            of: scene.key, version: 1, job: nil, tokenHash: .zero, failures: 0)
        let branch = scene.key.repo(.user).branch("master")
        let left = try await scene.history.transact(as: .launch(scene.key, epoch: epoch)) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        try await create(Scene.spec, update: true)
        #expect(try scene.output(left.id)?.isFinished == true && scene.output(left.id)?.error != "")
        let first = try #require(try scene.next())
        try await scene.launch(first)
        try await scene.launch(try await scene.commit())
        #expect(try scene.output(first)?.isFinished == true)
        #expect(try await openCommits() == 1)
    }

    @Test func anUpdateMayNameAnotherOutputBranch() async throws {
        try await scene.makeData()
        try await scene.create()
        let spec = Scene.spec.replacing("\"pipeline\"", with: "\"outputBranch\": \"live\", \"pipeline\"")
        try await create(spec, update: true)
        #expect(try await scene.states() == [.killed, .created])
        #expect(try await scene.list().last?.branch == "live")
        let repo = scene.key.repo(.user)
        let old = try scene.history.read { catalog in
            try catalog.repo(repo).flatMap { try catalog.branch(repo: $0.id, name: "master") }
        }
        #expect(old?.provenance == [], "an ordinary branch from now on")
        #expect(try await openCommits() == 1)
    }

    @Test func pipelinesThatReadEachOtherAreDeletedTogether() async throws {
        try await create(#"{"pipeline": {"name": "a"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#)
        try await create(Scene.spec.replacing("\"data\"", with: "\"a\""))
        let deleted = try await scene.manager.deleteAll(in: [.standard], .init(), as: scene.user)
        #expect(deleted.map(\.name) == ["web", "a"])
    }

    @Test func aSubscriberGetsJobsThatAreOverBeforeItLooks() async throws {
        try await scene.makeData()
        try await scene.create()
        let first = try #require(try scene.next())
        try await scene.jobs.stop(JobKey(pipeline: scene.key, id: first), reason: "", as: scene.user)
        let second = try await scene.commit()
        struct Enough: Error {}
        var seen: [CommitID] = []
        await #expect(throws: Enough.self) {
            try await scene.jobs.subscribe(scene.key, as: scene.user) { view in
                seen.append(view.job.key.id)
                guard view.job.key.id == second else { throw Enough() }
                // The third is made and over before the subscriber asks again.
                let third = try await scene.commit()
                try await scene.jobs.stop(
                    JobKey(pipeline: scene.key, id: third), reason: "", as: scene.user)
            }
        }
        #expect(seen.first == second && seen.count == 2 && !seen.contains(first))
    }

    @Test(arguments: ["..", ".", ".scratch", "a/b"])
    func namesThatCouldNotBeLaidOutAreRefusedAtOnce(_ name: String) async throws {
        try await scene.makeData()
        let spec = Scene.spec.replacing("\"repo\": \"data\"", with: "\"repo\": \"data\", \"name\": \"\(name)\"")
        let error = await #expect(throws: SpileError.self) { try await create(spec) }
        #expect(error?.message.contains("an input cannot be named") == true)
    }

    @Test func aMalformedGlobIsRefusedAtOnce() async throws {
        try await scene.makeData()
        let spec = Scene.spec.replacing("\"glob\": \"/\"", with: "\"glob\": \"/[\"")
        let error = await #expect(throws: SpileError.self) { try await create(spec) }
        #expect(error?.message.contains("input \"data\"") == true)
    }

    @Test func theNumberOfALaunchNeverComesBack() async throws {
        try await scene.makeData()
        try await scene.create()
        let first = try await epoch()
        try await scene.manager.delete(scene.key, .init(), as: scene.user)
        try await scene.create()
        #expect(try await epoch() > first)
    }

    private func epoch() async throws -> Int64 {
        try await scene.ledger.beginLaunch(
            of: scene.key, version: try scene.pipeline.version, job: try scene.next(), tokenHash: .zero, failures: 0
        ).epoch
    }
}
