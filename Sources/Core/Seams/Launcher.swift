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

    /// Whether secrets stand at the paths that a spec names; if not, code finds them by ``LaunchMount/variable`` alone.
    var mountsSecrets: Bool { get }
}

extension Launcher {
    package var mountsSecrets: Bool { true }
}

/// Everything a launcher needs to know of a run.
package struct LaunchOrder: Sendable {
    package var pipeline: PipelineKey
    package var epoch: Int64
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
    /// Secrets to lay out as files, one per key. A launcher that can mount puts them at ``LaunchMount/path``; any
    /// other keeps them in the launch's private folder and names that in ``LaunchMount/variable``.
    package var secretFiles: [LaunchMount] = []
    /// Variables that hold the place of one of ``files`` as the program sees it: the launcher alone knows where.
    package var fileVariables: [(name: String, path: String)]

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
    package enum Stream: String, Sendable { case standardOutput = "stdout", standardError = "stderr" }
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
