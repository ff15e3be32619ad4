import API
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import SwiftProtobuf

/// A command's connection: the server, the calls' metadata, the default project. Lives until the process ends.
struct Session: Sendable {
    typealias Transport = HTTP2ClientTransport.Posix

    let client: GRPCClient<Transport>
    let endpoint: Endpoint
    /// The project of a name that says none: `--project` is applied by ``ProjectOption``.
    let project: String
    /// The active transaction, if the command takes part in it.
    let transaction: String
    /// Filled by the greeting; nil inside a worker.
    let cluster: AdminV2_ClusterInfo?

    var pfs: PfsV2_API.Client<Transport> { .init(wrapping: client) }
    var pps: PpsV2_API.Client<Transport> { .init(wrapping: client) }
    var admin: AdminV2_API.Client<Transport> { .init(wrapping: client) }
    var version: VersionpbV2_API.Client<Transport> { .init(wrapping: client) }
    var auth: AuthV2_API.Client<Transport> { .init(wrapping: client) }
    var identity: IdentityV2_API.Client<Transport> { .init(wrapping: client) }
    var metadata: Metadata_API.Client<Transport> { .init(wrapping: client) }
    var lineage: Spile_V1_Lineage.Client<Transport> { .init(wrapping: client) }
    var maintenance: Spile_V1_Maintenance.Client<Transport> { .init(wrapping: client) }
    var transactions: TransactionV2_API.Client<Transport> { .init(wrapping: client) }

    /// How a command wants to be connected.
    struct Options: Sendable {
        /// Send the active transaction's id.
        var joinsTransaction = false
        /// Greet the server first (InspectCluster), as every command does outside a worker.
        var greets = true
    }

    static func open(_ global: GlobalOptions, _ options: Options = Options()) async throws -> Session {
        try await open(timeout: GlobalOptions.timeout(global.rpcTimeout), options)
    }

    /// Connects, greets the server where that is due, and gives the session. `timeout` is for the whole command.
    static func open(timeout: Duration?, _ options: Options) async throws -> Session {
        let environment = Environment.process
        let store = ConfigStore(environment: environment)
        let isWorker = try environment.flag("PACH_IN_WORKER")
        let config = try loadConfig(store, tolerant: isWorker)
        let named = try? config.active(environment)
        if named == nil, !isWorker, environment.nonEmpty("PACHD_ADDRESS") == nil { _ = try config.active(environment) }
        let context = named?.context
        let endpoint = try Endpoint.choose(context: context, name: named?.name ?? "", environment: environment)
        var headers = CallHeaders(token: endpoint.token, command: CallHeaders.commandText(CommandLine.arguments))
        if config.metrics && !isWorker { headers.userID = config.userID }
        if options.joinsTransaction { headers.transaction = context?.activeTransaction ?? "" }
        let project = defaultProject(context: context, environment: environment)
        var client = try connect(endpoint, headers)
        Watchdog.start(endpoint: endpoint, rpcTimeout: timeout)
        var cluster: AdminV2_ClusterInfo?
        if options.greets && !isWorker {
            let greeting = Greeting(client: client, endpoint: endpoint, project: context?.project ?? "")
            cluster = try await greeting.perform()
            Greeting.remember(cluster!, in: store, context: named?.name)
            if let token = await exchangeToken(client, endpoint, store, context: named?.name, environment) {
                headers.token = token
                client = try connect(endpoint, headers)
            }
        }
        return Session(
            client: client, endpoint: endpoint, project: project,
            transaction: headers.transaction, cluster: cluster)
    }

    /// With `DEX_TOKEN` set and no token yet: asks the server for one and keeps it. A server without accounts has none.
    private static func exchangeToken(
        _ client: GRPCClient<Transport>, _ endpoint: Endpoint, _ store: ConfigStore, context: String?,
        _ environment: Environment
    ) async -> String? {
        guard endpoint.token.isEmpty, let idToken = environment.nonEmpty("DEX_TOKEN") else { return nil }
        do {
            let auth = AuthV2_API.Client(wrapping: client)
            let token = try await auth.authenticate(.with { $0.idToken = idToken }).pachToken
            if let context { try? store.update { $0[context: context]?.sessionToken = token } }
            return token
        } catch let error as RPCError where error.message.contains("the auth service is not activated") {
            return nil
        } catch {
            Console.note("warning: the server did not take DEX_TOKEN: \((error as? RPCError)?.message ?? "\(error)")")
            return nil
        }
    }

    private static func loadConfig(_ store: ConfigStore, tolerant: Bool) throws -> ClientConfig {
        do {
            return try store.load()
        } catch {
            if tolerant { return ClientConfig() }
            throw error
        }
    }

    /// The context's project; in a worker that has none, the worker's own; else `default`.
    static func defaultProject(context: ClientConfig.Context?, environment: Environment) -> String {
        if let project = context?.project, !project.isEmpty { return project }
        return environment.nonEmpty("PPS_PROJECT_NAME") ?? "default"
    }

    /// Largest message either way. Clients of the wire send up to 19 MiB at once.
    static let messageBytesMax = 20 * 1024 * 1024

    /// A client whose connection the process owns.
    static func connect(_ endpoint: Endpoint, _ headers: CallHeaders) throws -> GRPCClient<Transport> {
        var config = Transport.Config.defaults
        // Large frames on the way down: fewer turns of the event loop per megabyte.
        config.http2.maxFrameSize = 1 << 20
        config.backoff.initial = .milliseconds(50)
        config.backoff.max = .seconds(1)
        config.connection.keepalive = .init(time: .seconds(20), timeout: .seconds(20), allowWithoutCalls: true)
        config.compression.enabledAlgorithms = [.gzip]
        let methods = MethodConfig(
            names: [MethodConfig.Name(service: "")],
            waitForReady: endpoint.isWorker ? true : nil,
            maxRequestMessageBytes: messageBytesMax, maxResponseMessageBytes: messageBytesMax)
        let transport = try Transport(
            target: target(endpoint.address),
            transportSecurity: security(endpoint),
            config: config,
            serviceConfig: ServiceConfig(methodConfig: [methods]))
        let client = GRPCClient(transport: transport, interceptors: [headers])
        // Owned by the process: a command ends by exiting, never by draining its connection.
        Task { try? await client.runConnections() }
        return client
    }

    private static func target(_ address: Address) -> any ResolvableTarget {
        if address.kind == .unix { return .unixDomainSocket(path: address.host) }
        if address.host.contains(":") { return .ipv6(address: address.host, port: address.port) }
        if address.host.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }) {
            return .ipv4(address: address.host, port: address.port)
        }
        return .dns(host: address.host, port: address.port)
    }

    private static func security(_ endpoint: Endpoint) -> Transport.TransportSecurity {
        guard endpoint.address.kind == .secure else { return .plaintext }
        return .tls { tls in
            if !endpoint.roots.isEmpty {
                tls.trustRoots = .certificates([.bytes(Array(endpoint.roots.utf8), format: .pem)])
            }
        }
    }
}
