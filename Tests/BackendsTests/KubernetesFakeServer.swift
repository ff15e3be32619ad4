import Core
import NIOCore
import NIOHTTP1
import NIOPosix
import Simulation

@testable import Backends

/// The fake behind a port of loopback.
struct KubernetesFakeServer {
    typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    let fake = KubernetesFake()
    private let listener: NIOAsyncChannel<Connection, Never>
    let port: Int

    /// Listens, serves while `body` runs, and lets go of everything.
    static func with<Value>(
        _ body: (KubernetesFake, _ url: String) async throws -> Value
    ) async throws -> Value {
        let server = try await KubernetesFakeServer()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            defer {
                server.fake.stopStreams()
                group.cancelAll()
            }
            return try await body(server.fake, "http://127.0.0.1:\(server.port)")
        }
    }

    private init() async throws {
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        port = listener.channel.localAddress?.port ?? 0
    }

    private func serve() async throws {
        try await listener.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { try? await serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: Connection) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let new): (head, body) = (new, [])
                case .body(let bytes): body += bytes.readableBytesView
                case .end:
                    guard let head else { return }
                    let headers = Dictionary(
                        head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
                    let answer = fake.answer(
                        method: head.method.rawValue, target: head.uri, headers: headers, body: body)
                    guard try await write(answer, outbound) else { return }
                }
            }
        }
    }

    /// False where the connection is to be closed.
    private func write(
        _ answer: KubernetesFake.Answer, _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws -> Bool {
        switch answer {
        case .none: return false
        case .whole(let status, let json, let more):
            var headers = HTTPHeaders(more)
            let bytes = ByteBuffer(string: json.text)
            headers.add(name: "Content-Length", value: "\(bytes.readableBytes)")
            try await outbound.write(
                .head(.init(version: .http1_1, status: .init(statusCode: status), headers: headers)))
            try await outbound.write(.body(.byteBuffer(bytes)))
            try await outbound.write(.end(nil))
            return true
        case .stream(let items):
            let headers: HTTPHeaders = ["Transfer-Encoding": "chunked"]
            try await outbound.write(.head(.init(version: .http1_1, status: .ok, headers: headers)))
            for await item in items {
                guard case .text(let text) = item else { return false }
                try await outbound.write(.body(.byteBuffer(ByteBuffer(string: text))))
            }
            try await outbound.write(.end(nil))
            return true
        }
    }
}

/// A client of a fake, with time that a test moves.
struct KubernetesScene {
    let fake: KubernetesFake
    let url: String
    let clock: ScriptedTime
    let client: KubernetesClient

    static func config(_ url: String) -> KubernetesConfig {
        KubernetesConfig(server: url, namespace: KubernetesFake.namespace, credential: .token("secret-token"))
    }

    /// Sleeps that last until the test moves the clock; others end at once.
    enum Patience { case none, long, all }

    static func with<Value>(
        _ patience: Patience = .none, credential: KubernetesConfig.Credential = .token("secret-token"),
        _ body: (KubernetesScene) async throws -> Value
    ) async throws -> Value {
        try await KubernetesFakeServer.with { fake, url in
            let clock = ScriptedTime()
            var config = config(url)
            config.credential = credential
            let client = try KubernetesClient(config, time: time(clock, patience))
            let scene = KubernetesScene(fake: fake, url: url, clock: clock, client: client)
            let result = await Result { try await body(scene) }
            await client.close()
            return try result.get()
        }
    }

    static func time(_ clock: ScriptedTime, _ patience: Patience) -> KubernetesTime {
        KubernetesTime(
            clock: clock, randomness: SeededRandomness(seed: 7),
            sleep: { seconds in
                if patience == .all || patience == .long && seconds > 5 { return try await clock.sleep(seconds) }
                clock.sleeps.put(seconds)
                await Task.yield()
                try Task.checkCancellation()
            },
            monotonic: { clock.now().seconds(since: Instant(seconds: 1_700_000_000)) })
    }
}
