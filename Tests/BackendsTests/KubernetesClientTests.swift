import Core
import Foundation
import Simulation
import Testing

@testable import Backends

/// What goes over the wire to the API server, and what comes of its answers.
@Suite(.timeLimit(.minutes(15))) struct KubernetesClientTests {
    private static func secret(_ name: String, _ data: [String: String] = [:]) -> JSONValue {
        .present([
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name)], "data": .texts(data),
        ])
    }

    private func failure(_ body: () async throws -> Void) async throws -> SpileError {
        try #require(await #expect(throws: SpileError.self) { try await body() })
    }

    @Test func `an object is made, read, replaced, changed and removed`() async throws {
        try await KubernetesScene.with { scene in
            let made = try await scene.client.create(.secret, Self.secret("s", ["a": "MQ=="]))
            #expect(made.uid != "")
            let found = try await scene.client.get(.secret, "s")
            #expect(found == made)
            let updated = try await scene.client.update(.secret, found.merged(with: ["data": ["a": "Mg=="]]))
            #expect(updated.version != made.version)
            let patched = try await scene.client.patch(.secret, "s", ["data": ["a": .null, "b": "Mw=="]])
            #expect(patched["data"] == ["b": "Mw=="])
            #expect(try await scene.client.delete(.secret, "s", uid: made.uid))
            #expect(try await !scene.client.delete(.secret, "s"))
        }
    }

    @Test func `a replacement of an old version is refused as overtaken`() async throws {
        try await KubernetesScene.with { scene in
            let made = try await scene.client.create(.secret, Self.secret("s"))
            _ = try await scene.client.update(.secret, made.merged(with: ["data": ["a": "MQ=="]]))
            let error = try await failure { _ = try await scene.client.update(.secret, made) }
            #expect(error.code == .aborted && error.isTransient)
            #expect(error.message.contains("update secret spile/s"), "\(error)")
            let other = try await failure { try await scene.client.delete(.secret, "s", uid: "another") }
            #expect(other.code == .aborted)
            let twice = try await failure { _ = try await scene.client.create(.secret, made) }
            #expect(twice.code == .alreadyExists)
        }
    }

    @Test func `errors say what was asked, where, and which right is missing`() async throws {
        try await KubernetesScene.with { scene in
            scene.fake.deny("list pods")
            let forbidden = try await failure { _ = try await scene.client.list(.pod) }
            #expect(forbidden.code == .permissionDenied)
            #expect(forbidden.message.contains("cannot list pods of spile in Kubernetes: pods is forbidden"))
            #expect(forbidden.remedy.contains("the right to list pods in namespace spile"))
            let missing = try await failure { _ = try await scene.client.get(.pod, "p") }
            #expect(missing.code == .notFound && missing.message.contains("pods \"p\" not found"))
            let invalid = try await failure {
                _ = try await scene.client.create(.secret, Self.secret("s").merged(with: ["spec": 1]))
            }
            #expect(invalid.code == .invalidArgument)
            #expect(invalid.message.contains("strict decoding error: unknown field \"spec\""))
            scene.fake.fail(
                .init(answer: KubernetesFake.refusal(403, "Forbidden", "exceeded quota: q, requested: pods=1")))
            let quota = try await failure { _ = try await scene.client.create(.secret, Self.secret("s")) }
            #expect(quota.code == .resourceExhausted && quota.isTransient)
        }
    }

    @Test func `a server that says when to come again is obeyed`() async throws {
        try await KubernetesScene.with { scene in
            let busy = KubernetesFake.refusal(429, "TooManyRequests", "later", headers: [("Retry-After", "7")])
            scene.fake.fail(.init(of: "create secrets", answer: busy))
            _ = try await scene.client.create(.secret, Self.secret("s"))
            #expect(scene.clock.sleeps.untaken == [7])
            for _ in 0..<4 { scene.fake.fail(.init(answer: busy)) }
            let error = try await failure { _ = try await scene.client.get(.secret, "s") }
            #expect(error.code == .resourceExhausted)
            #expect(scene.clock.sleeps.untaken.count == 4)
        }
    }

    @Test func `reading is tried again where the server fails, writing is not`() async throws {
        try await KubernetesScene.with { scene in
            let broken = KubernetesFake.refusal(500, "InternalError", "etcd has no leader")
            _ = try await scene.client.create(.secret, Self.secret("s"))
            scene.fake.fail(.init(answer: broken), .init(answer: .none), .init(answer: broken))
            #expect(try await scene.client.get(.secret, "s").name == "s")
            let pauses = scene.clock.sleeps.untaken
            #expect(pauses.count == 3 && pauses[2] > pauses[0])
            scene.fake.fail(.init(answer: broken))
            let error = try await failure { _ = try await scene.client.patch(.secret, "s", [:]) }
            #expect(error.code == .unavailable && error.message.contains("etcd has no leader"))
            scene.fake.fail(.init(answer: .none))
            let cut = try await failure { _ = try await scene.client.patch(.secret, "s", [:]) }
            #expect(cut.code == .unavailable)
        }
    }

    @Test func `a list comes in pages, and is begun anew where one has grown too old`() async throws {
        try await KubernetesScene.with { scene in
            for number in 0..<25 { _ = try await scene.client.create(.secret, Self.secret("s\(100 + number)")) }
            scene.fake.setPageLength(10)
            let list = try await scene.client.list(.secret)
            #expect(list.items.map(\.name) == (100..<125).map { "s\($0)" })
            #expect(Int64(list.resourceVersion) != nil)
            scene.fake.fail(.init(of: "list secrets", answer: .whole(status: 200, try Self.page(rest: "10-1"))))
            scene.fake.forgetHistory()
            #expect(try await scene.client.list(.secret).items.count == 25)
        }
    }

    private static func page(rest: String) throws -> JSONValue {
        ["metadata": ["resourceVersion": "1", "continue": .string(rest)], "items": [["metadata": ["name": "old"]]]]
    }

    @Test func `selectors choose`() async throws {
        try await KubernetesScene.with { scene in
            for (name, label) in [("a", "x"), ("b", "y")] {
                _ = try await scene.client.create(
                    .secret, Self.secret(name).merged(with: ["metadata": ["labels": ["spile.io/l": .string(label)]]]))
            }
            #expect(try await scene.client.list(.secret, labels: "spile.io/l=y").items.map(\.name) == ["b"])
            #expect(try await scene.client.list(.secret, fields: "metadata.name=a").items.map(\.name) == ["a"])
            let error = try await failure { _ = try await scene.client.list(.secret, fields: "spec.x=a") }
            #expect(error.code == .invalidArgument)
        }
    }

    @Test func `a token that was rotated is read again when it is refused`() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/spile-token-\(UUID().uuidString)"
        try "old".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await KubernetesScene.with(credential: .tokenFile(path)) { scene in
            scene.fake.accept(tokens: ["old"])
            #expect(try await scene.client.list(.pod).items.isEmpty)
            scene.fake.accept(tokens: ["new"])
            try "new".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try await scene.client.list(.pod).items.isEmpty)
            scene.fake.accept(tokens: [])
            let error = try await failure { _ = try await scene.client.list(.pod) }
            #expect(error.code == .unauthenticated && error.remedy.contains("token"))
        }
    }

    @Test func `an answer without bound is refused`() async throws {
        try await KubernetesScene.with { scene in
            let (stream, items) = AsyncStream<KubernetesFake.Item>.makeStream()
            items.yield(.text(String(repeating: "x", count: KubernetesClient.mostObjectBytes + 1)))
            items.finish()
            scene.fake.fail(.init(answer: .stream(stream)))
            let error = try await failure { _ = try await scene.client.get(.pod, "p") }
            #expect(error.code == .resourceExhausted)
        }
    }

    @Test func `nobody there is told with the address`() async throws {
        let clock = ScriptedTime()
        let client = try KubernetesClient(
            KubernetesConfig(server: "http://127.0.0.1:1"), time: KubernetesScene.time(clock, .none))
        let error = try await failure { _ = try await client.get(.pod, "p") }
        #expect(error.code == .unavailable && error.message.contains("http://127.0.0.1:1"), "\(error)")
        #expect(clock.sleeps.untaken.count == 3)
        await client.close()
    }
}
