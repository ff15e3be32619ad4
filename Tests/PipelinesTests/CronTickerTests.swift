import Core
import Simulation
import Testing
import Versioning

@testable import Pipelines

/// When ticks are made, and that each is made once (`pps.md` §13).
@Suite(.timeLimit(.minutes(15))) struct CronTickerTests {
    private let scene: CronScene
    init() throws { scene = try CronScene() }

    private func names(_ seconds: Int64...) -> [String] { seconds.map(CronScene.name) }

    @Test func `ticks that are due are made one by one, each a commit and a job of its own`() async throws {
        try await scene.create()
        #expect(try await scene.turn() == 60)
        #expect(try scene.writes() == 0)
        scene.time.advance(by: 200)
        #expect(try await scene.turn() == 40)
        #expect(try await scene.files() == names(60, 120, 180))
        #expect(try scene.writes() == 3)
        let jobs = try scene.history.read {
            try $0.jobs(JobFilter(pipeline: scene.key), order: .oldestFirst, beyond: nil, limit: 100)
        }
        #expect(jobs.count == 4, "one for the pipeline's beginning, one for each tick")
    }

    @Test func `a tick that overwrites is alone`() async throws {
        try await scene.create(CronScene.spec(#""spec": "@every 60s", "overwrite": true"#))
        scene.time.advance(by: 130)
        _ = try await scene.turn()
        #expect(try await scene.files() == names(120))
        #expect(try scene.writes() == 2)
    }

    @Test func `the next server goes on where the last one was cut off`() async throws {
        try await scene.create()
        scene.time.advance(by: 300)
        scene.useTicker(ticksPerTurn: 2)
        #expect(try await scene.turn() == 0, "more is due")
        #expect(try await scene.files() == names(60, 120))
        try scene.restart()
        _ = try await scene.turn()
        _ = try await scene.turn()
        #expect(try await scene.files() == names(60, 120, 180, 240, 300))
        #expect(try scene.writes() == 5)
    }

    @Test func `one that has much to make up for leaves the others their turn`() async throws {
        try await scene.create(CronScene.spec(#""spec": "@every 1s""#))
        try await scene.create(CronScene.spec(name: "zoo", port: 30900))
        scene.time.advance(by: 100)
        #expect(try await scene.turn() == 0)
        #expect(try await scene.files().count == 16)
        #expect(try await scene.files(RepoKey(name: "zoo_tick").branch("master")) == names(60))
        while await scene.quietTurn() == 0 {}
        #expect(try await scene.files().count == 100)
    }

    @Test func `a stopped pipeline does not tick, and makes up for it when it is started`() async throws {
        try await scene.create()
        _ = try await scene.turn()
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        scene.time.advance(by: 150)
        #expect(await scene.quietTurn() == nil, "the ticker has not been told yet; the transaction knows")
        #expect(try await scene.turn() == nil)
        #expect(try scene.writes() == 0)
        try await scene.manager.start(scene.key, as: scene.user)
        _ = try await scene.turn()
        #expect(try await scene.files() == names(60, 120))
    }

    @Test func `a pipeline that has failed does not tick until it is updated`() async throws {
        try await scene.create()
        let key = scene.key
        try await scene.history.transact(as: .server) { transaction in
            var pipeline = try #require(try transaction.catalog.pipeline(key))
            pipeline.state = .failure
            try transaction.catalog.put(pipeline)
        }
        scene.time.advance(by: 70)
        #expect(try await scene.turn() == nil)
        #expect(try scene.writes() == 0)
        try await scene.create(update: true)
        #expect(try await scene.turn() == 50)
        #expect(try await scene.files() == names(60))
    }

    @Test func `a tick that was found due is not made over what came meanwhile`() async throws {
        try await scene.create()
        let source = try #require(try CronSource.all(of: scene.pipeline).first)
        scene.time.advance(by: 60)
        let position = try await CronPosition(of: scene.ticks, in: scene.history)
        let due = try #require(source.due(after: position))
        let mark = try MarkWrite(tickAt: due, of: source.leaf, in: scene.history)
        func tick() async throws -> CronSource.Outcome {
            try await scene.history.transact(as: .server) { try source.tick(mark, over: position, in: $0) }
        }
        guard case .made = try await tick() else {
            Issue.record("the first is made")
            return
        }
        #expect(try await tick() == .moved, "as after an answer that was lost")
        try await scene.create(update: true)
        #expect(try await tick() == .off, "as after an update")
        #expect(try scene.writes() == 1)
    }

    @Test func `a tick by hand moves what is due next`() async throws {
        try await scene.create()
        scene.time.advance(by: 30)
        try await scene.manager.runCron(scene.key, as: scene.user)
        #expect(try await scene.files() == names(30))
        scene.time.advance(by: 31)
        #expect(try await scene.turn() == 29)
        #expect(try await scene.files() == names(30))
    }

    @Test func `a tick goes into a commit that is open, and is found there`() async throws {
        try await scene.create()
        let branch = scene.ticks
        let open = try await scene.history.transact(as: scene.user) {
            try $0.startCommit(on: branch, parent: nil, description: "").key
        }
        scene.time.advance(by: 61)
        _ = try await scene.turn()
        _ = try await scene.turn()
        #expect(try scene.writes() == 1 && scene.history.read { try $0.writeBasis(of: branch) }?.key == open)
        #expect(try await scene.files() == names(60))
        // What a commit in error holds is handed on to none: its ticks are made again.
        try await scene.history.transact(as: scene.user) {
            _ = try $0.finishCommit(CommitHandle(open), description: "", error: "no good", force: false)
        }
        _ = try await scene.turn()
        #expect(try await scene.files() == names(60))
        #expect(try scene.writes() == 2)
    }

    @Test func `files that are no ticks are passed over`() async throws {
        try await scene.create()
        for path in ["/README", "/9/9", "/2023", "/zz"] { try await scene.put(path, on: scene.ticks) }
        scene.time.advance(by: 61)
        _ = try await scene.turn()
        #expect(try await scene.files().contains(CronScene.name(60)))
        _ = try await scene.turn()
        #expect(try scene.writes() == 5)
    }

    @Test func `a tick from the end of time holds the schedule up and nothing else`() async throws {
        try await scene.create()
        try await scene.put("/2261-12-31T00:00:00Z", on: scene.ticks)
        scene.time.advance(by: 61)
        #expect(try await scene.turn() == nil)
        let branch = scene.ticks
        try await scene.history.transact(as: scene.user) {
            let head = try #require(try $0.catalog.writeBasis(of: branch)?.key.id)
            try $0.remove(set: head, by: .drop)
        }
        _ = await scene.quietTurn()
        #expect(try await scene.files() == names(60), "it saw for itself that the repo changed")
    }

    @Test func `one that cannot write waits longer each time and keeps none from ticking`() async throws {
        try await scene.create()
        try await scene.create(CronScene.spec(name: "zoo", port: 30900))
        try await scene.activateAuth()
        let zoo = RepoKey(name: "zoo_tick").branch("master")
        let code = Subject(scene.key)
        try await scene.history.setRoles(at: AccessResource(scene.ticks.repo), of: code, to: [], as: .subject(.root))
        scene.time.advance(by: 61)
        #expect(try await scene.turn() == 1)
        #expect(try await scene.files(zoo) == names(60))
        let head = try #require(try scene.history.read { try $0.writeBasis(of: zoo) })
        #expect(head.createdBy == "pipeline:default/zoo")
        scene.time.advance(by: 1)
        #expect(await scene.quietTurn() == 2)
        #expect(try scene.writes() == 0)
        let roles: [Role] = [.repoWriter]
        try await scene.history.setRoles(
            at: AccessResource(scene.ticks.repo), of: code, to: roles, as: .subject(.root))
        scene.time.advance(by: 2)
        _ = await scene.quietTurn()
        #expect(try await scene.files() == names(60))
    }

    // MARK: The loop

    /// Returns when the tick repo has so many ticks.
    private func ticks(_ count: Int) async throws {
        let history = scene.history
        let repo = try history.read { try $0.existingRepo(scene.ticks.repo).id }
        while true {
            let generation = history.events.generation(repo: repo)
            if try scene.writes() == count { return }
            try await history.events.wait(repo: repo, after: generation)
        }
    }

    @Test func `the loop sleeps until something is due, and wakes for pipelines and for writes`() async throws {
        let ticker = scene.ticker
        let running = Task { await ticker.run() }
        try await scene.create()
        #expect(await scene.time.sleeps.next() == 60, "it was told of the pipeline")
        scene.time.advance(by: 60)
        try await ticks(1)
        // What it sleeps for after its own write may come twice: the write is an event, too.
        try await scene.manager.runCron(scene.key, as: scene.user)
        scene.time.advance(by: 59)
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        scene.time.advance(by: 100)
        try await scene.manager.start(scene.key, as: scene.user)
        try await ticks(4)
        #expect(try await scene.files() == names(60, 120, 180))
        running.cancel()
        await running.value
    }

    @Test func `the loop takes up what an earlier server left`() async throws {
        try await scene.create()
        try scene.restart()
        scene.time.advance(by: 125)
        let ticker = scene.ticker
        let running = Task { await ticker.run() }
        try await ticks(2)
        running.cancel()
        await running.value
        #expect(try await scene.files() == names(60, 120))
    }
}
