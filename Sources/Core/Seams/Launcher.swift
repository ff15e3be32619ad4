/// Runs users' code somewhere: a process, a container, a pod. One suite of tests holds for all.
///
/// The supervisor is the only caller. Calls may take as long as starting a program takes; they never wait for the
/// program itself.
package protocol Launcher: Sendable {
    /// Starts a run and returns what is needed to find it again after a restart of this server.
    func start(_ order: LaunchOrder) async throws -> LaunchHandle

    /// Waits until the run ends and tells how; throws `notFound` if the launcher knows nothing of the handle.
    func wait(_ handle: LaunchHandle) async throws -> LaunchExit

    /// Whether the run is alive. False for a handle that another boot of the machine gave out.
    func isAlive(_ handle: LaunchHandle) async -> Bool

    /// SIGTERM to the whole group, then SIGKILL after `grace` seconds. Returns when nothing of the run is left.
    func stop(_ handle: LaunchHandle, grace: Double) async

    /// Ends, as ``stop(_:grace:)`` does, every run that an earlier server of the same data left alive. Called once,
    /// before the first start.
    func endLeftovers(grace: Double) async

    /// Whether it makes the port of an order's program reachable itself. Otherwise the program listens on this machine,
    /// and ``ServicePorts`` pass on what comes from outside.
    func publishesPort(of order: LaunchOrder) -> Bool

    /// Whether an order's secrets stand at the paths that its spec names; if not, its code finds them by
    /// ``LaunchMount/variable`` alone.
    func mountsSecrets(of order: LaunchOrder) -> Bool

    /// To whom the files of an order's ``LaunchOrder/pfsFolder`` have to belong, for its program to read and write
    /// them. Throws `failedPrecondition` if it cannot be run as `transform.user`.
    func pfsOwner(of order: LaunchOrder) throws -> PfsOwner

    /// The `spile` program as a run of an order finds it, for one that shall be a worker; nil where there is none that
    /// can be run.
    func workerProgram(of order: LaunchOrder) -> String?

    /// Whether a folder of this machine can stand at `/pfs` of a worker that it starts for an order.
    func mountsFolders(of order: LaunchOrder) -> Bool

    /// Whether an order's program reaches ports that this machine opens for itself alone, at 127.0.0.1.
    func reachesLoopback(from order: LaunchOrder) -> Bool

    /// Where others reach the port that a pipeline's code serves, `kind` being the launcher that the pipeline asks for:
    /// an address or a host's name, empty while there is none; nil where the server's own ``ServicePorts`` serve it.
    /// Throws what the outside world says; a retry may help.
    func serviceAddress(of pipeline: PipelineKey, on kind: LauncherKind?) async throws -> String?

    /// Removes what stays of a spout or a service between its runs: it has been deleted, or a transform has taken its
    /// place, and none of its runs is wanted any more. Those of the transform may be about, and are let be. Nothing
    /// there is no error. Throws what the outside world says; a retry may help.
    func forget(_ pipeline: PipelineKey) async throws

    /// The same for every pipeline that `isGone`, which is asked for each one that something is there of: what went
    /// while no server could clean up.
    func forgetAll(where isGone: @Sendable (PipelineKey) throws -> Bool) async throws

    /// Lets go of what it holds of the outside world. To be called once, when nothing runs any more.
    func close() async
}

/// To whom files belong that a program finds at `/pfs`.
package enum PfsOwner: Sendable, Equatable {
    /// The server's own user, as which the program runs.
    case server
    /// A user of this machine, by numbers.
    case user(UInt32, group: UInt32)
    /// Nobody knows yet who it will be, such as an image's own user: everybody may read and write them. The folder
    /// around them has to be closed to others.
    case everybody
}

extension Launcher {
    package func publishesPort(of order: LaunchOrder) -> Bool { false }
    package func mountsSecrets(of order: LaunchOrder) -> Bool { true }
    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner { .server }
    package func workerProgram(of order: LaunchOrder) -> String? { nil }
    package func mountsFolders(of order: LaunchOrder) -> Bool { true }
    package func reachesLoopback(from order: LaunchOrder) -> Bool { true }
    package func serviceAddress(of pipeline: PipelineKey, on kind: LauncherKind?) async throws -> String? { nil }
    package func forget(_ pipeline: PipelineKey) async throws {}
    package func forgetAll(where isGone: @Sendable (PipelineKey) throws -> Bool) async throws {}
    package func close() async {}
}

