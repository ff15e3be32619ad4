import Backends
import Core
import Foundation
import NIOCore
import NIOPosix
import Testing

@Suite struct TCPRelayTests {
    private let key = PipelineKey(name: "tap")
    private let relays = TCPRelays(host: "127.0.0.1")
    private static let loops = MultiThreadedEventLoopGroup.singleton

    /// A port that was free a moment ago.
    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: loops).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        return port
    }

    private func exposure(_ target: Int, at port: Int) -> Exposure {
        Exposure(pipeline: key, internalPort: target, externalPort: port, isLocal: false)
    }

    /// Code that sends back what it gets, in capitals, once the other side has ended.
    private static func serve(_ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: loops)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Shout()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do { try await body(try #require(server.localAddress?.port)) } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    /// Sends `text`, ends its side, and gives all that comes back.
    private static func ask(_ port: Int, _ text: String) async throws -> String {
        let channel = try await ClientBootstrap(group: loops).channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { input, output in
            try await output.write(ByteBuffer(string: text))
            output.finish()
            var answer = ByteBuffer()
            for try await var bytes in input { answer.writeBuffer(&bytes) }
            return String(buffer: answer)
        }
    }

    @Test func `bytes go both ways, and an end of one side is an end there alone`() async throws {
        let port = try await Self.freePort()
        try await Self.serve { target in
            try await relays.open(exposure(target, at: port))
            let long = String(repeating: "abc", count: 6_000_000)
            async let first = Self.ask(port, "hello")
            async let second = Self.ask(port, long)
            #expect(try await first == "HELLO")
            #expect(try await second == long.uppercased())
            // The same again changes nothing.
            try await relays.open(exposure(target, at: port))
            #expect(try await Self.ask(port, "x") == "X")
        }
        // Nobody listens behind it any more.
        #expect((try? await Self.ask(port, "x")).map { $0.isEmpty } ?? true)
    }

    @Test func `a closed port is free at once for another`() async throws {
        let port = try await Self.freePort()
        try await Self.serve { target in
            for _ in 0..<20 {
                try await relays.open(exposure(target, at: port))
                #expect(try await Self.ask(port, "a") == "A")
                relays.close(key)
            }
            let error = await #expect(throws: (any Error).self) {
                // The last closing is under way: opening it for another pipeline waits for that, and then it is taken.
                try await relays.open(exposure(target, at: port))
                let other = Exposure(
                    pipeline: PipelineKey(name: "other"), internalPort: target, externalPort: port, isLocal: true)
                try await relays.open(other)
            }
            #expect("\(try #require(error))".contains("it is in use"))
        }
    }

    @Test func `a change of port closes the old one`() async throws {
        let (old, new) = (try await Self.freePort(), try await Self.freePort())
        try await Self.serve { target in
            try await relays.open(exposure(target, at: old))
            try await relays.open(exposure(target, at: new))
            #expect(try await Self.ask(new, "a") == "A")
            let other = Exposure(
                pipeline: PipelineKey(name: "other"), internalPort: target, externalPort: old, isLocal: true)
            try await relays.open(other)
            #expect(try await Self.ask(old, "b") == "B")
        }
    }
}

/// Answers in capitals when the input has ended. On one event loop.
private final class Shout: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private var text = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        text.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
        let answer = ByteBuffer(string: String(buffer: text).uppercased())
        let channel = context.channel
        channel.writeAndFlush(answer).whenComplete { _ in channel.close(mode: .output, promise: nil) }
    }
}
