import Core
import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Where the server answers plain HTTP.
package enum HTTPListener: Sendable, Equatable {
    case off
    /// The host of the calls and the port behind theirs, a free one where that is taken or theirs is free to choose.
    case besideCalls
    case at(host: String, port: Int)
}

/// The port that plain HTTP is answered on, once it is. Any task may ask; the mutex guards the port.
final class HTTPPlace: Sendable {
    private let current = Mutex<Int?>(nil)
    private let ports: AsyncStream<Int>
    private let announce: AsyncStream<Int>.Continuation

    init() { (ports, announce) = AsyncStream.makeStream(of: Int.self) }

    var port: Int? { current.withLock { $0 } }

    func isListening(on port: Int) {
        current.withLock { $0 = port }
        announce.yield(port)
    }

    /// Waits until there is a port; nil if the task is cancelled first. For one caller.
    func wait() async -> Int? {
        for await port in ports { return port }
        return nil
    }
}

/// A group of addresses that plain HTTP is answered at. A new one (a gateway, a console) is a value of this
/// protocol in `Assembly`, and nothing else.
protocol HTTPRoutes: Sendable {
    func register(in router: Router<BasicRequestContext>)
}

/// Answers plain HTTP until the server shuts down.
struct HTTPService: Service {
    let host: String
    let port: Int
    /// Whether another port will do where this one is taken.
    let mayMove: Bool
    let place: HTTPPlace
    let routes: [any HTTPRoutes]
    let logger: Logger

    func run() async throws {
        do {
            try await listen(on: port)
        } catch where place.port == nil && mayMove && port != 0 && !Task.isCancelled {
            logger.warning(
                "port \(port) is taken: plain HTTP is answered on a free one; choose one with --http",
                metadata: ["error": "\(error)"])
            try await listen(on: 0)
        }
    }

    private func listen(on port: Int) async throws {
        let router = Router(context: BasicRequestContext.self)
        for group in routes { group.register(in: router) }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router,
            server: .http1(configuration: .init(idleTimeout: .seconds(120))),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { place.isListening(on: port) }
            },
            logger: quiet)
        do {
            try await application.run()
        } catch where place.port == nil && !(error is CancellationError) {
            throw SpileError(
                .unavailable, "cannot listen on \(host):\(port) for plain HTTP",
                remedy: "another program may use the port; choose another with --http, or --http off", cause: error)
        }
    }
}

extension Response {
    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
