import Core
import GRPCNIOTransportHTTP2

extension HTTP2ServerTransport.Posix {
    /// What serves calls at an address. Connections live as long as their clients keep to sane bounds
    /// (``ConnectionKeeper``).
    static func serving(_ address: SocketAddress, _ security: TransportSecurity) -> Self {
        Self(
            address: address, transportSecurity: security,
            config: .defaults { config in
                config.rpc.maxRequestPayloadSize = Limits.messageBytes + 1024
                config.http2.maxFrameSize = 1 << 20
                config.http2.targetWindowSize = 8 << 20
                config.http2.maxConcurrentStreams = 1000
                config.compression.enabledAlgorithms = .all
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(5)
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.maxGraceTime = .seconds(5)
                config.channelDebuggingCallbacks.onAcceptTCPConnection = { ConnectionKeeper.install(on: $0) }
                config.channelDebuggingCallbacks.onAcceptHTTP2Stream = { ConnectionKeeper.note($0) }
            })
    }
}
