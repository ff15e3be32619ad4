import Core
import Pipelines
import Simulation
import Testing

/// Several launchers as one, and what an order says to each.
@Suite struct LaunchersTests {
    private static let key = PipelineKey(name: "p")

    private static func order(
        _ spec: String, usual: LauncherKind = .process, elsewhere: [LauncherKind: LaunchAddress] = [:]
    ) throws -> LaunchOrder {
        let now = Instant(nanoseconds: 0)
        let pipeline = PipelineRecord(
            key: key, version: 1, specCommit: CommitID(randomHigh: 1, randomLow: 1), kind: .spout, stopped: false,
            userSpec: "", effectiveSpec: spec, createdAt: now, updatedAt: now)
        let site = LaunchSite(
            host: "127.0.0.1", port: 1650, toolFolder: "/data/bin",
            baseEnvironment: ["PATH": "/here", "HOME": "/home/u"], usual: usual, elsewhere: elsewhere)
        return try LaunchPlan(pipeline: pipeline, epoch: 1, token: "t", site: site).order { _ in }
    }

    private static func spec(_ more: String = "", transform: String = "") -> String {
        #"{"pipeline":{"name":"p"},"spout":{},"transform":{"image":"i:1","cmd":["x"]\#(transform)}\#(more)}"#
    }

    @Test func anOrderGoesToTheLauncherItAsksForOrElseToTheUsualOne() async throws {
        let (process, container) = (ScriptedLauncher(), ScriptedLauncher())
        let launchers = Launchers(usual: .container, launchers: [.process: process, .container: container])
        await launchers.endLeftovers(grace: 0)
        var order = try Self.order(Self.spec())
        let first = try await launchers.start(order)
        order.launcher = .process
        order.epoch = 2
        let second = try await launchers.start(order)
        #expect(container.liveRuns == 1 && process.liveRuns == 1)
        #expect(await launchers.isAlive(first))
        await launchers.stop(first, grace: 1)
        #expect(container.liveRuns == 0 && process.liveRuns == 1)
        #expect(try await launchers.wait(first) == .signalled(number: 15))
        #expect(await launchers.isAlive(second))
        #expect(await !launchers.isAlive(LaunchHandle("p#2")), "a handle of nobody's")
        #expect(process.breaches + container.breaches == [])
    }

    @Test func whoseFilesThereAreToBeSaysTheLauncherOfTheOrder() throws {
        let launchers = Launchers(
            usual: .container, launchers: [.container: ScriptedLauncher(pfsOwner: .everybody)],
            absent: [.process: SpileError(.failedPrecondition, "no processes here")])
        var order = try Self.order(Self.spec())
        #expect(try launchers.pfsOwner(of: order) == .everybody)
        order.launcher = .process
        let error = try #require(throws: SpileError.self) { try launchers.pfsOwner(of: order) }
        #expect("\(error)".contains("no processes here"))
    }

    @Test func aLauncherThatIsNotThereSaysWhy() async throws {
        let launchers = Launchers(
            usual: .process, launchers: [.process: ScriptedLauncher()],
            absent: [.container: SpileError(.failedPrecondition, "no podman")])
        var order = try Self.order(Self.spec())
        order.launcher = .container
        let error = try await #require(throws: SpileError.self) { try await launchers.start(order) }
        #expect(error.message == "no podman")
    }

    @Test func whatIsForgottenIsForgottenByAll() async throws {
        let (process, container) = (ScriptedLauncher(), ScriptedLauncher())
        let launchers = Launchers(usual: .process, launchers: [.process: process, .container: container])
        try await launchers.forget(Self.key)
        #expect(process.forgotten == [Self.key] && container.forgotten == [Self.key])
    }

    @Test func whereAServiceIsKnowsTheLauncherOfItsPipeline() async throws {
        let launchers = Launchers(
            usual: .process,
            launchers: [.process: ScriptedLauncher(), .kubernetes: ScriptedLauncher(serviceAddress: "10.0.0.1")])
        #expect(try await launchers.serviceAddress(of: Self.key, on: nil) == nil)
        #expect(try await launchers.serviceAddress(of: Self.key, on: .kubernetes) == "10.0.0.1")
    }

