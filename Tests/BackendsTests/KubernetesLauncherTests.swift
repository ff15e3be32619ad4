import Core
import Logging
import Simulation
import Testing

@testable import Backends

/// A launcher of a fake cluster, and what its programs printed.
struct KubernetesLaunch {
    let scene: KubernetesScene
    let launcher: KubernetesLauncher
    let output = ScriptedMailbox<LaunchOutput>()

    var fake: KubernetesFake { scene.fake }

    /// Long sleeps last until the test moves the clock.
    static func with(
        options change: (inout KubernetesOptions) -> Void = { _ in },
        _ body: (KubernetesLaunch) async throws -> Void
    ) async throws {
        var options = KubernetesOptions(owner: "o1")
        options.toolImage = "spile:1"
        change(&options)
        try await KubernetesScene.with(.long) { scene in
            try await body(KubernetesLaunch(scene: scene, options: options))
        }
    }

    init(scene: KubernetesScene, options: KubernetesOptions) {
        self.scene = scene
        launcher = KubernetesLauncher(
            client: scene.client, options: options,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    func order(_ change: (inout LaunchOrder) -> Void = { _ in }) -> LaunchOrder {
        let output = output
        var order = LaunchOrder(
            pipeline: PipelineKey(name: "p"), epoch: 1, command: ["run"], environment: [],
            files: [(path: "config.json", bytes: Array("{}".utf8), mode: 0o600)], output: { output.put($0) })
        order.image = LaunchImage(name: "i:1", environment: [("A", "1")])
        change(&order)
        return order
    }

    /// Starts a run on a node that runs it at once; gives its pod too.
    func start(_ change: (inout LaunchOrder) -> Void = { _ in }) async throws -> (LaunchHandle, pod: String) {
        fake.playNode(runs: true, ends: false)
        let handle = try await launcher.start(order(change))
        return (handle, await fake.pods.next().name)
    }

    /// Starts a run whose pod the test plays by hand; gives the error.
    func refused(
        _ change: (inout LaunchOrder) -> Void = { _ in }, _ play: (String) async throws -> Void
    ) async throws -> SpileError {
        let order = order(change)
        let start = Task { try await launcher.start(order) }
        try await play(await fake.pods.next().name)
        return try #require(await #expect(throws: SpileError.self) { try await start.value })
    }

    /// The next wish to end a pod.
    func nextEnd() async -> Int64? { await fake.deletions.next { $0.kind == "pods" }.grace }
}

@Suite(.timeLimit(.minutes(15))) struct KubernetesLauncherTests {
    @Test func `a run is alive from its start to its end, which is told with its code`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            #expect(await launch.launcher.isAlive(handle))
            launch.fake.end(pod, code: 7)
            #expect(try await launch.launcher.wait(handle) == .exited(code: 7))
            #expect(await !launch.launcher.isAlive(handle))
            #expect(launch.fake.names("pods") == [] && launch.fake.names("secrets") == [])
            await #expect(throws: SpileError.self) { try await launch.launcher.wait(handle) }
            await launch.launcher.stop(LaunchHandle("nonsense"), grace: 0)
            #expect(await !launch.launcher.isAlive(LaunchHandle("no/such/handle")))
        }
    }

    @Test func `a start waits for the program, not longer`() async throws {
        try await KubernetesLaunch.with { launch in
            let order = launch.order()
            let start = Task { try await launch.launcher.start(order) }
            let pod = await launch.fake.pods.next().name
            launch.fake.hold(pod, reason: "ContainerCreating")
            launch.fake.run(pod)
            let handle = try await start.value
            #expect(await launch.launcher.isAlive(handle))
            let secret = try #require(launch.fake.object("secrets", "spout-pachctl-secret-default-p"))
            #expect(secret.at(path: "metadata/ownerReferences/0/name")?.string == pod)
            launch.fake.end(pod, code: 0)
            #expect(try await launch.launcher.wait(handle) == .exited(code: 0))
        }
    }

    @Test func `a program that is too quick to be seen running has run`() async throws {
        try await KubernetesLaunch.with { launch in
            let order = launch.order()
            let start = Task { try await launch.launcher.start(order) }
            let pod = await launch.fake.pods.next().name
            launch.fake.print(pod, "done")
            launch.fake.end(pod, code: 3)
            let handle = try await start.value
            #expect(try await launch.launcher.wait(handle) == .exited(code: 3))
            #expect(launch.output.untaken.map(\.line) == ["done"])
        }
    }

