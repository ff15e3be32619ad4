import Backends
import Core
import Logging
import Pipelines
import Simulation
import Storage
import Testing
import Versioning

private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let manager: PipelineManager
    let changes = ScriptedMailbox<PipelineKey>()
    let user = Principal.user("me")
    let other = ProjectKey("other")

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(), randomness: SeededRandomness(seed: 3),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let changes = changes
        manager = PipelineManager(history: history, changed: { changes.put($0) })
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    /// Two pipelines: `default/a`, which says how many tries it wants, and `other/b`, which does not.
    func populate() async throws {
        let other = other
        try await history.transact(as: user) { try $0.createProject(other, description: "", update: false) }
        for spec in [
            #"{"pipeline": {"name": "a"}, "transform": {"cmd": ["x"]}, "spout": {}, "datum_tries": 9}"#,
            #"{"pipeline": {"name": "b", "project": {"name": "other"}}, "transform": {"cmd": ["x"]}, "spout": {}}"#,
        ] { _ = try await manager.create(PipelineRequest(spec: spec), as: user) }
    }

    func set(
        _ json: String, project: ProjectKey? = nil, regenerate: Bool = true, reprocess: Bool = false,
        dryRun: Bool = false
    ) async throws -> [String] {
        let change = PipelineManager.DefaultsChange(
            project: project, json: json, regenerate: regenerate, reprocess: reprocess, dryRun: dryRun)
        return try await manager.setDefaults(change, as: user).map(\.description)
    }

    func pipeline(_ name: String, in project: ProjectKey = .standard) throws -> PipelineRecord {
        try manager.inspect(project: project, name: name, as: user)
    }

    func tries(_ name: String, in project: ProjectKey = .standard) throws -> String? {
        guard case .number(let text) = try PipelineSpec(canonical: pipeline(name, in: project).effectiveSpec)
            .json["datumTries"]
        else { return nil }
        return text
    }
}