    @Test func codeElsewhereFindsTheServerByAnotherName() throws {
        let there = Self.spec(#","metadata":{"annotations":{"spile.io/launcher":"kubernetes"}}"#)
        let elsewhere: [LauncherKind: LaunchAddress] = [.kubernetes: LaunchAddress(host: "pachd", port: 30650)]
        for (usual, spec, host, port) in [
            (LauncherKind.process, Self.spec(), "127.0.0.1", "1650"), (.process, there, "pachd", "30650"),
            (.kubernetes, Self.spec(), "pachd", "30650"),
        ] {
            let order = try Self.order(spec, usual: usual, elsewhere: elsewhere)
            let variables = Dictionary(uniqueKeysWithValues: order.environment.map { ($0.name, $0.value) })
            #expect(variables["PACHD_SERVICE_HOST"] == host && variables["PEER_PORT"] == port)
            let config = String(decoding: try #require(order.files.first).bytes, as: UTF8.self)
            #expect(config.contains("grpc://\(host):\(port)"))
        }
    }

    @Test func anOrderBearsTheVersionThatItRuns() throws {
        let version = try #require(try Self.order(Self.spec(#","resourceRequests":{"disk":"1Gi"}"#)).version)
        #expect(version.number == 1)
        #expect(version.spec.json["resourceRequests"]?["disk"]?.string == "1Gi")
    }

    @Test func theAnnotationNamesTheLauncher() throws {
        #expect(try Self.order(Self.spec()).launcher == nil)
        let named = Self.spec(#","metadata":{"annotations":{"spile.io/launcher":"container"}}"#)
        #expect(try Self.order(named).launcher == .container)
        let wrong = Self.spec(#","metadata":{"annotations":{"spile.io/launcher":"balloon"}}"#)
        let fault = try LaunchPlan.fault(PipelineSpec(canonical: wrong))
        #expect(fault == "metadata.annotations: there is no launcher \"balloon\", only process, container, kubernetes")
        #expect(try LaunchPlan.fault(PipelineSpec(canonical: named)) == nil)
    }

    @Test func anImageGetsNothingOfThisMachinesEnvironment() throws {
        let order = try Self.order(Self.spec(transform: #","env":{"A":"1","PEER_PORT":"0"}"#))
        let image = try #require(order.image)
        let variables = Dictionary(uniqueKeysWithValues: image.environment.map { ($0.name, $0.value) })
        #expect(image.name == "i:1")
        #expect(variables["A"] == "1" && variables["PEER_PORT"] == "1650")
        #expect(variables["PATH"] == nil && variables["HOME"] == nil)
        let own = try Self.order(Self.spec(transform: #","env":{"PATH":"/mine"}"#))
        #expect(own.image?.environment.contains { $0.name == "PATH" && $0.value == "/mine" } == true)
    }

    @Test func thePortOfASpoutsServiceIsTold() throws {
        #expect(try Self.order(Self.spec()).image?.port == nil)
        let spec = Self.spec().replacing(
            #""spout":{}"#, with: #""spout":{"service":{"internalPort":8000,"externalPort":31803}}"#)
        let port = try #require(try Self.order(spec).image?.port)
        #expect(port.internalPort == 8000 && port.externalPort == 31803)
    }

    @Test func limitsAndLabelsComeFromTheSpec() throws {
        let spec = Self.spec(
            #","resourceLimits":{"cpu":0.5,"memory":"64Mi"},"metadata":{"labels":{"team":"b","a":"1"}}"#)
        let image = try #require(try Self.order(spec).image)
        #expect(image.memoryLimit == 64 << 20 && image.processorLimit == 0.5)
        #expect(image.labels.map { "\($0.name)=\($0.value)" } == ["a=1", "team=b"])
        let odd = try #require(try Self.order(Self.spec(#","resourceLimits":{"memory":"a lot"}"#)).image)
        #expect(odd.memoryLimit == nil, "the contract ignores what it cannot read")
    }

    @Test(arguments: [
        ("64M", 64e6), ("1.5Gi", 1.5 * 0x1p30), ("250m", 0.25), ("1e3", 1000), ("12E2", 1200), ("0", 0), ("2E", 2e18),
        ("", nil), ("-1", nil), ("1 M", nil), ("1MB", nil), ("Mi", nil), ("1e99", nil), ("1.2.3", nil),
    ])
    func quantitiesAreReadAsKubernetesDoes(_ text: String, _ value: Double?) {
        #expect(Quantity.parse(text) == value)
    }
}
