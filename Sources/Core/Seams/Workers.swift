/// Keeps programs up that run users' code on demand, so that a datum finds one ready: a worker is one launch, in which
/// one run follows the other.
///
/// A pipeline's pool of workers is the only caller.
package protocol WorkerHost: Sendable {
    /// Where workers for orders like this one are; nil where none can be kept and each run is a launch of its own.
    func place(of order: LaunchOrder) -> WorkerPlace?

    /// Starts a worker where `order` would run its command: as its user, in its image, with its environment and files.
    /// Neither its command nor its input is used. For a near one `order.pfsFolder` has to be there, with a folder
    /// ``WorkerScratch/name`` in it, and stands at `/pfs` for every run; a far one is a ``FarWorker``.
    ///
    /// Returns when the worker is ready. Throws what a launcher's start throws, and `unavailable` where the worker
    /// ended before it was ready: a later try may do.
    func start(_ order: LaunchOrder) async throws -> any Worker
}

/// Where the files lie that code of a worker finds at `/pfs`.
package enum WorkerPlace: Sendable {
    /// In a folder of this machine.
    case near
    /// Wherever the worker is.
    case far
}

/// A launch that runs code on demand. When it ends, whatever it ran is ended too.
package protocol Worker: AnyObject, Sendable {
    /// Runs code to its end, which is reached when nothing of what it started is left either. One run at a time: a
    /// second one is a bug. Cancelling the task kills the run, whose end is still waited for.
    func run(_ run: WorkerRun) async -> WorkerRunEnd

    /// Ends the worker, and with it what it runs. Returns when nothing is left. May be called again.
    func stop() async

    /// Waits until the worker has ended, for whatever reason, and tells how.
    func end() async -> LaunchExit

    var isAlive: Bool { get }
}

/// Code for a worker to run.
package struct WorkerRun: Sendable {
    /// Program and arguments; never a shell line.
    package var command: [String]
    /// Bytes for its standard input; empty means an empty input.
    package var standardInput: [UInt8]
    /// Laid over the environment of the worker's own launch.
    package var variables: [(name: String, value: String)]
    /// Where it starts, found anew for each run; empty for where the worker was started.
    package var workingDirectory: String
    /// Gets every line that the code prints. Called in order for each stream, from the worker's own context.
    package var output: @Sendable (LaunchOutput) -> Void

    package init(
        command: [String], standardInput: [UInt8] = [], variables: [(name: String, value: String)] = [],
        workingDirectory: String = "", output: @escaping @Sendable (LaunchOutput) -> Void
    ) {
        self.command = command
        self.standardInput = standardInput
        self.variables = variables
        self.workingDirectory = workingDirectory
        self.output = output
    }
}

/// How a run of a worker ended.
package enum WorkerRunEnd: Sendable {
    case ended(LaunchExit)
    /// It could not be started: the code or its spec has to change.
    case refused(SpileError)
    /// The worker is gone, and the run with it: another worker may do.
    case lost(LaunchExit)
}

/// What of a worker's `/pfs` is its own and stays from run to run (`pps.md` §6.4).
package enum WorkerScratch {
    /// Its name in `/pfs`.
    package static let name = ".scratch"
    /// Its path as code sees it.
    package static let path = "/pfs/" + name
    /// The socket in there at which the worker is met.
    package static let socket = "worker"
}
