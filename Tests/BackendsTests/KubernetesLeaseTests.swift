import Core
import Logging
import Simulation
import Testing

@testable import Backends

/// The choice of one server, as a value.
@Suite struct LeaseElectionTests {
    private func record(_ holder: String, renewed: String, version: String = "1") -> LeaseRecord {
        LeaseRecord([
            "metadata": ["resourceVersion": .string(version)],
            "spec": [
                "holderIdentity": .string(holder), "leaseDurationSeconds": 15, "renewTime": .string(renewed),
                "leaseTransitions": 4,
            ],
        ])
    }

    private func terms() -> LeaseElection.Terms { .init(duration: 15, deadline: 10, period: 2) }

    @Test func `a lease that is not there is made, one that nobody holds is taken`() {
        var election = LeaseElection(identity: "me", terms: terms())
        #expect(election.read(nil, at: 0) == .create)
        let free = record("", renewed: "x")
        #expect(election.read(free, at: 1) == .take(free))
        #expect(!election.isLeader(at: 1))
    }

    @Test func `another's lease is taken when it has not changed for its duration`() {
        var election = LeaseElection(identity: "me", terms: terms())
        let first = record("other", renewed: "a")
        #expect(election.read(first, at: 100) == .wait)
        #expect(election.read(first, at: 114.9) == .wait)
        let renewed = record("other", renewed: "b", version: "2")
        #expect(election.read(renewed, at: 115.1) == .wait)
        #expect(election.read(renewed, at: 130) == .wait)
        #expect(election.read(renewed, at: 130.1) == .take(renewed))
    }

