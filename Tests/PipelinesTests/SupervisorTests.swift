import Core
import Logging
import Pipelines
import Simulation
import Testing

/// A supervisor in a scripted world.
private struct Scene: Sendable {
    let ledger = ScriptedLedger()
    let launcher = ScriptedLauncher()
    let time = ScriptedTime()
    let ports = ScriptedPorts()
    let supervisor: Supervisor
    let watch: SpoutWatch
    let logs: LogStore
    let key = PipelineKey(name: "ticks")
    let folder = TemporaryFolder()

    init() {
        let time = time
        logs = LogStore(files: ScriptedLogFiles(), clock: time)
        watch = SpoutWatch(clock: time)
        supervisor = Supervisor(
            ledger: ledger, launcher: launcher, ports: ports, logs: logs, options: Supervisor.Options(),
            world: Supervisor.World(
                clock: time, randomness: SeededRandomness(seed: 7), sha256: Self.digest,
                sleep: { try await time.sleep($0) }),
            secrets: NoSecrets(), inputs: ScriptedInputs(root: folder.path), watch: watch,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// No hash, but different for different tokens.
    static func digest(_ bytes: [UInt8]) -> Digest { Digest(bytes.suffix(32) + [UInt8](repeating: 0, count: 32)) }

    func pipeline(version: Int64 = 1, stopped: Bool = false, spec: String? = nil) -> PipelineRecord {
        PipelineRecord(
            key: key, version: version, specCommit: CommitID(randomHigh: 1, randomLow: UInt64(version)), kind: .spout,
            stopped: stopped, userSpec: "",
            effectiveSpec: spec
                ?? """
                {"pipeline":{"name":"ticks"},"transform":{"cmd":["tick"],"stdin":["a","b"],\
                "env":{"A":"1","PEER_PORT":"0"}}}
                """,
            createdAt: time.now(), updatedAt: time.now())
    }

    static let serviceSpec = """
        {"pipeline":{"name":"ticks"},"transform":{"cmd":["serve"]},"input":{"pfs":{"repo":"data","glob":"/"}},\
        "service":{"internalPort":1,"externalPort":2}}
        """

    func change(_ pipeline: PipelineRecord) {
        ledger.put(pipeline)
        supervisor.changed(key)
    }

    func state(_ state: PipelineState) async -> StateReport {
        await ledger.reports.next { $0.report.state == state }.report
    }

    static let site = LaunchSite(
        host: "127.0.0.1", port: 1650, toolFolder: "/data/bin", deploymentID: "d",
        baseEnvironment: ["PATH": "/usr/bin", "HOME": "/home/u", "SECRET": "x"])

    /// Runs `body` beside the supervisor, then shuts it down.
    func run(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            await launcher.endLeftovers(grace: 0)
            group.addTask { await supervisor.run(at: Self.site) }
            defer { supervisor.shutDown() }
            try await body(self)
            supervisor.shutDown()
            try await group.waitForAll()
        }
        #expect(launcher.liveRuns == 0)
        #expect(launcher.breaches.isEmpty)
        folder.remove()
    }
}

@Suite(.timeLimit(.minutes(15))) struct SupervisorTests {
    @Test func aPipelineOfTheCatalogIsLaunchedWithAllItNeeds() async throws {
        let scene = Scene()
        let position = SpoutPosition(commit: CommitID(randomHigh: 1, randomLow: 2), metadata: ["b": "\"2\"", "a": "1"])
        scene.ledger.set(position, of: scene.key)
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            let (_, order) = await scene.launcher.starts.next()
            #expect(order.command == ["tick"])
            #expect(String(decoding: order.standardInput, as: UTF8.self) == "a\nb\n")
            let environment = Dictionary(uniqueKeysWithValues: order.environment.map { ($0.name, $0.value) })
            #expect(environment["A"] == "1")
            #expect(environment["PEER_PORT"] == "1650", "the contract's variables cannot be overridden")
            #expect(environment["PACH_IN_WORKER"] == "true")
            #expect(environment["PPS_PROJECT_NAME"] == "default")
            #expect(environment["PPS_PIPELINE_NAME"] == "ticks")
            #expect(environment["PATH"] == "/usr/bin:/data/bin")
            #expect(environment["HOME"] == "/home/u")
            #expect(environment["SECRET"] == nil, "nothing of the server's leaks")
            let token = try #require(environment["PACH_PYTHON_AUTH_TOKEN"])
            #expect(token.hasPrefix("launch-") && token.count == 39)
            #expect(scene.ledger.launch(scene.key)?.tokenHash == Scene.digest(Array(token.utf8)))
            #expect(order.fileVariables.map(\.name) == ["PACH_CONFIG", "SPILE_RESUME_FILE"])
            #expect(order.fileVariables.map(\.path) == order.files.map(\.path))
            #expect(
                String(decoding: order.files[1].bytes, as: UTF8.self)
                    == #"{"commit":"\#(position.commit!)","metadata":{"a":"1","b":"\"2\""}}"#)
            #expect(
                String(decoding: order.files[0].bytes, as: UTF8.self) == """
                    {"v2":{"active_context":"default","contexts":{"default":{"pachd_address":"grpc://127.0.0.1:1650",\
                    "session_token":"\(token)","project":"default","cluster_deployment_id":"d"}},"metrics":true}}
                    """)
            _ = await scene.state(.running)
        }
    }

    @Test func whatStaysOfADeletedPipelineIsRemovedBeforeOneOfItsNameRuns() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        let other = PipelineKey(name: "deleted-while-no-server-ran")
        scene.launcher.leave(scene.key)
        scene.launcher.leave(other)
        try await scene.run { scene in
            _ = await scene.launcher.starts.next()
            #expect(await scene.launcher.forgets.next() == other)
            let (begun, go) = (ScriptedMailbox<Void>(), ScriptedMailbox<Void>())
            scene.launcher.setForgetting {
                begun.put(())
                await go.next()
            }
            scene.ledger.remove(scene.key)
            scene.supervisor.changed(scene.key)
            await begun.next()
            scene.change(scene.pipeline())
            // Only after this does the new one begin: else it is a breach.
            go.put(())
            _ = await scene.launcher.starts.next()
            #expect(scene.launcher.forgotten == [other, scene.key])
        }
    }

    @Test func whatStaysOfASpoutThatBecomesATransformIsRemoved() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        var other = scene.pipeline()
        other.key = PipelineKey(name: "a-transform-since-no-server-ran")
        other.kind = .transform
        scene.ledger.put(other)
        scene.launcher.leave(scene.key)
        scene.launcher.leave(other.key)
        let isForgotten = other.key
        try await scene.run { scene in
            _ = await scene.launcher.starts.next()
            #expect(await scene.launcher.forgets.next() == isForgotten)
            var transform = scene.pipeline()
            transform.kind = .transform
            scene.change(transform)
            #expect(await scene.launcher.forgets.next() == scene.key)
            // A spout again: it starts anew.
            scene.change(scene.pipeline())
            _ = await scene.launcher.starts.next()
            #expect(scene.launcher.forgotten == [isForgotten, scene.key])
        }
    }

    @Test func aSpoutThatExitsIsLaunchedAgainWithANewEpochAndToken() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            let first = await scene.launcher.starts.next()
            scene.launcher.print("bad luck", from: first.handle)
            let hash = scene.ledger.launch(scene.key)?.tokenHash
            scene.launcher.end(first.handle, .exited(code: 1))
            let report = await scene.state(.restarting)
            #expect(report.reason.contains("exited with code 1") && report.reason.contains("bad luck"))
            let pause = await scene.time.sleeps.next()
            scene.time.advance(by: pause)
            let second = await scene.launcher.starts.next()
            #expect(second.order.epoch == first.order.epoch + 1)
            #expect(scene.ledger.launch(scene.key)?.tokenHash != hash)
            #expect(scene.ledger.launch(scene.key)?.failures == 1)
            #expect(scene.watch.figures(of: scene.key).failures == 1)
        }
    }

    @Test func aServiceRunsForItsNewestJobAndNeverBesideAnOlderRun() async throws {
        let scene = Scene()
        var pipeline = scene.pipeline(spec: Scene.serviceSpec)
        pipeline.kind = .service
        scene.ledger.put(pipeline)
        try await scene.run { scene in
            _ = await scene.state(.running)
            #expect(scene.launcher.liveRuns == 0, "no job yet, nothing to serve")
            for id in 1...2 as ClosedRange<UInt64> {
                scene.ledger.setJob(of: scene.key, to: CommitID(randomHigh: 1, randomLow: id))
                scene.supervisor.changed(scene.key)
                let (handle, order) = await scene.launcher.starts.next()
                #expect(order.epoch == Int64(id))
                let job = CommitID(randomHigh: 1, randomLow: id)
                #expect(order.environment.contains { $0.name == "INPUT" && $0.value == "\(job)" })
                #expect(order.pfsFolder?.hasPrefix(scene.folder.path) == true)
                // It exits: it is started again for the same job.
                if id == 2 {
                    scene.launcher.end(handle, .exited(code: 0))
                    scene.time.advance(by: await scene.time.sleeps.next())
                    #expect(await scene.launcher.starts.next().order.epoch == 3)
                }
            }
            scene.ledger.setJob(of: scene.key, to: nil)
            scene.supervisor.changed(scene.key)
            _ = await scene.launcher.stops.next()
        }
    }

    @Test func aRunThatIsStoppedDidNotFail() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            _ = await scene.state(.running)
            scene.change(scene.pipeline(stopped: true))
            _ = await scene.state(.paused)
            let figures = scene.watch.figures(of: scene.key)
            #expect(figures.launches == 1 && figures.failures == 0)
        }
    }

    @Test func stopShowsPausedAndMakesTheTokenWorthless() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            _ = await scene.launcher.starts.next()
            let hash = scene.ledger.launch(scene.key)?.tokenHash
            scene.change(scene.pipeline(stopped: true))
            #expect(await scene.launcher.stops.next().grace == 10)
            _ = await scene.state(.paused)
            _ = await scene.ledger.endings.next()
            #expect(scene.ledger.launch(scene.key)?.tokenHash != hash)
            scene.change(scene.pipeline())
            _ = await scene.launcher.starts.next()
        }
    }

    @Test func anUpdateStopsTheOldVersionBeforeItStartsTheNewOne() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            scene.launcher.holdStops()
            let old = await scene.launcher.starts.next()
            _ = await scene.state(.running)
            scene.change(scene.pipeline(version: 2))
            _ = await scene.launcher.stops.next()
            _ = await scene.state(.restarting)
            #expect(scene.launcher.liveRuns == 1)
            scene.launcher.end(old.handle, .signalled(number: 9))
            let new = await scene.launcher.starts.next()
            #expect(new.order.environment.contains { $0.name == "PPS_POD_NAME" && $0.value == "default-ticks-v2-2" })
            scene.launcher.end(new.handle, .exited(code: 0))
        }
    }

    @Test func aDeletedPipelineIsStoppedAndItsLogsGo() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        try await scene.run { scene in
            let run = await scene.launcher.starts.next()
            scene.launcher.print("x", from: run.handle)
            _ = await scene.state(.running)
            async let following: Void = scene.logs.read(LogQuery(pipeline: scene.key, kind: .all, follow: true)) { _ in
            }
            scene.ledger.remove(scene.key)
            scene.supervisor.changed(scene.key)
            _ = await scene.launcher.stops.next()
            try await following
        }
    }

    @Test func aStartThatIsRefusedIsTriedAgain() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline())
        scene.launcher.refuseNextStart(SpileError(.failedPrecondition, "no program tick"))
        try await scene.run { scene in
            #expect(await scene.state(.restarting).reason.contains("no program tick"))
            scene.time.advance(by: await scene.time.sleeps.next())
            _ = await scene.launcher.starts.next()
        }
    }

    private static let serving = """
        {"pipeline":{"name":"ticks"},"transform":{"cmd":["tick"]},\
        "spout":{"service":{"internalPort":8000,"externalPort":31000}}}
        """

    @Test func aServicesPortIsOpenFromTheLaunchToTheStop() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline(spec: Self.serving))
        try await scene.run { scene in
            let first = await scene.launcher.starts.next()
            let exposure = Exposure(pipeline: scene.key, internalPort: 8000, externalPort: 31000, isLocal: false)
            #expect(scene.ports.exposure(of: scene.key) == exposure)
            scene.launcher.end(first.handle, .exited(code: 1))
            _ = await scene.state(.restarting)
            #expect(scene.ports.exposure(of: scene.key) == exposure, "it stays open between two runs")
            scene.change(scene.pipeline(stopped: true, spec: Self.serving))
            _ = await scene.state(.paused)
            #expect(scene.ports.exposure(of: scene.key) == nil)
        }
    }

    @Test func anUpdateWithoutServiceClosesThePort() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline(spec: Self.serving))
        try await scene.run { scene in
            _ = await scene.launcher.starts.next()
            scene.change(scene.pipeline(version: 2))
            _ = await scene.launcher.starts.next()
            #expect(scene.ports.exposure(of: scene.key) == nil)
        }
    }

    @Test func aPortThatIsTakenIsTheReasonAndNothingStarts() async throws {
        let scene = Scene()
        scene.ports.refuse(SpileError(.unavailable, "port 31000 is in use"))
        scene.ledger.put(scene.pipeline(spec: Self.serving))
        try await scene.run { scene in
            let report = await scene.state(.restarting)
            #expect(report.reason.contains("port 31000 is in use"))
            scene.time.advance(by: await scene.time.sleeps.next())
            _ = await scene.launcher.starts.next()
            #expect(scene.ports.exposure(of: scene.key) != nil)
        }
    }

    @Test func aSpecWithoutCommandFails() async throws {
        let scene = Scene()
        scene.ledger.put(scene.pipeline(spec: #"{"pipeline":{"name":"ticks"},"spout":{},"transform":{}}"#))
        try await scene.run { scene in
            #expect(await scene.state(.failure).reason == "nothing to run: no transform.cmd")
        }
    }

    @Test func shutdownStopsAllSpoutsSideBySide() async throws {
        let scene = Scene()
        for name in ["a", "b", "c"] {
            var pipeline = scene.pipeline()
            pipeline.key = PipelineKey(name: name)
            scene.ledger.put(pipeline)
        }
        try await scene.run { scene in
            for _ in 0..<3 { _ = await scene.ledger.reports.next() }
            scene.launcher.holdStops()
            scene.supervisor.shutDown()
            var handles: [LaunchHandle] = []
            for _ in 0..<3 { handles.append(await scene.launcher.stops.next().handle) }
            #expect(scene.launcher.liveRuns == 3)
            for handle in handles { scene.launcher.end(handle, .exited(code: 0)) }
        }
    }
}
