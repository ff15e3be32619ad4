import Backends
import Core
import Foundation
import Logging
import Pipelines
import Simulation
import Storage
import Testing
import Versioning

/// Secrets on a catalog and a key file of their own.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let secrets: Secrets
    let manager: PipelineManager
    let user = Principal.user("")

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(), randomness: SeededRandomness(seed: 3), logger: Self.logger)
        secrets = Secrets(
            history: history,
            sealer: KeyedSealer(
                file: LocalKeyFile(folder.path + "/secrets.key"), randomness: SeededRandomness(seed: 4)))
        manager = PipelineManager(history: history, changed: { _ in })
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    func create(_ name: String, _ values: [String: String]) async throws {
        try await secrets.create(
            SecretManifest(name: name, values: values.mapValues { Array($0.utf8) }), as: user)
    }

    func wanted(_ json: String) throws -> [SecretSpec] {
        try SpecDocument.plainJSON(json).elements.map(SecretSpec.init)
    }
}

@Suite(.timeLimit(.minutes(15))) struct SecretsTests {
    private let scene: Scene
    init() throws { scene = try Scene() }

    @Test func aSecretIsToldOfWithoutItsValues() async throws {
        try await scene.create("s", ["password": "hunter2"])
        let secret = try scene.secrets.inspect("s", as: scene.user)
        #expect(secret.name == "s" && secret.type == "Opaque" && secret.createdAt.seconds == 1_700_000_000)
        let sealed = try #require(secret.values["password"])
        #expect(!sealed.indices.contains { sealed[$0...].starts(with: "hunter2".utf8) })
        #expect(try scene.secrets.list(as: scene.user) == [secret])
    }

    @Test func pullSecretsAreOneConfigurationOfRegistries() async throws {
        try await scene.create("one", [".dockerconfigjson": #"{"auths":{"a.example":{"auth":"QQ=="}}}"#])
        try await scene.create("two", [".dockerconfigjson": #"{"auths":{"b.example":{"auth":"Qg=="}}}"#])
        try await scene.create("other", ["password": "hunter2"])
        try await scene.create("broken", [".dockerconfigjson": "hunter2"])
        let config = try scene.secrets.registryConfig(["one", "missing", "other", "two"])
        let json = try SpecDocument.plainJSON(String(decoding: config, as: UTF8.self))
        #expect(json["auths"]?["a.example"]?["auth"]?.string == "QQ==")
        #expect(json["auths"]?["b.example"]?["auth"]?.string == "Qg==")
        #expect(try scene.secrets.registryConfig(["missing"]) == [])
        let error = #expect(throws: SpileError.self) { try scene.secrets.registryConfig(["broken"]) }
        #expect(error?.message.contains("broken") == true && error?.message.contains("hunter2") == false)
    }

    @Test func itsErrorsAreTheContracts() async throws {
        try await scene.create("s", [:])
        let scene = scene
        let cases: [(@Sendable () async throws -> Void, String)] = [
            ({ try await scene.create("s", [:]) }, "failed to create secret: secrets \"s\" already exists"),
            ({ _ = try scene.secrets.inspect("t", as: scene.user) }, "failed to get secret"),
            ({ try await scene.secrets.delete("t", as: scene.user) }, "failed to delete secret"),
        ]
        for (body, text) in cases {
            let error = await #expect(throws: SpileError.self) { try await body() }
            #expect(error?.code == .unknown && error?.message.contains(text) == true)
        }
        try await scene.secrets.delete("s", as: scene.user)
        try await scene.create("s", ["new": "1"])
        try await scene.secrets.deleteAll(as: scene.user)
        #expect(try scene.secrets.list(as: scene.user) == [])
    }

    @Test func aLaunchMayNotLookAtThem() async throws {
        try await scene.create("s", ["k": "v"])
        let launch = Principal.launch(PipelineKey(name: "ticks"), epoch: 1)
        let secrets = scene.secrets
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try secrets.list(as: launch) }, { _ = try secrets.inspect("s", as: launch) },
            { try await secrets.delete("s", as: launch) },
            { try await secrets.create(SecretManifest(name: "t", values: [:]), as: launch) },
        ]
        for body in calls {
            let error = await #expect(throws: SpileError.self) { try await body() }
            #expect(error?.code == .permissionDenied)
        }
    }

    @Test func launchesGetWhatTheirSpecNames() async throws {
        try await scene.create("s", ["user": "me", "password": "hunter2"])
        let given = try scene.secrets.open(
            try scene.wanted(
                #"[{"name": "s", "key": "password", "envVar": "PASSWORD"}, {"name": "s", "mountPath": "/etc/s"}]"#))
        #expect(given.variables.map(\.name) == ["PASSWORD"] && given.variables.map(\.value) == ["hunter2"])
        #expect(given.mounts.map(\.path) == ["/etc/s"] && given.mounts[0].files.map(\.name) == ["password", "user"])
        #expect(given.mounts[0].files[0].bytes == Array("hunter2".utf8))
        #expect(given.mounts[0].variable == "SPILE_SECRETS_S")
    }

    @Test func whatIsMissingIsNamed() async throws {
        try await scene.create("s", ["k": "v"])
        try await scene.secrets.create(SecretManifest(name: "b", values: ["k": [255, 0]]), as: scene.user)
        for (json, text) in [
            (#"[{"name": "none", "mountPath": "/x"}]"#, "missing secret none"),
            (#"[{"name": "s", "key": "none", "envVar": "A"}]"#, "secret s is missing key none"),
            (#"[{"name": "b", "key": "k", "envVar": "A"}]"#, "no variable can hold it"),
        ] {
            let wanted = try scene.wanted(json)
            let error = try #require(throws: SpileError.self) { try scene.secrets.open(wanted) }
            #expect(error.code == .failedPrecondition && error.message.contains(text), "\(error)")
        }
    }

    @Test func aPipelineIsCreatedOnlyWithSecretsThatAreThere() async throws {
        let spec = """
            {"pipeline": {"name": "ticks"}, "spout": {},
             "transform": {"cmd": ["tick"], "secrets": [{"name": "s", "key": "k", "envVar": "K"}]}}
            """
        let (manager, user) = (scene.manager, scene.user)
        let missing = await #expect(throws: SpileError.self) { try await manager.create(.init(spec: spec), as: user) }
        #expect(missing?.code == .unknown && missing?.message.contains("missing Kubernetes secret s") == true)
        _ = try await manager.create(.init(spec: spec, dryRun: true), as: user)
        try await scene.create("s", ["other": "v"])
        let keyless = await #expect(throws: SpileError.self) { try await manager.create(.init(spec: spec), as: user) }
        #expect(keyless?.message.contains("Kubernetes secret s missing key k") == true)
        try await scene.secrets.delete("s", as: user)
        try await scene.create("s", ["k": "hunter2"])
        let effective = try await manager.create(.init(spec: spec), as: user)
        #expect(!effective.contains("hunter2"))
    }

    @Test func aProcessFindsItsSecretsAsFilesOfItsOwnThatGoWithIt() async throws {
        let launcher = try ProcessLauncher(root: scene.folder.path + "/runs", logger: Scene.logger)
        let output = ScriptedMailbox<LaunchOutput>()
        var order = LaunchOrder(
            pipeline: PipelineKey(name: "p"), epoch: 1,
            command: [
                "sh", "-c",
                #"cd "$SPILE_SECRETS_MY_DB"; stat -c %a . password; cat password; echo; ls; pwd"#,
            ],
            environment: [("PATH", "/usr/local/bin:/usr/bin:/bin")], output: { output.put($0) })
        order.secretFiles = [
            LaunchMount(
                secret: "my-db", path: "/etc/db",
                files: [("password", Array("hunter2".utf8)), ("user", Array("me".utf8))])
        ]
        #expect(try await launcher.wait(try await launcher.start(order)) == .exited(code: 0))
        var lines: [String] = []
        for _ in 0..<6 { lines.append(await output.next().line) }
        #expect(lines.prefix(5) == ["700", "400", "hunter2", "password", "user"])
        #expect(lines[5].hasPrefix(scene.folder.path + "/runs/"))
        #expect(!FolderLook.isThere(lines[5]))
        #expect(!launcher.mountsSecrets(of: order))
    }
}

private enum FolderLook {
    static func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
