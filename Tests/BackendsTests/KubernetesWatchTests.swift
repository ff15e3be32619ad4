import Core
import Simulation
import Testing

@testable import Backends

/// Following objects: the steps as a value.
@Suite struct KubernetesFollowingTests {
    private func event(_ type: String, _ version: String) -> JSONValue {
        ["type": .string(type), "object": ["metadata": ["name": "p", "resourceVersion": .string(version)]]]
    }

    @Test func `a list is followed by a watch, which goes on where it got to`() {
        var following = KubernetesFollowing()
        #expect(following.step == .list)
        following.listed(at: "5")
        #expect(following.step == .watch(from: "5"))
        guard case .changed = following.heard(event("ADDED", "6")) else { return #expect(Bool(false)) }
        guard case .removed = following.heard(event("DELETED", "7")) else { return #expect(Bool(false)) }
        #expect(following.heard(event("BOOKMARK", "9")) == .none)
        following.ended()
        #expect(following.step == .watch(from: "9"))
    }

    @Test func `a version that is gone leads to a list, at once or by an event`() {
        for isEvent in [true, false] {
            var following = KubernetesFollowing()
            following.listed(at: "5")
            _ = following.heard(event("ADDED", "6"))
            let status: JSONValue = ["type": "ERROR", "object": ["kind": "Status", "code": 410]]
            if isEvent { #expect(following.heard(status) == .over(nil)) } else { following.gone() }
            #expect(following.step == .list)
        }
    }

    @Test func `failures in a row make longer pauses, and one success ends them`() {
        var following = KubernetesFollowing()
        following.failed()
        #expect(following.step == .wait(failures: 1))
        following.waited()
        following.failed()
        #expect(following.step == .wait(failures: 2))
        following.waited()
        following.listed(at: "1")
        // A watch that tells nothing may be none: it is not asked for again at once.
        following.ended()
        #expect(following.step == .wait(failures: 3))
        following.waited()
        _ = following.heard(event("MODIFIED", "2"))
        following.failed()
        #expect(following.step == .wait(failures: 1))
    }

    @Test func `a server that forgets what it has just told is not asked for it without end`() {
        var following = KubernetesFollowing()
        following.listed(at: "1")
        following.gone()
        #expect(following.step == .wait(failures: 1))
        following.waited()
        #expect(following.step == .list)
    }

    @Test func `what is no event ends the watch`() {
        var following = KubernetesFollowing()
        following.listed(at: "1")
        #expect(following.heard(.null) == .over(nil))
        #expect(following.step == .wait(failures: 1))
    }

    @Test func `lines are cut wherever the pieces are, and are bounded`() throws {
        let text = "{\"a\":1}\n\n{\"b\":2}\n{\"c\":"
        for size in 1...text.utf8.count {
            var (lines, found, rest) = (JSONLines(), [String](), Array(text.utf8)[...])
            while !rest.isEmpty {
                found += try lines.take(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(found == ["{\"a\":1}", "{\"b\":2}"])
        }
        var short = JSONLines(mostBytes: 3)
        #expect(throws: SpileError.self) { try short.take("abcd".utf8) }
    }

    @Test func `pauses grow to half a minute and are jittered`() {
        let time = KubernetesScene.time(ScriptedTime(), .none)
        for (failures, most) in [(1, 0.25), (2, 0.5), (3, 1), (8, 30), (1000, 30)] {
            for _ in 0..<20 {
                let pause = time.pause(after: failures)
                #expect(pause <= most && pause >= most / 2)
            }
        }
    }
}

/// Following objects against a server that breaks off.
@Suite(.timeLimit(.minutes(15))) struct KubernetesWatchTests {
    private static func secret(_ name: String, _ value: String = "MQ==") -> JSONValue {
        ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name)], "data": ["v": .string(value)]]
    }

    /// What is heard, in short words, until `body` is done.
    private func following(
        _ scene: KubernetesScene, _ body: (ScriptedMailbox<String>) async throws -> Void
    ) async throws {
        let heard = ScriptedMailbox<String>()
        let client = scene.client
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await client.follow(.secret) { change in
                    switch change {
                    case .listed(let all): heard.put("listed " + all.map(\.name).joined(separator: " "))
                    case .changed(let one): heard.put("changed \(one.name)")
                    case .removed(let one): heard.put("removed \(one.name)")
                    case .failed(let error): heard.put("failed \(error.code)")
                    }
                    return true
                }
            }
            defer { group.cancelAll() }
            try await body(heard)
        }
    }