    @Test func `lines come while the program runs, through breaks, each once`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            launch.fake.print(pod, "one", at: "2027-01-15T08:00:00.000000001Z")
            launch.fake.print(pod, "two", at: "2027-01-15T08:00:00.000000001Z")
            #expect(await launch.output.next() == LaunchOutput(stream: .standardOutput, line: "one"))
            #expect(await launch.output.next().line == "two")
            launch.fake.cutLog(pod, after: "2027-01-15T08:00:00.5Z thr")
            launch.fake.print(pod, "three", at: "2027-01-15T08:00:00.5Z")
            #expect(await launch.output.next().line == "three")
            launch.fake.cutWatches("pods")
            launch.fake.print(pod, "last", at: "2027-01-15T08:00:01Z")
            launch.fake.end(pod, code: 0)
            #expect(try await launch.launcher.wait(handle) == .exited(code: 0))
            #expect(launch.output.untaken.map(\.line) == ["last"])
        }
    }

    @Test func `a log that cannot be read to its end is said to be so`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.deny("get pods/log")
            let (handle, pod) = try await launch.start()
            launch.fake.end(pod, code: 0)
            #expect(try await launch.launcher.wait(handle) == .exited(code: 0))
            let lines = launch.output.untaken.map(\.line)
            #expect(lines.count == 1 && lines[0].contains("get pods/log"), "\(lines)")
        }
    }

    // MARK: Stops

    @Test func `stop leaves the grace, and tells how the program ended`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            let stop = Task { await launch.launcher.stop(handle, grace: 9.2) }
            #expect(await launch.nextEnd() == 10)
            #expect(await launch.launcher.isAlive(handle))
            launch.fake.print(pod, "drained")
            // A log goes with its pod: it has to be read by then.
            #expect(await launch.output.next().line == "drained")
            launch.fake.finish(pod, code: 3)
            await stop.value
            #expect(try await launch.launcher.wait(handle) == .exited(code: 3))
            #expect(launch.output.untaken.isEmpty)
        }
    }

    @Test func `a second stop may shorten the grace, a longer one changes nothing`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            let stops = [Task { await launch.launcher.stop(handle, grace: 1000) }]
            #expect(await launch.nextEnd() == 1000)
            let shorter = Task { await launch.launcher.stop(handle, grace: 0) }
            #expect(await launch.nextEnd() == 1)
            let longer = Task { await launch.launcher.stop(handle, grace: 500) }
            launch.fake.finish(pod, code: 137)
            for stop in stops + [shorter, longer] { await stop.value }
            #expect(try await launch.launcher.wait(handle) == .signalled(number: 9))
            #expect(launch.fake.deletions.untaken.filter { $0.grace == 500 }.isEmpty)
        }
    }

    @Test func `a pod whose node does not answer is removed by force`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, _) = try await launch.start()
            let stop = Task { await launch.launcher.stop(handle, grace: 5) }
            #expect(await launch.nextEnd() == 5)
            _ = await launch.scene.clock.sleeps.next { $0 == 35 }
            launch.scene.clock.advance(by: 35)
            #expect(await launch.nextEnd() == 0)
            await stop.value
            #expect(try await launch.launcher.wait(handle) == .unknown)
        }
    }

    @Test func `a stop by a cancelled task stops all the same, and one that the server does not hear is repeated`()
        async throws
    {
        try await KubernetesLaunch.with { launch in
            let (handle, _) = try await launch.start()
            launch.fake.playNode(runs: true, ends: true)
            launch.fake.fail(
                .init(of: "delete pods", answer: KubernetesFake.refusal(503, "ServiceUnavailable", "no")),
                .init(of: "delete pods", answer: .none))
            let stop = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await launch.launcher.stop(handle, grace: 1)
            }
            await stop.value
            #expect(try await launch.launcher.wait(handle) == .signalled(number: 15))
        }
    }

    @Test func `a pod that somebody deletes has ended`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            launch.fake.remove("pods", pod)
            #expect(try await launch.launcher.wait(handle) == .unknown)
        }
    }

    // MARK: What does not start

    @Test func `an image that is not there is told in the words of Kubernetes, and nothing is left`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.playNode(runs: false, ends: true)
            let error = try await launch.refused { pod in
                launch.fake.hold(pod, reason: "ErrImagePull", message: "manifest for i:1 not found")
            }
            #expect(error.code == .failedPrecondition)
            #expect(error.message.contains("ErrImagePull: manifest for i:1 not found"), "\(error)")
            #expect(error.remedy.contains("transform.image"))
            #expect(launch.fake.names("pods") == [] && launch.fake.names("secrets") == [])
        }
    }

    @Test func `a pod that no node takes is refused after its patience`() async throws {
        try await KubernetesLaunch.with(options: { $0.schedulePatience = 60 }) { launch in
            launch.fake.playNode(runs: false, ends: true)
            let error = try await launch.refused { pod in
                launch.fake.cannotSchedule(pod, "0/3 nodes are available: 3 Insufficient cpu.")
                _ = await launch.scene.clock.sleeps.next { $0 == 60 }
                launch.scene.clock.advance(by: 60)
            }
            #expect(error.message.contains("Unschedulable: 0/3 nodes are available"), "\(error)")
        }
    }

    @Test func `a start that hangs is explained by the last warning about the pod`() async throws {
        try await KubernetesLaunch.with(options: {
            $0.schedulePatience = 60
            $0.startPatience = 60
        }) { launch in
            launch.fake.playNode(runs: false, ends: true)
            let error = try await launch.refused { pod in
                let uid = launch.fake.object("pods", pod)?.uid ?? ""
                for (name, time) in [("e1", "2027-01-01T00:00:00Z"), ("e2", "2027-01-02T00:00:00Z")] {
                    launch.fake.put(
                        "events",
                        [
                            "metadata": ["name": .string(name)], "involvedObject": ["uid": .string(uid)],
                            "type": "Warning", "message": "MountVolume failed \(name)",
                            "lastTimestamp": .string(time),
                        ])
                }
                _ = await launch.scene.clock.sleeps.next { $0 == 60 }
                launch.scene.clock.advance(by: 60)
            }
            #expect(error.message.contains("MountVolume failed e2"), "\(error)")
        }
    }

    @Test func `a right that is missing is named, and what was made is removed`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.deny("create pods")
            let order = launch.order()
            let error = try #require(
                await #expect(throws: SpileError.self) { try await launch.launcher.start(order) })
            #expect(error.code == .permissionDenied && error.remedy.contains("create pods"))
            #expect(launch.fake.names("secrets") == [])
        }
    }

    @Test func `a start that is cancelled leaves nothing`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.playNode(runs: false, ends: true)
            let order = launch.order()
            let start = Task { try await launch.launcher.start(order) }
            _ = await launch.fake.pods.next()
            start.cancel()
            _ = try? await start.value
            #expect(launch.fake.names("pods") == [] && launch.fake.names("secrets") == [])
        }
    }

    @Test func `a pod whose making was not answered is not made twice`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.playNode(runs: true, ends: true)
            // The first does not come through; of the second only the answer is lost.
            launch.fake.fail(
                .init(of: "create pods", answer: .none), .init(of: "create pods", answer: .none, happens: true),
                .init(of: "create secrets", answer: .none, happens: true))
            let handle = try await launch.launcher.start(launch.order())
            #expect(launch.fake.names("pods").count == 1)
            #expect(launch.fake.pods.untaken.count == 1)
            await launch.launcher.stop(handle, grace: 1)
        }
    }

    // MARK: What others left

    @Test func `a later server sees and ends what an earlier one left`() async throws {
        try await KubernetesLaunch.with { launch in
            let (handle, pod) = try await launch.start()
            let later = KubernetesLaunch(scene: launch.scene, options: launch.launcher.options)
            #expect(await later.launcher.isAlive(handle))
            let end = Task { await later.launcher.endLeftovers(grace: 8) }
            #expect(await launch.nextEnd() == 8)
            launch.fake.finish(pod, code: 143)
            await end.value
            #expect(await !later.launcher.isAlive(handle))
            #expect(launch.fake.names("pods") == [] && launch.fake.names("secrets") == [])
        }
    }

    @Test func `another server's pods are left alone`() async throws {
        try await KubernetesLaunch.with { launch in
            let (_, pod) = try await launch.start()
            var options = launch.launcher.options
            options.owner = "o2"
            let other = KubernetesLaunch(scene: launch.scene, options: options)
            await other.launcher.endLeftovers(grace: 0)
            #expect(launch.fake.names("pods") == [pod])
            launch.fake.finish(pod, code: 0)
        }
    }

    @Test func `a new launch ends an older one that nobody watches`() async throws {
        try await KubernetesLaunch.with { launch in
            let (old, pod) = try await launch.start()
            launch.fake.playNode(runs: true, ends: true)
            let later = KubernetesLaunch(scene: launch.scene, options: launch.launcher.options)
            let new = try await later.launcher.start(later.order { $0.epoch = 2 })
            #expect(try await launch.launcher.wait(old) == .signalled(number: 15))
            #expect(!launch.fake.names("pods").contains(pod))
            await later.launcher.stop(new, grace: 1)
        }
    }

    @Test func `runs of one launch stand side by side`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.playNode(runs: true, ends: true)
            let handles = try await withThrowingTaskGroup(of: LaunchHandle.self) { group in
                for number in 0..<4 {
                    let order = launch.order { $0.run = "\(number)" }
                    group.addTask { try await launch.launcher.start(order) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for handle in handles { #expect(await launch.launcher.isAlive(handle)) }
            #expect(launch.fake.names("pods").count == 4)
            for handle in handles { await launch.launcher.stop(handle, grace: 0) }
        }
    }

    @Test func `a pod of the same name from an earlier life is replaced`() async throws {
        try await KubernetesLaunch.with { launch in
            let (_, pod) = try await launch.start()
            let uid = launch.fake.object("pods", pod)?.uid
            launch.fake.playNode(runs: true, ends: true)
            let later = KubernetesLaunch(scene: launch.scene, options: launch.launcher.options)
            let handle = try await later.launcher.start(later.order())
            #expect(launch.fake.object("pods", pod)?.uid != uid)
            await later.launcher.stop(handle, grace: 1)
        }
    }
}

/// Services and what is left of pipelines.
@Suite(.timeLimit(.minutes(15))) struct KubernetesObjectTests {
    private func serving(_ order: inout LaunchOrder, outside: Int = 31803) {
        order.image?.port = Exposure(
            pipeline: order.pipeline, internalPort: 8000, externalPort: outside, isLocal: false)
    }

    private func run(_ launch: KubernetesLaunch, _ change: (inout LaunchOrder) -> Void) async throws {
        launch.fake.playNode(runs: true, ends: true)
        let handle = try await launch.launcher.start(launch.order(change))
        await launch.launcher.stop(handle, grace: 1)
    }

    @Test func `a pipeline's Service stays between launches and follows its spec`() async throws {
        try await KubernetesLaunch.with { launch in
            let (plain, exposed) = (launch.order(), launch.order { serving(&$0) })
            #expect(launch.launcher.publishesPort(of: exposed) && !launch.launcher.publishesPort(of: plain))
            try await run(launch) { serving(&$0) }
            let first = try #require(launch.fake.object("services", "default-p-user"))
            #expect(try await launch.launcher.serviceAddress(of: PipelineKey(name: "p"), on: nil) == "10.0.0.7")
            for (epoch, outside) in [(2, 31803), (3, 30001)] {
                try await run(launch) {
                    $0.epoch = Int64(epoch)
                    serving(&$0, outside: outside)
                }
            }
            let second = try #require(launch.fake.object("services", "default-p-user"))
            #expect(second.uid == first.uid)
            #expect(second.at(path: "spec/ports/0/nodePort") == 30001)
            #expect(second.at(path: "spec/clusterIP") == "10.0.0.7")
        }
    }

    private func version(_ number: Int64, type: String) throws -> LaunchVersion {
        let service = #"{"internalPort":8000,"externalPort":31803,"type":"\#(type)"}"#
        return LaunchVersion(
            number: number, specCommit: CommitID(randomHigh: 0, randomLow: 1),
            spec: try PipelineSpec(canonical: #"{"spout":{"service":\#(service)}}"#))
    }

    @Test(arguments: ["ClusterIP", "NodePort"])
    func `the Service of an older version goes when the newer one starts`(type: String) async throws {
        try await KubernetesLaunch.with { launch in
            for number: Int64 in [1, 2, 3] {
                let version = try version(number, type: type)
                try await run(launch) {
                    $0.epoch = number
                    $0.version = version
                    if number < 3 { serving(&$0) }
                }
                // The third one serves nothing any more.
                #expect(launch.fake.names("services") == (number < 3 ? ["default-p-v\(number)-user"] : []))
            }
        }
    }

    @Test func `a load balancer's address is its own`() async throws {
        let version = try version(1, type: "LoadBalancer")
        try await KubernetesLaunch.with { launch in
            try await run(launch) {
                $0.version = version
                serving(&$0)
            }
            #expect(try await launch.launcher.serviceAddress(of: PipelineKey(name: "p"), on: nil) == "")
            launch.fake.change(
                "services", "default-p-v1-user",
                ["status": ["loadBalancer": ["ingress": [["hostname": "lb.example"]]]]])
            #expect(try await launch.launcher.serviceAddress(of: PipelineKey(name: "p"), on: nil) == "lb.example")
        }
    }

    @Test func `a port that no node has is refused in the words of Kubernetes`() async throws {
        try await KubernetesLaunch.with { launch in
            let error = try #require(
                await #expect(throws: SpileError.self) { try await run(launch) { serving(&$0, outside: 80) } })
            #expect(error.message.contains("spec.ports[0].nodePort"), "\(error)")
            #expect(launch.fake.names("secrets") == [] && launch.fake.names("pods") == [])
        }
    }

    @Test func `a Service of another pipeline by the same name is not taken over`() async throws {
        try await KubernetesLaunch.with { launch in
            try await run(launch) {
                $0.pipeline = PipelineKey(name: "a_b")
                serving(&$0)
            }
            let error = try #require(
                await #expect(throws: SpileError.self) {
                    try await run(launch) {
                        $0.pipeline = PipelineKey(name: "a-b")
                        serving(&$0, outside: 30001)
                    }
                })
            #expect(error.message.contains("of pipeline default/a_b already"), "\(error)")
        }
    }

    @Test func `a start that another pipeline's Secret refuses leaves that one alone`() async throws {
        try await KubernetesLaunch.with { launch in
            let secret = "spout-pachctl-secret-default-a-b"
            let (handle, pod) = try await launch.start { $0.pipeline = PipelineKey(name: "a_b") }
            let uid = try #require(launch.fake.object("secrets", secret)?.uid)
            let order = launch.order { $0.pipeline = PipelineKey(name: "a-b") }
            let error = try #require(
                await #expect(throws: SpileError.self) { try await launch.launcher.start(order) })
            #expect(error.message.contains("of pipeline default/a_b already"), "\(error)")
            #expect(launch.fake.object("secrets", secret)?.uid == uid)
            #expect(launch.fake.names("pods") == [pod])
            launch.fake.end(pod, code: 0)
            _ = try await launch.launcher.wait(handle)
        }
    }

    @Test func `what a run is given before its pod is there is not taken for a leftover`() async throws {
        try await KubernetesLaunch.with { launch in
            launch.fake.playNode(runs: true, ends: true)
            let (answer, pending) = AsyncStream<KubernetesFake.Item>.makeStream()
            launch.fake.fail(.init(of: "create pods", answer: .stream(answer)))
            let mount = LaunchMount(secret: "s", path: "/v", files: [(name: "f", bytes: [1])])
            let order = launch.order {
                $0.run = "1"
                $0.secretFiles = [mount]
            }
            let start = Task { try await launch.launcher.start(order) }
            _ = await launch.fake.requests.next { $0.verb == "create" && $0.kind == "pods" }
            let secrets = launch.fake.names("secrets")
            #expect(secrets.count == 2)
            try await launch.launcher.forget(PipelineKey(name: "p"))
            #expect(launch.fake.names("secrets") == secrets)
            pending.yield(.cut)
            pending.finish()
            let handle = try await start.value
            // Nor is what it has.
            try await launch.launcher.forget(PipelineKey(name: "p"))
            #expect(launch.fake.names("secrets") == secrets)
            await launch.launcher.stop(handle, grace: 1)
        }
    }

    @Test func `a pipeline that is gone leaves nothing, others keep theirs`() async throws {
        try await KubernetesLaunch.with { launch in
            for (name, port) in [("p", 30001), ("q", 30002), ("r", 30003)] {
                try await run(launch) {
                    $0.pipeline = PipelineKey(name: name)
                    serving(&$0, outside: port)
                }
            }
            launch.fake.put(
                "secrets",
                [
                    "metadata": [
                        "name": "mine", "labels": ["spile.io/owner": "o1"],
                    ]
                ])
            try await launch.launcher.forget(PipelineKey(name: "q"))
            #expect(launch.fake.names("services") == ["default-p-user", "default-r-user"])
            try await launch.launcher.forgetAll { $0 != PipelineKey(name: "p") }
            #expect(launch.fake.names("services") == ["default-p-user"])
            // What bears no pipeline's name is nobody's.
            #expect(launch.fake.names("secrets") == ["mine"])
        }
    }
}
