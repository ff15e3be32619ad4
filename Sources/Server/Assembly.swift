import API
import Backends
import Core
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import Pipelines
import Storage
import Versioning

/// The whole server, built from its parts: the one place that knows which backends are in use.
final class Assembly: Sendable {
    let history: History
    let logger: Logger
    let launcher: any Launcher
    let door: WorkerDoor?
    let leadership: any Leadership
    let leading = Leading()
    let logs: LogStore
    let urls: URLFetcher
    private let egress: S3Egress
    let phase = ServerPhase()
    private let watch: SpoutWatch
    private let progress = JobProgress()
    private let calls = CallMetrics()
    private let started: Instant
    private let pipelines: PipelineManager
    private let options: ServerOptions
    private let contentKey: [UInt8]
    /// Nil where plain HTTP is off.
    let httpPlace: HTTPPlace?
    private let clusterID: String
    private let toolFolder: String
    private let places: StorePlaces
    private let folders: (inputs: String, datums: String)
    private let addresses: [LauncherKind: LaunchAddress]
    private let secrets: Secrets
    private let sealer: KeyedSealer

    /// Opens the data folder's catalog and store, recovering what a crash left.
    init(folder: borrowing DataFolder, options: ServerOptions, logger: Logger) throws {
        self.options = options
        self.logger = logger
        // What is wrong with them is said before anything is opened.
        if let tls = options.tls { try TLSFiles.check(certificate: tls.certificate, key: tls.key) }
        let clock = SystemClock()
        let randomness = SystemRandomness()
        let environment = ProcessInfo.processInfo.environment
        let buckets = Self.buckets(environment, clock, randomness, own: options.store.location)
        urls = try URLFetcher(
            folders: options.fileURLFolders, trustFile: S3Environment.trustFile(environment), buckets: buckets)
        egress = S3Egress(buckets)
        let catalog = try options.catalog.open(with: folder, store: options.store) { CommitID(randomness).description }
        places = try options.store.open(with: catalog, folder, clock: clock, randomness: randomness)
        let store = try Store(objects: places.objects, options: places.options)
        started = clock.now()
        watch = SpoutWatch(clock: clock)
        // Kept in the catalog, because clients compare it.
        clusterID = try catalog.standing("cluster_id", else: CommitID(randomness).description)
        contentKey = try ContentURLs.key(of: catalog, randomness)
        httpPlace = options.http == .off ? nil : HTTPPlace()
        history = try History(
            catalog: catalog, store: store, clock: clock, randomness: randomness, logger: logger, observer: watch)
        logs = LogStore(files: DiskLogFiles(root: folder.logs), clock: clock)
        sealer = KeyedSealer(file: places.key, randomness: randomness)
        secrets = Secrets(history: history, sealer: sealer)
        addresses = try options.launchers.addresses()
        let launchers = try options.launchers.make(
            data: folder.path, processes: folder.launches, containers: folder.containers,
            host: options.codeHost, serviceHost: options.serviceHost,
            cluster: clusterID, logger: logger)
        launcher = launchers.launcher
        door = launchers.door
        leadership = Self.leadership(catalog.peers, launchers.lease)
        folders = (folder.inputs, folder.datums)
        try ToolFolder.install(in: folder.programs)
        toolFolder = folder.programs
        let leading = leading
        pipelines = PipelineManager(history: history) { leading.changed($0) }
    }

    /// Whoever leads among all servers of a catalog, whatever each runs code by, takes the launcher's lease besides.
    private static func leadership(_ peers: (any Peers)?, _ lease: (any Leadership)?) -> any Leadership {
        guard let peers else { return SoleLeadership() }
        return lease.map { JointLeadership(first: peers, second: $0) } ?? peers
    }

    /// What runs code from now on, while this server leads.
    func makeRunningCode() -> RunningCode {
        let sleep: @Sendable (Double) async throws -> Void = { try await Task.sleep(for: .seconds($0)) }
        let (history, randomness) = (history, SystemRandomness())
        let world = Supervisor.World(
            clock: SystemClock(), randomness: randomness, sha256: Hashing.sha256, sleep: sleep)
        let supervisor = Supervisor(
            ledger: HistoryLedger(history: history), launcher: launcher, ports: TCPRelays(host: options.serviceHost),
            logs: logs, options: Supervisor.Options(grace: options.grace), world: world, secrets: secrets,
            inputs: HistoryInputs(history: history, root: folders.inputs, randomness: randomness), watch: watch,
            logger: logger)
        let ticker = CronTicker(history: history, sleep: sleep, logger: logger)
        let transforms = TransformScheduler(
            TransformContext(
                history: history, launcher: launcher, logs: logs, secrets: secrets, root: folders.datums, world: world,
                progress: progress, workers: LaunchedWorkers(launcher: launcher, door: door, randomness: randomness),
                ports: LoopbackDatumPorts(),
                egress: egress, reported: { ticker.changed($0) }, logger: logger))
        return RunningCode(
            history: history, launcher: launcher, supervisor: supervisor, transforms: transforms,
            jobWatch: JobWatch(
                history: history, changed: { supervisor.changed($0) }, sleep: sleep, logger: logger),
            triggers: TriggerTimer(history: history, sleep: sleep, logger: logger), ticker: ticker)
    }

