import Core
import NIOCore
import NIOPosix
import Synchronization

/// One listening port and its connections. Memory: what the sockets' buffers hold and one read, per connection.
final class TCPRelay: Sendable {
    let exposure: Exposure
    private let listener: any Channel
    private let connections: Connections

    /// Returns once others can connect.
    init(_ exposure: Exposure, host: String) async throws {
        let connections = Connections()
        self.exposure = exposure
        self.connections = connections
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Nothing is read before there is somebody to give it to.
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { outside in
                guard connections.add(outside) else {
                    return outside.eventLoop.makeFailedFuture(CancellationError())
                }
                return Self.connect(outside, to: exposure.internalPort)
            }
            .bind(host: host, port: exposure.externalPort).get()
    }

    /// Ends it with every connection. Any thread may call, more than once.
    func close() {
        listener.close(promise: nil)
        connections.close()
    }

    /// Returns when the port is free again.
    func ended() async { try? await listener.closeFuture.get() }

    /// Joins a connection to the code; where the code does not listen, the connection ends.
    private static func connect(_ outside: any Channel, to port: Int) -> EventLoopFuture<Void> {
        let loop = outside.eventLoop
        return ClientBootstrap(group: loop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .connectTimeout(.seconds(5))
            .connect(host: "127.0.0.1", port: port)
            .flatMapThrowing { inside in
                // Both channels are of this loop.
                let (first, second) = (RelaySide(), RelaySide())
                do {
                    try outside.pipeline.syncOperations.addHandler(first)
                    try inside.pipeline.syncOperations.addHandler(second)
                } catch {
                    // The outside has gone meanwhile.
                    inside.close(promise: nil)
                    throw error
                }
                first.join(second)
            }
    }
}

/// The connections of a relay: those accepted after its end are closed at once. Guarded by its mutex.
private final class Connections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    /// False for one that comes too late.
    func add(_ channel: any Channel) -> Bool {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.channels[ObjectIdentifier(channel)] = channel }
            return state.isClosed
        }
        if isClosed { return false }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
        }
        return true
    }

    func close() {
        let channels = state.withLock { state in
            state.isClosed = true
            return state.channels.values.map { $0 }
        }
        for channel in channels { channel.close(promise: nil) }
    }
}

/// One side of a joined connection: gives the other side what it reads, and reads on when that has taken it. On the one
/// event loop of both.
private final class RelaySide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var other: RelaySide?
    private var context: ChannelHandlerContext?

    /// Lets bytes go both ways from now on.
    func join(_ other: RelaySide) {
        self.other = other
        other.other = self
        context?.read()
        other.context?.read()
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    /// An accepted connection becomes active when it is joined already.
    func channelActive(context: ChannelHandlerContext) { context.read() }

    /// Comes to every connection in the end, also to one that was never active.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end(.all)
        other = nil
    }

    /// Ends the other side's connection, or its output, behind what was given to it.
    private func end(_ mode: CloseMode) {
        guard let channel = other?.context?.channel else { return }
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(mode: mode, promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other?.context?.write(wrapOutboundOut(unwrapInboundIn(data)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard let target = other?.context else { return }
        target.flush()
        if target.channel.isWritable { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { other?.context?.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { end(.output) }
    }

    func channelInactive(context: ChannelHandlerContext) { end(.all) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
