import NIOCore
import NIOEmbedded
import Server
import Testing

/// Keeps from the channel what is written, as a socket does whose client does not read.
private final class StuckSocket: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private var promises: [EventLoopPromise<Void>] = []
    var bytes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        bytes += unwrapOutboundIn(data).readableBytes
        if let promise { promises.append(promise) }
    }

    func flush(context: ChannelHandlerContext) {}

    func takeAll() {
        for promise in promises { promise.succeed() }
        promises = []
    }
}

@Suite struct ConnectionKeeperTests {
    private func allInbound(_ channel: EmbeddedChannel) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try channel.readInbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
        return bytes
    }

    private func allOutbound(_ channel: EmbeddedChannel) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
        return bytes
    }

    @Test func `PINGs are answered in order, and the library sees none`() throws {
        let channel = EmbeddedChannel(handler: ConnectionKeeper())
        let data = RawFrames.frame(0, stream: 1, [1, 2, 3])
        let pings = (0..<5000).flatMap { RawFrames.ping($0) }
        try channel.writeInbound(ByteBuffer(bytes: RawFrames.preface + data + pings + data))
        #expect(try allInbound(channel) == RawFrames.preface + data + data)
        #expect(try allOutbound(channel) == (0..<5000).flatMap { RawFrames.ping($0, ack: true) })
        _ = try channel.finish()
    }

    @Test func `a client that takes no answers gets no more of them than a bound`() throws {
        let socket = StuckSocket()
        let channel = EmbeddedChannel(handlers: [socket, ConnectionKeeper()])
        try channel.writeInbound(ByteBuffer(bytes: RawFrames.preface + (0..<12_000).flatMap { RawFrames.ping($0) }))
        #expect(socket.bytes == 10_000 * 17)
        #expect(try allInbound(channel) == RawFrames.preface + (10_000..<12_000).flatMap { RawFrames.ping($0) })
        socket.takeAll()
        try channel.writeInbound(ByteBuffer(bytes: RawFrames.ping(7)))
        #expect(socket.bytes == 10_001 * 17)
        #expect(try allInbound(channel) == [])
        _ = try? channel.finish()
    }

    @Test func `an allowance is used up, and comes back with time`() {
        var allowance = Allowance(capacity: 3, refill: .milliseconds(10))
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let first = (0..<5).map { _ in allowance.use(at: start) }
        #expect(first == [true, true, true, false, false])
        let early = allowance.use(at: start + .milliseconds(9))
        #expect(!early)
        let second = (0..<3).map { _ in allowance.use(at: start + .milliseconds(25)) }
        #expect(second == [true, true, false])
        // The half that was left of the time counts on.
        let later = allowance.use(at: start + .milliseconds(30))
        #expect(later)
        let third = (0..<5).map { _ in allowance.use(at: start + .seconds(5)) }
        #expect(third == [true, true, true, false, false])
    }

    @Test func `a reset of a call that it does not know is the library's`() throws {
        let channel = EmbeddedChannel(handler: ConnectionKeeper())
        try channel.writeInbound(ByteBuffer(bytes: RawFrames.preface + RawFrames.reset(1)))
        #expect(try allInbound(channel) == RawFrames.preface + RawFrames.reset(1))
        _ = try channel.finish()
    }
}