    private func awaitWatch(_ scene: KubernetesScene) async {
        _ = await scene.fake.requests.next { $0.verb == "watch" }
    }

    @Test func `changes come in order, through watches that end and break`() async throws {
        try await KubernetesScene.with { scene in
            scene.fake.put("secrets", Self.secret("a"))
            try await following(scene) { heard in
                #expect(await heard.next() == "listed a")
                await awaitWatch(scene)
                scene.fake.put("secrets", Self.secret("b"))
                #expect(await heard.next() == "changed b")
                for isOrderly in [true, false] {
                    scene.fake.cutWatches("secrets", orderly: isOrderly)
                    scene.fake.put("secrets", Self.secret("a", "Mg=="))
                    scene.fake.remove("secrets", "b")
                    let words = [await heard.next(), await heard.next()]
                    #expect(words.filter { !$0.hasPrefix("failed") }.first == "changed a")
                    let last = words.last == "removed b" ? "removed b" : await heard.next()
                    #expect(last == "removed b")
                    scene.fake.put("secrets", Self.secret("b"))
                    #expect(await heard.next() == "changed b")
                }
            }
        }
    }

    @Test func `a bookmark moves the place to go on from`() async throws {
        try await KubernetesScene.with { scene in
            try await following(scene) { heard in
                _ = await heard.next()
                await awaitWatch(scene)
                scene.fake.put("secrets", Self.secret("a"))
                #expect(await heard.next() == "changed a")
                scene.fake.bookmark("secrets")
                scene.fake.cutWatches("secrets", orderly: true)
                let again = await scene.fake.requests.next { $0.verb == "watch" }
                #expect(again.query["resourceVersion"] == "102")
                #expect(again.query["allowWatchBookmarks"] == "true")
            }
        }
    }

    @Test(arguments: [true, false])
    func `where the version is gone all are listed again`(isEvent: Bool) async throws {
        try await KubernetesScene.with { scene in
            scene.fake.put("secrets", Self.secret("a"))
            try await following(scene) { heard in
                _ = await heard.next()
                await awaitWatch(scene)
                scene.fake.put("secrets", Self.secret("b"))
                #expect(await heard.next() == "changed b")
                // While nobody hears of it:
                let gone = #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#
                scene.fake.remove("secrets", "a")
                #expect(await heard.next() == "removed a")
                scene.fake.put("events", ["metadata": ["name": "e"]])
                scene.fake.forgetHistory()
                scene.fake.cutWatches("secrets", saying: isEvent ? gone : nil, orderly: true)
                #expect(await heard.next { !$0.hasPrefix("failed") } == "listed b")
            }
        }
    }

    @Test func `a server that fails is tried again, and each failure is told`() async throws {
        try await KubernetesScene.with { scene in
            scene.fake.deny("list secrets")
            try await following(scene) { heard in
                #expect(await heard.next() == "failed permissionDenied")
                #expect(await heard.next() == "failed permissionDenied")
                scene.fake.state.withLock { $0.denied = [] }
                #expect(await heard.next { $0.hasPrefix("listed") } == "listed ")
                #expect(!scene.clock.sleeps.untaken.isEmpty)
            }
        }
    }

    @Test func `an object without bound ends the watch, not the server`() async throws {
        try await KubernetesScene.with { scene in
            try await following(scene) { heard in
                _ = await heard.next()
                await awaitWatch(scene)
                scene.fake.cutWatches(
                    "secrets", saying: String(repeating: "x", count: KubernetesClient.mostObjectBytes + 10),
                    orderly: true)
                #expect(await heard.next() == "failed resourceExhausted")
                scene.fake.put("secrets", Self.secret("a"))
                #expect(await heard.next { $0.contains(" a") }.hasSuffix(" a"))
            }
        }
    }
}
