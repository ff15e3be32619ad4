import Core
import Pipelines
import Synchronization
import Versioning

/// What one server alone may do: run code, make ticks, move branches that follow a schedule. Made anew for each time
/// that this server leads; everything in it decides by what the catalog says.
struct RunningCode: Sendable {
    let launcher: any Launcher
    let supervisor: Supervisor
    let transforms: TransformScheduler
    let jobWatch: JobWatch
    let triggers: TriggerTimer
    let ticker: CronTicker
    private let history: History

    init(
        history: History, launcher: any Launcher, supervisor: Supervisor, transforms: TransformScheduler,
        jobWatch: JobWatch, triggers: TriggerTimer, ticker: CronTicker
    ) {
        self.history = history
        self.launcher = launcher
        self.supervisor = supervisor
        self.transforms = transforms
        self.jobWatch = jobWatch
        self.triggers = triggers
        self.ticker = ticker
    }

    /// Tells that the catalog's rows of a pipeline changed, or that it is gone.
    func changed(_ key: PipelineKey) {
        supervisor.changed(key)
        transforms.changed(key)
        ticker.changed(key)
    }

    func shutDown() {
        supervisor.shutDown()
        transforms.shutDown()
    }

    /// Runs until ``shutDown()``. What an earlier server left on this machine is given `grace` seconds to end.
    func run(at site: LaunchSite, grace: Double, executor: IOExecutor) async {
        await withDiscardingTaskGroup { group in
            await launcher.endLeftovers(grace: grace)
            group.addTask { await triggers.run() }
            group.addTask(executorPreference: executor) { await ticker.run() }
            group.addTask(executorPreference: executor) { await jobWatch.run() }
            // What code reads is laid out on disk.
            group.addTask(executorPreference: executor) { await transforms.run(at: site) }
            if history.peers != nil { group.addTask(executorPreference: executor) { await followPeers() } }
            await withTaskExecutorPreference(executor) { await supervisor.run(at: site) }
            group.cancelAll()
        }
    }

    /// Other servers change pipelines, too.
    private func followPeers() async {
        var known: Set<PipelineKey> = []
        while !Task.isCancelled {
            let generation = history.events.generation(repo: EventHub.pipelines)
            if let now = try? history.read({ try $0.pipelines(in: nil).map(\.key) }) {
                for key in known.union(now).sorted() { changed(key) }
                known = Set(now)
            }
            do { try await history.events.wait(repo: EventHub.pipelines, after: generation) } catch { return }
        }
    }
}

/// The code that this server runs while it leads. Any thread may call.
final class Leading: Sendable {
    private let current = Mutex<RunningCode?>(nil)

    var code: RunningCode? { current.withLock { $0 } }

    /// Tells whoever runs the code, if that is this server.
    func changed(_ key: PipelineKey) { code?.changed(key) }

    func begin(_ code: RunningCode) { current.withLock { $0 = code } }
    func end() { current.withLock { $0 = nil } }
}

/// That of a server that has its catalog for itself.
struct SoleLeadership: Leadership {
    func acquire() async throws { try Task.checkCancellation() }

    func lost() async throws {
        while true { try await Task.sleep(for: .seconds(86_400)) }
    }
}
