import Core
import Logging
import Synchronization
import Versioning

/// What running transforms takes of the world around.
package struct TransformContext: Sendable {
    let history: History
    let launcher: any Launcher
    /// Keeps code's programs up between datums; nil where each run is a launch of its own.
    let workers: (any WorkerHost)?
    /// Where batching code asks for its datums; nil where none can be run.
    let ports: (any DatumPorts)?
    /// Where output goes that leaves this server; nil where none can.
    let egress: (any EgressTarget)?
    let logs: LogStore
    let secrets: any SecretSource
    /// Holds a folder for each datum under way and for each worker.
    let root: String
    let world: Supervisor.World
    let progress: JobProgress
    let policy: RestartPolicy
    /// Tells whoever else goes by a pipeline's state that it is another one.
    let reported: @Sendable (PipelineKey) -> Void
    let logger: Logger
    /// Of the pipeline's pull secrets.
    var registryConfig: [UInt8] = []
    private let runs: RunNumbers

    package init(
        history: History, launcher: any Launcher, logs: LogStore, secrets: any SecretSource, root: String,
        world: Supervisor.World, progress: JobProgress, policy: RestartPolicy = RestartPolicy(),
        workers: (any WorkerHost)? = nil, ports: (any DatumPorts)? = nil, egress: (any EgressTarget)? = nil,
        reported: @escaping @Sendable (PipelineKey) -> Void = { _ in }, logger: Logger
    ) {
        self.reported = reported
        self.history = history
        self.launcher = launcher
        self.workers = workers
        self.ports = ports
        self.egress = egress
        self.logs = logs
        self.secrets = secrets
        self.root = root
        self.world = world
        self.progress = progress
        self.policy = policy
        self.logger = logger
        runs = RunNumbers()
    }

    /// A name that no other run of this server has.
    func freshRun() -> String { "\(runs.next())" }

    /// A folder that does not exist yet.
    func freshFolder() -> String { "\(root)/datum-\(runs.next())" }

    /// The same for a worker.
    func freshStage() -> String { "\(root)/worker-\(runs.next())" }

    /// Removes what an earlier server left. To be called when nothing of that runs any more. Blocks.
    func removeLeftovers() throws {
        try FolderRemoval.remove(root)
        guard LocalFile.makeFolder(root, mode: 0o700) else { throw LocalFile.fault("make folder", root) }
    }
}

private final class RunNumbers: Sendable {
    private let last = Atomic<Int>(0)
    func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