@Suite(.timeLimit(.minutes(15))) struct DefaultsTests {
    private let scene: Scene
    init() throws { scene = try Scene() }

    private static func tries(_ count: Int) -> String { #"{"create_pipeline_request": {"datum_tries": \#(count)}}"# }

    @Test func theyAreKeptVerbatim() async throws {
        try await scene.populate()
        #expect(try scene.manager.clusterDefaults() == "{}")
        #expect(try scene.manager.projectDefaults(scene.other) == nil)
        _ = try await scene.set(" { } ", regenerate: false)
        _ = try await scene.set(Self.tries(1), project: scene.other, regenerate: false)
        #expect(try scene.manager.clusterDefaults() == " { } ")
        let defaults = try #require(try scene.manager.projectDefaults(scene.other))
        #expect(defaults.json == Self.tries(1) && defaults.createdBy == "me")
    }

    @Test func eachLayerChangesTheOneBefore() async throws {
        _ = try await scene.set(Self.tries(5))
        try await scene.populate()
        #expect(try scene.tries("a") == "9" && scene.tries("b", in: scene.other) == "5")
        _ = try await scene.set(Self.tries(6), project: scene.other)
        #expect(try scene.tries("b", in: scene.other) == "6")
        _ = try await scene.set(#"{"createPipelineRequest": {"datumTries": null}}"#, project: scene.other)
        #expect(try scene.tries("b", in: scene.other) == nil, "null takes what came before away")
    }

    @Test func withoutRegeneratingNothingThatExistsChanges() async throws {
        try await scene.populate()
        #expect(try await scene.set(Self.tries(5), regenerate: false) == [])
        #expect(try scene.pipeline("b", in: scene.other).version == 1)
    }

    @Test func regeneratingChangesOnlyWhatComesOutDifferent() async throws {
        try await scene.populate()
        let salt = try scene.pipeline("b", in: scene.other).salt
        #expect(try await scene.set(Self.tries(5), dryRun: true) == ["other/b"])
        #expect(try scene.manager.clusterDefaults() == "{}" && scene.pipeline("b", in: scene.other).version == 1)
        #expect(try await scene.set(Self.tries(5)) == ["other/b"])
        let second = try scene.pipeline("b", in: scene.other)
        #expect(second.version == 2 && second.salt == salt)
        #expect(try scene.pipeline("a").version == 1)
        #expect(try await scene.set(Self.tries(5)) == [], "the same again affects nothing")
        #expect(try await scene.set(Self.tries(6), reprocess: true) == ["other/b"])
        #expect(try scene.pipeline("b", in: scene.other).salt != salt)
        #expect(try await scene.set("{}", project: .standard) == [])
        var told: [PipelineKey] = []
        for _ in 0..<4 { told.append(await scene.changes.next()) }
        #expect(told.map(\.description) == ["default/a", "other/b", "other/b", "other/b"])
    }

    @Test func faultyOnesAreRefusedAndChangeNothing() async throws {
        try await scene.populate()
        let scene = scene
        for (json, text) in [
            ("{", "invalid cluster defaults JSON"),
            (#"{"createPipelineRequest": {"tolerations": [{}]}}"#, "could not merge cluster defaults"),
        ] {
            let error = await #expect(throws: SpileError.self) { _ = try await scene.set(json) }
            #expect(error?.code == .invalidArgument && error?.message.contains(text) == true)
            guard case .field("cluster_defaults_json", _) = error?.detail else {
                Issue.record("no field: \(String(describing: error?.detail))")
                continue
            }
        }
        let missing = await #expect(throws: SpileError.self) {
            _ = try await scene.set("{}", project: ProjectKey("none"))
        }
        #expect(missing?.code == .unknown)
        #expect(missing?.message.contains("unknown error: could not write project defaults") == true)
        #expect(throws: SpileError.self) { try scene.manager.projectDefaults(ProjectKey("none")) }
        #expect(try scene.manager.clusterDefaults() == "{}")
    }

    @Test func aProjectsDefaultsGoWithIt() async throws {
        let other = scene.other
        try await scene.history.transact(as: scene.user) { try $0.createProject(other, description: "", update: false) }
        _ = try await scene.set(Self.tries(1), project: other)
        try await scene.history.transact(as: scene.user) { transaction in
            try transaction.deleteProject(other)
            try transaction.createProject(other, description: "", update: false)
        }
        #expect(try scene.manager.projectDefaults(other) == nil)
    }

    @Test func rerunningTakesTheSpecInForce() async throws {
        try await scene.populate()
        let first = try scene.pipeline("b", in: scene.other)
        _ = try await scene.set(Self.tries(5), regenerate: false)
        try await scene.manager.rerun(first.key, reprocess: false, as: scene.user)
        let second = try scene.pipeline("b", in: scene.other)
        #expect(second.version == 2 && second.effectiveSpec == first.effectiveSpec && second.salt == first.salt)
        #expect(second.userSpec == first.userSpec && second.specCommit != first.specCommit)
        try await scene.manager.rerun(first.key, reprocess: true, as: scene.user)
        #expect(try scene.pipeline("b", in: scene.other).salt != first.salt)
        let (manager, user) = (scene.manager, scene.user)
        let missing = await #expect(throws: SpileError.self) {
            try await manager.rerun(PipelineKey(name: "none"), reprocess: false, as: user)
        }
        #expect(missing?.code == .notFound)
    }

    @Test func aSettledSpecIsNotMergedAgain() async throws {
        try await scene.populate()
        let effective = try scene.pipeline("b", in: scene.other).effectiveSpec
        _ = try await scene.set(Self.tries(5), regenerate: false)
        let request = PipelineRequest(
            spec: try scene.pipeline("b", in: scene.other).userSpec, update: true, effective: effective)
        #expect(try await scene.manager.create(request, as: scene.user) == effective)
    }

    @Test func aCommitSetTellsWhichVersionsMadeIt() async throws {
        try await scene.populate()
        let first = try scene.pipeline("a")
        try await scene.manager.rerun(first.key, reprocess: false, as: scene.user)
        func listed(_ set: CommitID) throws -> [Int64] {
            try scene.manager.list(.init(commitSet: set), as: scene.user).map(\.version)
        }
        #expect(try listed(first.specCommit) == [1])
        #expect(try listed(scene.pipeline("a").specCommit) == [2])
        #expect(throws: SpileError.self) { try listed(CommitID(randomHigh: 1, randomLow: 1)) }
    }

    @Test func aLaunchMaySetNone() async throws {
        let launch = Principal.launch(PipelineKey(name: "a"), epoch: 1)
        let manager = scene.manager
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await manager.setDefaults(.init(json: "{}"), as: launch) },
            { try await manager.rerun(PipelineKey(name: "a"), reprocess: false, as: launch) },
        ]
        for body in calls {
            let error = await #expect(throws: SpileError.self) { try await body() }
            #expect(error?.code == .permissionDenied)
        }
    }
}