    /// The buckets that `s3://` names in URLs and in egress.
    private static func buckets(
        _ environment: [String: String], _ clock: SystemClock, _ randomness: SystemRandomness, own: S3Location?
    ) -> S3Buckets {
        var options = S3Buckets.Options()
        options.own = own
        options.transport.trustFile = S3Environment.trustFile(environment)
        return S3Buckets(variables: environment, options: options, clock: clock, randomness: randomness)
    }

    /// Where running code finds this server once it listens on `port`.
    func launchSite(port: Int) -> LaunchSite {
        let isEverywhere = ["0.0.0.0", "::"].contains(options.codeHost)
        return LaunchSite(
            host: isEverywhere ? "127.0.0.1" : options.codeHost, port: port, toolFolder: toolFolder,
            deploymentID: clusterID, baseEnvironment: ProcessInfo.processInfo.environment,
            usual: options.launchers.usual, elsewhere: addresses)
    }

    /// Turns authentication on where the server was given a root token, or sees to it that this is the one. To be
    /// called before anybody is served; a second time changes nothing.
    func prepareAuth() async throws {
        guard let token = options.rootToken else { return }
        if !history.isAuthOn {
            _ = try await history.activateAuth(rootToken: token)
        } else if try !history.isRootToken(token) {
            _ = try await history.rotateRootToken(to: token, as: .server)
        }
        try await history.bindEverything(as: .server)
        try await pipelines.bindPipelines(as: .server)
    }

    private var callers: Callers { Callers(history: history, watch: watch) }

    func makeRouter() -> RPCRouter<Routes.Transport> {
        var routes = Routes(callers: callers, calls: calls)
        let transactions = Transactions(history: history, pipelines: pipelines)
        PFSService(history: history, transactions: transactions, urls: urls, egress: egress).register(in: &routes)
        PPSService(
            manager: pipelines, secrets: secrets, logs: logs, history: history, transactions: transactions,
            clock: SystemClock(), watch: watch, progress: progress, serviceHost: options.serviceHost,
            launcher: launcher
        ).register(in: &routes)
        TransactionService(transactions).register(in: &routes)
        let references = ContentReferences(
            history: history, urls: ContentURLs(key: contentKey), place: httpPlace, host: options.httpHostOfURLs)
        StorageService(history: history, references: references).register(in: &routes)
        LogsService(manager: pipelines, logs: logs, history: history, clock: SystemClock()).register(in: &routes)
        LineageService(history: history).register(in: &routes)
        MetadataService(history: history).register(in: &routes)
        MaintenanceService(
            history: history, segments: places.segments, secretsKey: places.key.path, store: options.store.shown
        ).register(in: &routes)
        let messages = SealedMessages(history: history, sealer: sealer)
        AuthService(history: history, messages: messages, isRootTokenGiven: options.rootToken != nil)
            .register(in: &routes)
        IdentityService(messages: messages, randomness: SystemRandomness()).register(in: &routes)
        SmallServices(history: history, clusterID: clusterID).register(in: &routes)
        return routes.router
    }

    /// What answers plain HTTP; nil where it is off. Its handlers run on `executor` where they may block.
    func makeHTTPService(executor: IOExecutor) -> HTTPService? {
        guard let httpPlace, let (host, port) = options.httpAddress else { return nil }
        let history = history
        return HTTPService(
            host: host, port: port, mayMove: options.http == .besideCalls, place: httpPlace,
            routes: [
                HealthRoutes(
                    phase: phase, check: { _ = try history.read { try $0.setting("prepared") } },
                    whyRefused: { history.figures.whyRefused }, executor: executor),
                MetricsRoutes(
                    metrics: ServerMetrics(
                        history: history, watch: watch, calls: calls, clock: SystemClock(), started: started),
                    gate: HTTPGate(callers: callers), executor: executor, logger: logger),
                ContentRoutes(history: history, urls: ContentURLs(key: contentKey), executor: executor),
            ],
            logger: logger)
    }

    /// What serves clients.
    func makeTransport() -> Routes.Transport {
        let address: SocketAddress =
            options.host.contains(":")
            ? .ipv6(host: options.host, port: options.port) : .ipv4(host: options.host, port: options.port)
        guard let tls = options.tls else { return .serving(address, .plaintext) }
        return .serving(
            address,
            .tls(
                certificateChain: [.file(path: tls.certificate, format: .pem)],
                privateKey: .file(path: tls.key, format: .pem)))
    }

    /// What serves running code where clients are served with TLS: in the clear, on a free port of loopback unless
    /// somebody said where (`pps.md` §3.7).
    func makePeerTransport() -> Routes.Transport? {
        if options.tls == nil { return nil }
        guard let place = options.peers else { return .serving(.ipv4(host: "127.0.0.1", port: 0), .plaintext) }
        return .serving(
            place.host.contains(":")
                ? .ipv6(host: place.host, port: place.port) : .ipv4(host: place.host, port: place.port), .plaintext)
    }
}
