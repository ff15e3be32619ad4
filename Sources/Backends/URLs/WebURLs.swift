import AsyncHTTPClient
import Core
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Files by HTTP and HTTPS. The client is made when it is first needed; `client` is guarded by its mutex.
final class WebURLs: Sendable {
    private let trustFile: String?
    private let client = Mutex<HTTPClient?>(nil)

    init(trustFile: String?) { self.trustFile = trustFile }

    /// Seconds until a connection has to stand, and that the other side may be silent. The whole may take any time.
    private static let timeout = HTTPClient.Configuration.Timeout(connect: .seconds(30), read: .seconds(60))
    private static let mostRedirects = 10

    /// One GET. Body pieces are asked for one at a time: what is not asked for stays with the sender.
    func fetch(_ url: SourceURL, _ receive: (UnsafeRawBufferPointer) throws -> Void) async throws {
        var request = HTTPClientRequest(url: url.text)
        request.headers.add(name: "User-Agent", value: "spile")
        request.headers.add(name: "Accept", value: "*/*")
        if let parts = URLComponents(string: url.text), let user = parts.user {
            request.setBasicAuth(username: user, password: parts.password ?? "")
        }
        let response = try await Self.naming(url) { try await open().execute(request, deadline: .distantFuture) }
        guard response.status.code < 400 else {
            throw Self.failure(url, "\(response.status.code) \(response.status.reasonPhrase)", .unknown)
        }
        var pieces = response.body.makeAsyncIterator()
        var isEmpty = true
        while let piece = try await Self.naming(url, { try await pieces.next() }) {
            isEmpty = false
            try piece.withUnsafeReadableBytes(receive)
        }
        if isEmpty { try receive(UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    private func open() -> HTTPClient {
        client.withLock { client in
            if let client { return client }
            var tls = TLSConfiguration.makeClientConfiguration()
            if let trustFile { tls.trustRoots = .file(trustFile) }
            var configuration = HTTPClient.Configuration(
                tlsConfiguration: tls,
                redirectConfiguration: .follow(max: Self.mostRedirects, allowCycles: false), timeout: Self.timeout)
            configuration.httpVersion = .http1Only
            // Who asked decides whether to try again.
            configuration.connectionPool.retryConnectionEstablishment = false
            let fresh = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            client = fresh
            return fresh
        }
    }

    func close() async {
        let client = client.withLock { client in
            defer { client = nil }
            return client
        }
        try? await client?.shutdown()
    }
}

extension WebURLs {
    /// Runs `body`; what goes wrong in it is told with the URL, and with what can be done about it.
    private static func naming<Result>(_ url: SourceURL, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch let error as HTTPClientError {
            throw fault(url, error)
        } catch let error as NIOConnectionError {
            throw failure(url, "cannot connect: \(cause(error))", .unavailable)
        } catch let error as IOError {
            let what = connectFaults.contains(error.errnoCode) ? "cannot connect" : "the connection broke"
            throw failure(url, "\(what): \(reason(error))", .unavailable)
        } catch where error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError {
            throw failure(
                url, "no trusted connection: the server's certificate does not hold, or it speaks no TLS",
                .failedPrecondition,
                remedy: "check the URL; if the certificate is your own, set SSL_CERT_FILE where this server runs")
        } catch {
            throw failure(url, "the answer broke off: \(error)", .unavailable)
        }
    }

    private static func fault(_ url: SourceURL, _ error: HTTPClientError) -> SpileError {
        switch error {
        case .cancelled: SpileError(.cancelled, "fetching \(url) was cancelled")
        case .invalidURL, .emptyHost, .emptyScheme: failure(url, "the URL names no host", .invalidArgument)
        case .redirectLimitReached: failure(url, "more than \(mostRedirects) redirects", .unknown)
        case .redirectCycleDetected: failure(url, "its redirects go round in a circle", .unknown)
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            failure(url, "no connection in time", .unavailable)
        case .readTimeout: failure(url, "the server fell silent", .unavailable)
        case .remoteConnectionClosed: failure(url, "the server closed the connection early", .unavailable)
        default: failure(url, error.description, .unavailable)
        }
    }

    private static let connectFaults: Set<Int32> = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL]

    /// Why no address of a host could be reached: the first one's reason.
    private static func cause(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first { return reason(first.error) }
        return "there is no such host"
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode))
    }

    private static func failure(
        _ url: SourceURL, _ what: String, _ code: SpileError.Code, remedy: String = ""
    ) -> SpileError {
        SpileError(code, "error retrieving content from \(url): \(what)", remedy: remedy)
    }
}