    @Test(arguments: ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", "nonsense", ""])
    func `the clock of another machine decides nothing`(renewed: String) {
        var election = LeaseElection(identity: "me", terms: terms())
        let record = record("other", renewed: renewed)
        #expect(election.read(record, at: 100) == .wait)
        #expect(election.read(record, at: 114) == .wait)
        #expect(election.read(record, at: 115) == .take(record))
    }

    @Test func `the lead ends by itself before another could take it`() {
        var election = LeaseElection(identity: "me", terms: terms())
        var rival = LeaseElection(identity: "rival", terms: terms())
        let mine = record("me", renewed: "a")
        // Sent at 10, answered at 14: it counts from 10.
        election.wrote(mine, sent: 10, at: 14)
        #expect(election.isLeader(at: 19.9) && !election.isLeader(at: 20))
        #expect(election.remaining(at: 15) == 5 && election.remaining(at: 30) == 0)
        // The rival saw the write no earlier than it was sent.
        #expect(rival.read(mine, at: 10) == .wait)
        #expect(rival.read(mine, at: 24.9) == .wait)
        #expect(rival.read(mine, at: 25) == .take(mine))
    }

    @Test func `a leader that reads another's name has lost at once`() {
        var election = LeaseElection(identity: "me", terms: terms())
        election.wrote(record("me", renewed: "a"), sent: 0, at: 0)
        #expect(election.read(record("me", renewed: "a"), at: 2) == .take(record("me", renewed: "a")))
        _ = election.read(record("other", renewed: "b"), at: 3)
        #expect(!election.isLeader(at: 3))
    }

    @Test func `our name in a lease that we did not write has to run out too`() {
        var election = LeaseElection(identity: "me", terms: terms())
        let old = record("me", renewed: "a")
        #expect(election.read(old, at: 0) == .wait)
        #expect(!election.isLeader(at: 0))
        #expect(election.read(old, at: 15) == .take(old))
    }

    @Test func `what is written counts the transitions and keeps the time of the first`() {
        let election = LeaseElection(identity: "me", terms: terms())
        let now = Instant(seconds: 1_800_000_000, nanos: 123_456_789)
        let taken = election.spec(over: record("other", renewed: "a"), nil, at: now)
        #expect(taken["leaseTransitions"] == 5 && taken["holderIdentity"] == "me")
        #expect(taken["renewTime"] == "2027-01-15T08:00:00.123456Z" && taken["acquireTime"] == taken["renewTime"])
        let kept = election.spec(over: record("me", renewed: "a"), ["spec": ["acquireTime": "then"]], at: now)
        #expect(kept["leaseTransitions"] == 4 && kept["acquireTime"] == "then")
        #expect(election.spec(over: nil, nil, at: now)["leaseTransitions"] == 0)
    }
}

/// The same against a server.
@Suite(.timeLimit(.minutes(15))) struct KubernetesLeaderTests {
    private func leader(_ scene: KubernetesScene, _ identity: String) -> KubernetesLeader {
        KubernetesLeader(
            client: scene.client, name: "spile", identity: identity,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func holder(_ scene: KubernetesScene) -> String? {
        scene.fake.object("leases", "spile")?.at("spec", "holderIdentity")?.string
    }

    @Test func `a leader works, and gives the lead up when it is done`() async throws {
        try await KubernetesScene.with(.all) { scene in
            let value = try await leader(scene, "a").lead { [fake = scene.fake] in
                fake.object("leases", "spile")?.at("spec", "holderIdentity")?.string
            }
            #expect(value == "a")
            #expect(holder(scene) == "")
            #expect(try await leader(scene, "b").lead { 1 } == 1)
            #expect(scene.fake.object("leases", "spile")?.at("spec", "leaseTransitions") == 1)
        }
    }

    @Test func `a second server waits until the first has been silent for the duration`() async throws {
        try await KubernetesScene.with(.all) { scene in
            scene.fake.put(
                "leases",
                [
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "spile"],
                    "spec": [
                        "holderIdentity": "dead", "leaseDurationSeconds": 15,
                        "renewTime": "1999-01-01T00:00:00.000000Z",
                    ],
                ])
            async let done = leader(scene, "b").lead { true }
            var waited = 0.0
            while holder(scene) == "dead" {
                let pause = await scene.clock.sleeps.next()
                if holder(scene) != "dead" { break }
                waited += pause
                scene.clock.advance(by: pause)
                _ = await scene.fake.requests.next { $0.kind == "leases" && $0.verb == "get" }
            }
            let isDone = try await done
            #expect(isDone == true)
            #expect(waited >= 12 && waited <= 20, "\(waited)")
        }
    }

    @Test func `of two that write at once one is refused and follows`() async throws {
        try await KubernetesScene.with(.all) { scene in
            // Between its look and its write, another one was faster.
            scene.fake.fail(
                .init(of: "create leases", answer: KubernetesFake.refusal(409, "AlreadyExists", "exists")))
            let other: JSONValue = [
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "spile"],
                "spec": ["holderIdentity": "other", "leaseDurationSeconds": 15],
            ]
            let task = Task { try await leader(scene, "b").lead { true } }
            _ = await scene.fake.requests.next { $0.verb == "create" }
            scene.fake.put("leases", other)
            scene.clock.advance(by: await scene.clock.sleeps.next())
            _ = await scene.fake.requests.next { $0.verb == "get" }
            _ = await scene.clock.sleeps.next()
            #expect(holder(scene) == "other")
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(holder(scene) == "other")
        }
    }

    @Test func `a leader that cannot renew stops its work before its lease runs out`() async throws {
        try await KubernetesScene.with(.all) { scene in
            let began = ScriptedMailbox<Void>()
            let stopped = ScriptedMailbox<Double>()
            let clock = scene.clock
            let work = Task {
                try await leader(scene, "a").lead {
                    began.put(())
                    try? await clock.sleep(1_000_000)
                    stopped.put(clock.now().seconds(since: Instant(seconds: 1_700_000_000)))
                }
            }
            await began.next()
            scene.fake.deny("get leases")
            let driver = Task {
                while !Task.isCancelled { clock.advance(by: await clock.sleeps.next { $0 < 1000 }) }
            }
            let at = await stopped.next()
            #expect(at < 15, "\(at)")
            let outcome: Void? = try await work.value
            #expect(outcome == nil)
            driver.cancel()
            clock.sleeps.put(0)
            await driver.value
        }
    }

    @Test func `a leader whose lease another has taken stops`() async throws {
        try await KubernetesScene.with(.all) { scene in
            let began = ScriptedMailbox<Void>()
            let clock = scene.clock
            let work = Task {
                try await leader(scene, "a").lead {
                    began.put(())
                    try? await clock.sleep(1_000_000)
                }
            }
            await began.next()
            scene.fake.change("leases", "spile", ["spec": ["holderIdentity": "thief"]])
            clock.advance(by: await clock.sleeps.next { $0 < 1000 })
            let outcome: Void? = try await work.value
            #expect(outcome == nil)
            #expect(holder(scene) == "thief")
        }
    }

    @Test func `leadership is had, lost to another, and had again`() async throws {
        try await KubernetesScene.with(.all) { scene in
            let leadership = LeaseLeadership(leader(scene, "a"))
            try await leadership.acquire()
            #expect(holder(scene) == "a")
            async let lost: Void = leadership.lost()
            scene.fake.change("leases", "spile", ["spec": ["holderIdentity": "thief"]])
            scene.clock.advance(by: await scene.clock.sleeps.next())
            try await lost
            scene.fake.change("leases", "spile", ["spec": ["holderIdentity": ""]])
            try await leadership.acquire()
            #expect(holder(scene) == "a")
            let wait = Task { try await leadership.lost() }
            wait.cancel()
            await #expect(throws: CancellationError.self) { try await wait.value }
            #expect(holder(scene) == "", "it is given up, so that the next one need not wait")
        }
    }

    @Test func `who gives up standing leads nothing`() async throws {
        try await KubernetesScene.with(.all) { scene in
            let other: JSONValue = [
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "spile"],
                "spec": ["holderIdentity": "other", "leaseDurationSeconds": 15],
            ]
            scene.fake.put("leases", other)
            let leadership = LeaseLeadership(leader(scene, "b"))
            let wait = Task { try await leadership.acquire() }
            _ = await scene.clock.sleeps.next()
            wait.cancel()
            await #expect(throws: CancellationError.self) { try await wait.value }
            #expect(holder(scene) == "other")
            // Nothing was had, so nothing is to be waited for.
            try await leadership.lost()
        }
    }
}
