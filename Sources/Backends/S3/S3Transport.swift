import AsyncHTTPClient
import Core
import Foundation
import NIOCore
import NIOSSL

/// How long a store may take, in seconds, and how it is reached.
package struct S3TransportOptions: Sendable {
    /// Until a connection stands.
    package var connectSeconds = 10.0
    /// That the other side may be silent.
    package var silenceSeconds = 30.0
    /// For a whole request, its body included.
    package var requestSeconds = 300.0
    /// Connections at once, to one host.
    package var connections = 32
    /// A PEM file of the authorities that the store's certificate has to come from; nil: those the system trusts.
    package var trustFile: String?

    package init() {}
}

/// Requests over HTTP, one blocking call each. Never to be called on a thread of the network's own.
final class S3Transport: Sendable {
    private let client: HTTPClient
    private let limit: TimeAmount

    init(_ options: S3TransportOptions) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trustFile = options.trustFile { tls.trustRoots = .file(trustFile) }
        let timeout = HTTPClient.Configuration.Timeout(
            connect: Self.time(options.connectSeconds), read: Self.time(options.silenceSeconds),
            write: Self.time(options.silenceSeconds))
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: timeout)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = options.connections
        // `S3Retrying` decides what is tried again.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        limit = Self.time(options.requestSeconds)
    }

    private static func time(_ seconds: Double) -> TimeAmount { .nanoseconds(Int64(seconds * 1e9)) }

    /// Connections are let go of in the background.
    deinit { client.shutdown { _ in } }

    /// An answer of at most `most` bytes, whatever its status. Throws what the client throws.
    func execute(
        _ method: String, _ url: String, _ headers: [S3Request.Item], _ body: ByteBuffer, most: Int
    ) throws -> HTTPClient.Response {
        let hasBody = method == "PUT" || method == "POST"
        var request = try HTTPClient.Request(
            url: url, method: .init(rawValue: method), body: hasBody ? .byteBuffer(body) : nil)
        for header in headers { request.headers.add(name: header.name, value: header.value) }
        request.headers.add(name: "user-agent", value: "spile")
        let answer = ResponseAccumulator(request: request, maxBodySize: most)
        return try client.execute(request: request, delegate: answer, deadline: .now() + limit).wait()
    }
}
