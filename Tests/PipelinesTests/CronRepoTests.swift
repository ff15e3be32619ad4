import Core
import Testing
import Versioning

@testable import Pipelines

/// The repos of ticks: made and deleted with their pipelines (`pps.md` §2, §8, §13, §16).
@Suite(.timeLimit(.minutes(15))) struct CronRepoTests {
    private let scene: CronScene
    init() throws { scene = try CronScene() }

    private func delete(_ name: String = "web", keepRepo: Bool = false) async throws {
        try await scene.manager.delete(
            PipelineKey(name: name), .init(keepRepo: keepRepo, mustExist: true), as: scene.user)
    }

    private func start() throws -> Instant? {
        try PipelineSpec(canonical: scene.pipeline.effectiveSpec).cronLeaves.first?.start
    }

    /// A service that reads a branch instead.
    private func plain(_ repo: String) -> String {
        CronScene.spec().replacing(
            #"{"cron": {"name": "tick", "spec": "@every 60s"}}"#, with: #"{"pfs": {"repo": "\#(repo)", "glob": "/"}}"#)
    }

    @Test func `it comes with the pipeline, and the output derives from it`() async throws {
        try await scene.create()
        let (repo, branch, output) = try scene.history.read { catalog in
            (
                try catalog.existingRepo(scene.ticks.repo), try catalog.existingBranch(scene.ticks),
                try catalog.existingBranch(scene.key.repo(.user).branch("master"))
            )
        }
        #expect(repo.description == "Cron tick repo for pipeline default/web.")
        #expect(output.provenance.contains(branch.id))
        #expect(try await scene.files().isEmpty)
    }

    @Test(arguments: [false, true]) func `it goes with the pipeline`(keepRepo: Bool) async throws {
        try await scene.create()
        try await scene.manager.runCron(scene.key, as: scene.user)
        try await delete(keepRepo: keepRepo)
        #expect(try !scene.exists(scene.ticks.repo))
        #expect(try scene.exists(scene.key.repo(.user)) == keepRepo)
    }

    @Test func `one that an update drops stays, and is gone on with`() async throws {
        try await scene.makeRepo(RepoKey(name: "data"))
        try await scene.create()
        try await scene.manager.runCron(scene.key, as: scene.user)
        try await scene.create(plain("data"), update: true)
        scene.time.advance(by: 600)
        try await scene.create(update: true)
        #expect(try await scene.turn() == 60, "it begins anew: nothing was missed while there was no such input")
        #expect(try await scene.files() == [CronScene.name(0)])
        try await delete()
        #expect(try !scene.exists(scene.ticks.repo))
    }

    @Test func `an ordinary repo is used and outlives the pipeline`() async throws {
        try await scene.makeRepo(scene.ticks.repo, description: "mine")
        try await scene.put("/mine", on: scene.ticks)
        try await scene.create()
        scene.time.advance(by: 61)
        _ = try await scene.turn()
        #expect(try await scene.files() == [CronScene.name(60), "mine"])
        try await delete()
        #expect(try await scene.files() == [CronScene.name(60), "mine"])
    }

    @Test func `nothing in an ordinary repo is overwritten`() async throws {
        try await scene.makeRepo(scene.ticks.repo)
        let spec = CronScene.spec(#""spec": "@daily", "overwrite": true"#)
        try await scene.create(spec)
        try await delete()
        try await scene.put("/mine", on: scene.ticks)
        let error = try await scene.error { try await scene.create(spec) }
        #expect(error.message.contains("would overwrite the files of repo default/web_tick"), "\(error)")
        #expect(try !scene.exists(scene.key.repo(.user)))
    }

    @Test func `ticks are not written where others write`() async throws {
        try await scene.create(CronScene.spec(name: "up", port: 30900))
        let output = try await scene.error {
            try await scene.create(CronScene.spec(#""spec": "@daily", "repo": "up""#))
        }
        #expect(output.message.contains("the output of a pipeline"), "\(output)")
        let derived = RepoKey(name: "derived").branch("master")
        let upstream = RepoKey(name: "up_tick").branch("master")
        try await scene.makeRepo(derived.repo)
        try await scene.history.transact(as: scene.user) {
            try $0.createBranch(derived, BranchChange(provenance: [upstream]))
        }
        let error = try await scene.error {
            try await scene.create(CronScene.spec(#""spec": "@daily", "repo": "derived""#))
        }
        #expect(error.message.contains("derives from others"), "\(error)")
    }

    @Test func `one that two pipelines tick in goes with the second`() async throws {
        let shared = #""spec": "@daily", "repo": "shared""#
        try await scene.create(CronScene.spec(shared))
        try await scene.create(CronScene.spec(shared, name: "zoo", port: 30900))
        try await delete()
        #expect(try scene.exists(RepoKey(name: "shared")))
        try await delete("zoo")
        #expect(try !scene.exists(RepoKey(name: "shared")))
    }

    @Test func `all go where all pipelines go`() async throws {
        try await scene.create()
        try await scene.create(CronScene.spec(name: "zoo", port: 30900))
        _ = try await scene.manager.deleteAll(in: nil, .init(), as: scene.user)
        #expect(try scene.history.read { try $0.repos(in: nil, type: nil) }.isEmpty)
    }

    @Test func `one that was deleted while the pipeline was stopped is made anew`() async throws {
        try await scene.create()
        try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
        let repo = scene.ticks.repo
        _ = try await scene.history.transact(as: scene.user) { try $0.deleteRepo(repo, force: false) }
        try await scene.manager.start(scene.key, as: scene.user)
        scene.time.advance(by: 61)
        _ = try await scene.turn()
        #expect(try await scene.files() == [CronScene.name(60)])
    }

    // MARK: The start

    @Test func `an update with the same schedule keeps the start`() async throws {
        try await scene.create()
        #expect(try start() == CronScene.start)
        scene.time.advance(by: 100)
        try await scene.create(update: true)
        #expect(try start() == CronScene.start)
        try await scene.manager.rerun(scene.key, reprocess: false, as: scene.user)
        #expect(try start() == CronScene.start)
        try await scene.create(CronScene.spec(#""spec": "@daily""#), update: true)
        #expect(try start() == CronScene.start.adding(seconds: 100))
    }

    @Test func `a start that the spec names is taken, and what it left behind is made up for`() async throws {
        try await scene.create(CronScene.spec(#""spec": "@every 60s", "start": "2023-11-14T22:11:20Z""#))
        _ = try await scene.turn()
        #expect(try await scene.files() == [CronScene.name(-60), CronScene.name(0)])
    }

    @Test func `defaults that change nothing make no new version`() async throws {
        try await scene.create()
        scene.time.advance(by: 5)
        let change = PipelineManager.DefaultsChange(json: "{}", regenerate: true)
        #expect(try await scene.manager.setDefaults(change, as: scene.user).isEmpty)
    }

    @Test func `a pipeline without a cron input has nothing to run`() async throws {
        try await scene.makeRepo(RepoKey(name: "data"))
        try await scene.create(plain("data"))
        let error = try await scene.error { try await scene.manager.runCron(scene.key, as: scene.user) }
        #expect(error.message.contains("pipeline doesn't have a cron input"))
        let missing = try await scene.error {
            try await scene.manager.runCron(PipelineKey(name: "none"), as: scene.user)
        }
        #expect(missing.code == .notFound)
    }

    // MARK: Rights

    @Test func `the pipeline may write its ticks, and others may not`() async throws {
        try await scene.activateAuth()
        let maker = Principal.subject(try Subject("robot:maker"))
        let stranger = Principal.subject(try Subject("robot:stranger"))
        _ = try await scene.manager.create(PipelineRequest(spec: CronScene.spec()), as: maker)
        let resource = AccessResource(scene.ticks.repo)
        let roles = try scene.history.roleBinding(resource).entries
        #expect(roles[Subject(scene.key)] == [.repoReader, .repoWriter])
        #expect(roles[try Subject("robot:maker")] == [.repoOwner])
        let error = try await scene.error { try await scene.manager.runCron(scene.key, as: stranger) }
        #expect(error.code == .permissionDenied)
        try await scene.manager.runCron(scene.key, as: maker)
        #expect(try scene.history.read { try $0.writeBasis(of: scene.ticks) }?.createdBy == "robot:maker")
        try await scene.makeRepo(RepoKey(name: "data"), as: maker)
        _ = try await scene.manager.create(PipelineRequest(spec: plain("data"), update: true), as: maker)
        #expect(try scene.history.roleBinding(resource).entries[Subject(scene.key)] == nil)
    }
}
