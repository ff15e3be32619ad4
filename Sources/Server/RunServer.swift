import Core
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import ServiceLifecycle

/// Runs a server until SIGTERM or SIGINT, then drains it: calls under way are finished (those that never end by
/// themselves are cut), running code is stopped, the store is closed.
///
/// Prints one line on standard output once it is ready. Throws ``SpileError`` if it cannot start: the data folder is in
/// use or of a newer format, the address is taken.
package func runServer(_ options: ServerOptions) async throws {
    var logger = Logger(label: "spile")
    logger.logLevel = options.logLevel
    let folder = try DataFolder(options.dataFolder)
    let assembly = try Assembly(folder: folder, options: options, logger: logger)
    let executor = IOExecutor(threads: options.threads)
    let services = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: [
                .init(
                    service: CallService(assembly: assembly, executor: executor, options: options),
                    successTerminationBehavior: .gracefullyShutdownGroup)
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger))
    do {
        try await services.run()
    } catch {
        try? assembly.history.close()
        throw error
    }
    try assembly.history.close()
    executor.stop()
    logger.info("the server has stopped")
    _ = folder.path
}

/// Serves the calls.
private struct CallService: Service {
    let assembly: Assembly
    let executor: IOExecutor
    let options: ServerOptions

    func run() async throws {
        let transport = assembly.makeTransport()
        let server = GRPCServer(transport: transport, router: assembly.makeRouter())
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: executor) { try await Self.serve(server, options) }
                group.addTask { try await announce(transport) }
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            // Wakes the calls that wait for ever, so that draining ends.
            assembly.history.events.close()
            server.beginGracefulShutdown()
        }
    }

    private static func serve(_ server: GRPCServer<Routes.Transport>, _ options: ServerOptions) async throws {
        do {
            try await server.serve()
        } catch {
            throw SpileError(
                .unavailable, "cannot listen on \(options.host):\(options.port)",
                remedy: "another program may use the port; choose another with --listen", cause: error)
        }
    }

    private func announce(_ transport: Routes.Transport) async throws {
        guard let address = try? await transport.listeningAddress else { return }
        let text = address.ipv4.map { "\($0.host):\($0.port)" } ?? address.ipv6.map { "[\($0.host)]:\($0.port)" }
        print("spile is ready on \(text ?? "\(address)"), data in \(options.dataFolder)")
        fflush(nil)
    }
}
