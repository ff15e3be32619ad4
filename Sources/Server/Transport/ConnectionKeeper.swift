import NIOCore
import NIOHTTP2

/// Keeps the connections of honest clients: the library behind it ends one for a few hundred PINGs or cancelled calls
/// within half a minute, and cannot be told otherwise. Clients written in Go send a PING for nearly every piece of a
/// file that they get (`clients.md` §4: never answer with GOAWAY too_many_pings).
///
/// It stands before the HTTP/2 handler, behind TLS. It answers PINGs itself, and carries out a client's resets of
/// streams by closing the stream's channel. What goes beyond its bounds passes to the library, whose limits hold
/// then: a client that does not take its answers, or opens calls only to cancel them, loses its connection.
///
/// One a connection, on the connection's event loop alone.
package final class ConnectionKeeper: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Answers to PINGs that the socket has not taken; 17 bytes each. As many as the library keeps of other answers.
    private static let mostUnsent = 10_000
    /// The length, type and flags of an answer, and the stream 0.
    private static let answerHeader: [UInt8] = [0, 0, 8, 6, 1, 0, 0, 0, 0]

    private var scanner = FrameScanner()
    /// Answers that have not been given to the channel yet.
    private var answers = ByteBuffer()
    private var unsent = 0
    /// The calls under way.
    private var streams: [Int: any Channel] = [:]
    private var newestStream = 0
    private var resets = Allowance(capacity: 1000, refill: .milliseconds(10))

    package init() {}

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        while let step = scanner.next(in: &bytes) {
            switch step {
            case .pass(let piece): context.fireChannelRead(wrapInboundOut(piece))
            case .ping(let frame):
                if !answer(frame, context) { context.fireChannelRead(wrapInboundOut(frame)) }
            case .reset(let stream, let frame):
                if !reset(stream, context) { context.fireChannelRead(wrapInboundOut(frame)) }
            }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let hasAnswered = answers.readableBytes > 0
        writeAnswers(context)
        context.fireChannelReadComplete()
        if hasAnswered { context.flush() }
    }

    /// False if too many answers wait for the socket.
    private func answer(_ ping: ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
        guard unsent < Self.mostUnsent else { return false }
        unsent += 1
        answers.writeBytes(Self.answerHeader)
        answers.writeImmutableBuffer(ping.getSlice(at: ping.writerIndex - 8, length: 8) ?? ByteBuffer())
        return true
    }

    private func writeAnswers(_ context: ChannelHandlerContext) {
        guard answers.readableBytes > 0 else { return }
        let count = answers.readableBytes / (Self.answerHeader.count + 8)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.unsent -= count }
        context.write(wrapOutboundOut(answers), promise: promise)
        answers = ByteBuffer()
    }

    /// Ends a call that the client has cancelled. False if the library has to judge it.
    private func reset(_ stream: Int, _ context: ChannelHandlerContext) -> Bool {
        guard stream <= newestStream, resets.use(at: context.eventLoop.now) else { return false }
        // For one that has ended already there is nothing to do. Resetting it once more is harmless for the client.
        streams[stream]?.close(promise: nil)
        return true
    }

    private func opened(_ stream: Int, _ channel: any Channel) {
        newestStream = max(newestStream, stream)
        streams[stream] = channel
        channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in self?.streams[stream] = nil }
    }

    /// Puts one before the HTTP/2 handler of a new connection. On the connection's event loop.
    package static func install(on connection: any Channel) -> EventLoopFuture<Void> {
        connection.eventLoop.makeCompletedFuture {
            let pipeline = connection.pipeline.syncOperations
            let position = try pipeline.handler(type: NIOHTTP2Handler.self)
            try pipeline.addHandler(ConnectionKeeper(), position: .before(position))
        }
    }

    /// Tells the connection's keeper of a new call. On the connection's event loop.
    package static func note(_ stream: any Channel) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            guard let connection = stream.parent, let options = stream.syncOptions else { return }
            let number = try options.getOption(HTTP2StreamChannelOptions.streamID)
            try connection.pipeline.syncOperations.handler(type: ConnectionKeeper.self).opened(Int(number), stream)
        }
    }
}
