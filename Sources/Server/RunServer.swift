import CAllocator
import Core
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import Pipelines
import ServiceLifecycle

/// Runs a server until SIGTERM or SIGINT, then drains it: calls under way are finished (those that never end by
/// themselves are cut), running code is stopped, the store is closed.
///
/// Prints one line on standard output once it is ready. Throws ``SpileError`` if it cannot start: the data folder is in
/// use or of a newer format, the address is taken.
package func runServer(_ options: ServerOptions) async throws {
    // One pool a core, not eight: threads that come and go would keep what others need. Before the first of them.
    spile_bound_allocator_pools(Int32(clamping: max(2, ProcessInfo.processInfo.activeProcessorCount)))
    let logger = Logger.server(options.logFormat, options.logLevel)
    let folder = try DataFolder(options.dataFolder)
    let assembly = try Assembly(folder: folder, options: options, logger: logger)
    do { try await assembly.prepareAuth() } catch {
        try? assembly.history.close()
        throw error
    }
    let executor = IOExecutor(threads: options.threads)
    let transport = assembly.makeTransport()
    let peers = assembly.makePeerTransport()
    // Ended in reverse: first the running code, which may still write, then the calls, then the plain downloads.
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
        .init(
            service: CallService(
                assembly: assembly, executor: executor, transport: transport, peers: peers, options: options)),
        .init(
            service: CodeService(
                assembly: assembly, executor: executor, transport: peers ?? transport, options: options,
                logger: logger),
            successTerminationBehavior: .ignore),
        .init(
            service: GarbageService(
                history: assembly.history, leads: { assembly.leading.code != nil }, interval: options.garbageInterval,
                logger: logger),
            successTerminationBehavior: .ignore),
        .init(service: MemoryService(executor: executor), successTerminationBehavior: .ignore),
        .init(service: PhaseService(phase: assembly.phase), successTerminationBehavior: .ignore),
    ]
    if let http = assembly.makeHTTPService(executor: executor) { services.insert(.init(service: http), at: 0) }
    var configuration = ServiceGroupConfiguration(
        services: services,
        gracefulShutdownSignals: [.sigterm, .sigint],
        logger: logger)
    // A client that is gone without a word must not hold the server: after the grace time calls are cut.
    configuration.maximumGracefulShutdownDuration = .seconds(options.grace + 15)
    let group = ServiceGroup(configuration: configuration)
    do {
        try await group.run()
    } catch {
        assembly.door?.close()
        await assembly.launcher.close()
        await assembly.urls.close()
        try? assembly.history.close()
        throw error
    }
    assembly.door?.close()
    await assembly.launcher.close()
    await assembly.urls.close()
    try assembly.history.close()
    executor.stop()
    logger.info("the server has stopped")
    _ = folder.path
}

/// Serves the calls.
private struct CallService: Service {
    let assembly: Assembly
    let executor: IOExecutor
    let transport: Routes.Transport
    /// For running code, if that has a port of its own.
    let peers: Routes.Transport?
    let options: ServerOptions

    func run() async throws {
        let router = assembly.makeRouter()
        let servers = [transport, peers].compactMap { $0 }.map { GRPCServer(transport: $0, router: router) }
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in servers {
                    group.addTask(executorPreference: executor) { try await serve(server) }
                }
                group.addTask { try await announce() }
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            // Wakes the calls that wait for ever, so that draining ends.
            assembly.history.events.close()
            assembly.logs.endFollowing()
            for server in servers { server.beginGracefulShutdown() }
        }
    }

    private func serve(_ server: GRPCServer<Routes.Transport>) async throws {
        do {
            try await server.serve()
        } catch {
            throw SpileError(
                .unavailable, "cannot listen on \(options.host):\(options.port)",
                remedy: "another program may use the port; choose another with --listen", cause: error)
        }
    }

    private func announce() async throws {
        guard let (text, _) = await transport.reachable() else { return }
        var http = ""
        if let place = assembly.httpPlace {
            guard let port = await place.wait() else { return }
            http = ", plain HTTP on port \(port)"
        }
        assembly.phase.reached(.serving)
        let security = options.tls == nil ? "" : ", with TLS"
        print("spile is ready on \(text)\(security), data in \(options.dataFolder)\(http)")
        fflush(nil)
    }
}

/// Runs the code of the pipelines while calls are served, whenever this server leads.
private struct CodeService: Service {
    let assembly: Assembly
    let executor: IOExecutor
    let transport: Routes.Transport
    let options: ServerOptions
    let logger: Logger

    func run() async throws {
        guard let (_, port) = await transport.reachable() else { return }
        let (logger, history) = (logger, assembly.history)
        history.attend(at: "\(options.host):\(port)") {
            logger.critical("the other servers have given this one up: it ends, start it anew")
            raise(SIGTERM)
        }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await assembly.leadership.acquire() } catch { return }
                if history.peers != nil { logger.notice("this server runs the code of pipelines from now on") }
                await lead(at: assembly.launchSite(port: port))
                if history.peers != nil { logger.notice("this server runs no code any more") }
            }
        }
    }

    /// Runs code until another server leads, or this one shuts down.
    private func lead(at site: LaunchSite) async {
        let code = assembly.makeRunningCode()
        assembly.leading.begin(code)
        defer { assembly.leading.end() }
        // Not cancelled with this task: code has its grace.
        let running = Task(executorPreference: executor) {
            await code.run(at: site, grace: options.grace, executor: executor)
        }
        try? await assembly.leadership.lost()
        code.shutDown()
        await running.value
    }
}

extension HTTP2ServerTransport.Posix {
    /// The address it listens on, as text, and the port; waits until it does. Nil if it never will.
    func reachable() async -> (text: String, port: Int)? {
        guard let address = try? await listeningAddress else { return nil }
        if let ipv4 = address.ipv4 { return ("\(ipv4.host):\(ipv4.port)", ipv4.port) }
        if let ipv6 = address.ipv6 { return ("[\(ipv6.host)]:\(ipv6.port)", ipv6.port) }
        return nil
    }
}