/// Everything a launcher needs to know of a run.
package struct LaunchOrder: Sendable {
    package var pipeline: PipelineKey
    package var epoch: Int64
    /// Tells the runs of one launch apart: a launch of a transform runs its code once for each datum. Empty where there
    /// is one run alone.
    package var run = ""
    /// Program and arguments; never a shell line.
    package var command: [String]
    /// Bytes for the program's standard input; empty means an empty input.
    package var standardInput: [UInt8]
    /// The whole environment; nothing of the server's leaks in unless it stands here.
    package var environment: [(name: String, value: String)]
    /// Where the program starts; empty means a private folder of the launch.
    package var workingDirectory: String
    /// `name|uid[:group|gid]`; empty means the server's own user.
    package var user: String
    /// Gets every line that the program prints. Called in order for each stream, from the launcher's own context.
    package var output: @Sendable (LaunchOutput) -> Void
    /// Files to lay down in the launch's private folder before it starts: path relative to it, bytes, mode.
    package var files: [(path: String, bytes: [UInt8], mode: UInt32)]
    /// Secrets to lay out as files, one per key: at ``LaunchMount/path`` where the launcher can mount, else in the
    /// launch's private folder. ``LaunchMount/variable`` names the place in either case.
    package var secretFiles: [LaunchMount] = []
    /// Variables that hold the place of one of ``files`` as the program sees it: the launcher alone knows where.
    package var fileVariables: [(name: String, path: String)]
    /// A folder of this machine that stands at `/pfs` for the program and what it starts, writable, and for nobody else
    /// (`pps.md` §6.4); nil for none. It has to be there, and stays when the run is gone: who made it removes it.
    package var pfsFolder: String?
    /// What stands beside the program and has its files in hand; nil for none. For a launcher that does not
    /// ``Launcher/mountsFolders(of:)`` alone.
    package var sidecar: LaunchSidecar?
    /// What a launcher with images runs the program in; a launcher that needs one refuses an order without.
    package var image: LaunchImage?
    /// Which launcher the pipeline asks for; nil leaves it to the server.
    package var launcher: LauncherKind?
    /// The pipeline's version, for a launcher that knows more of a spec than stands here.
    package var version: LaunchVersion?

    package init(
        pipeline: PipelineKey, epoch: Int64, command: [String], standardInput: [UInt8] = [],
        environment: [(name: String, value: String)], workingDirectory: String = "", user: String = "",
        files: [(path: String, bytes: [UInt8], mode: UInt32)] = [],
        fileVariables: [(name: String, path: String)] = [],
        output: @escaping @Sendable (LaunchOutput) -> Void
    ) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.command = command
        self.standardInput = standardInput
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.files = files
        self.fileVariables = fileVariables
        self.output = output
    }

    /// Names the run among those of its pipeline.
    package var number: String { run.isEmpty ? "\(epoch)" : "\(epoch)-\(run)" }
}

/// What users' code can be run as.
package enum LauncherKind: String, Sendable, CaseIterable { case process, container, kubernetes }

/// The version of a pipeline that an order runs, with its whole spec.
package struct LaunchVersion: Sendable {
    package var number: Int64
    package var specCommit: CommitID
    package var spec: PipelineSpec

    package init(number: Int64, specCommit: CommitID, spec: PipelineSpec) {
        self.number = number
        self.specCommit = specCommit
        self.spec = spec
    }
}

/// What a worker's sidecar has to know.
package struct LaunchSidecar: Sendable {
    /// Where it finds its server.
    package var host: String
    package var port: Int
    /// By which the server knows it. Nothing may print it, and code must not get at it.
    package var key: String

    /// The word after which `spile` is a sidecar, and the variables that tell it all this.
    package static let command = "sidecar"
    package static let hostVariable = "SPILE_SERVER_HOST"
    package static let portVariable = "SPILE_SERVER_PORT"
    package static let keyVariable = "SPILE_WORKER_KEY"

    package init(host: String, port: Int, key: String) {
        self.host = host
        self.port = port
        self.key = key
    }
}

/// An image to run a program in, and how much of the machine it may use there.
package struct LaunchImage: Sendable {
    /// As the spec names it: `[registry/]name[:tag|@digest]`.
    package var name: String
    /// Laid over the image's own variables, in place of ``LaunchOrder/environment``. A PATH that stands here replaces
    /// the image's; the launcher appends the folder where it puts `pachctl`.
    package var environment: [(name: String, value: String)]
    /// Bytes of memory, nil without a limit.
    package var memoryLimit: Int64?
    /// Processors' worth of time, nil without a limit.
    package var processorLimit: Double?
    /// Labels of the spec's own, beside the launcher's.
    package var labels: [(name: String, value: String)]
    /// What the program serves, for a launcher that publishes ports itself.
    package var port: Exposure?
    /// Credentials to pull the image with: a `config.json` as docker writes it, which is also what a pull secret of
    /// type `kubernetes.io/dockerconfigjson` holds. Empty for none.
    package var registryConfig: [UInt8]

    package init(
        name: String, environment: [(name: String, value: String)] = [], memoryLimit: Int64? = nil,
        processorLimit: Double? = nil, labels: [(name: String, value: String)] = [],
        port: Exposure? = nil, registryConfig: [UInt8] = []
    ) {
        self.name = name
        self.environment = environment
        self.memoryLimit = memoryLimit
        self.processorLimit = processorLimit
        self.labels = labels
        self.port = port
        self.registryConfig = registryConfig
    }
}

/// A secret that code is given as a folder of files, to be read by its user alone. Nothing may print the bytes.
package struct LaunchMount: Sendable {
    package var secret: String
    /// Where the spec wants the folder: absolute.
    package var path: String
    package var files: [(name: String, bytes: [UInt8])]

    package init(secret: String, path: String, files: [(name: String, bytes: [UInt8])]) {
        self.secret = secret
        self.path = path
        self.files = files
    }

    /// `SPILE_SECRETS_` and the name in capitals, with `_` for what no variable's name may hold.
    package var variable: String {
        "SPILE_SECRETS_"
            + String(
                decoding: secret.uppercased().utf8.map { NameRules.isAlphanumeric($0) ? $0 : UInt8(ascii: "_") },
                as: UTF8.self)
    }
}

/// A line that users' code printed, without its line end.
package struct LaunchOutput: Sendable, Equatable {
    package enum Stream: String, Sendable {
        case standardOutput = "stdout"
        case standardError = "stderr"
    }
    package var stream: Stream
    package var line: String
    package init(stream: Stream, line: String) {
        self.stream = stream
        self.line = line
    }
}

/// A run, in its launcher's own words: opaque text that survives a restart of the server.
package struct LaunchHandle: Sendable, Hashable, CustomStringConvertible {
    package let text: String
    package init(_ text: String) { self.text = text }
    package var description: String { text }
}

/// How a run ended.
package enum LaunchExit: Sendable, Equatable {
    case exited(code: Int32)
    case signalled(number: Int32)
    /// It ended while no server watched it.
    case unknown
}
