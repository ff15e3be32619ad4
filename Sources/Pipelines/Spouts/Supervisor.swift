import Core
import Logging
import Synchronization

/// Keeps what runs equal to what the catalog wants, for all spouts and services. Transforms have a
/// ``TransformScheduler``.
///
/// One loop owns every lifecycle: events come in by one stream, lifecycles answer with actions, and the I/O of an
/// action runs beside the loop and ends in another event. Nothing here depends on what an earlier server did: after a
/// crash the launcher ends what is left of it, and every launch begins anew.
package final class Supervisor: Sendable {
    package struct Options: Sendable {
        package var policy: RestartPolicy
        /// Seconds between SIGTERM and SIGKILL.
        package var grace: Double
        /// How many lines of output a reason quotes.
        package var quotedLines: Int
        package init(policy: RestartPolicy = RestartPolicy(), grace: Double = 10, quotedLines: Int = 5) {
            self.policy = policy
            self.grace = grace
            self.quotedLines = quotedLines
        }
    }

    /// The outside world: time, chance and hashing.
    package struct World: Sendable {
        package var clock: any Clock
        package var randomness: any Randomness
        package var sha256: @Sendable ([UInt8]) -> Digest
        /// Returns after so many seconds; throws when its task is cancelled.
        package var sleep: @Sendable (Double) async throws -> Void

        package init(
            clock: any Clock, randomness: any Randomness, sha256: @escaping @Sendable ([UInt8]) -> Digest,
            sleep: @escaping @Sendable (Double) async throws -> Void
        ) {
            self.clock = clock
            self.randomness = randomness
            self.sha256 = sha256
            self.sleep = sleep
        }
    }

    enum Event: Sendable {
        case changed
        case launched(LaunchHandle)
        case launchFailed(String)
        case ended(LaunchExit, output: [String])
        case woke(ticket: Int)
        case reported
        case forgotten
        case shutDown
    }

    let ledger: any SpoutLedger
    let launcher: any Launcher
    let ports: any ServicePorts
    let logs: LogStore
    let secrets: any SecretSource
    let inputs: any ServiceInputs
    let watch: SpoutWatch?
    let options: Options
    let world: World
    let logger: Logger
    private let events: AsyncStream<(PipelineKey?, Event)>
    private let inbox: AsyncStream<(PipelineKey?, Event)>.Continuation

    package init(
        ledger: any SpoutLedger, launcher: any Launcher, ports: any ServicePorts, logs: LogStore, options: Options,
        world: World, secrets: any SecretSource, inputs: any ServiceInputs, watch: SpoutWatch? = nil, logger: Logger
    ) {
        self.ledger = ledger
        self.launcher = launcher
        self.ports = ports
        self.logs = logs
        self.secrets = secrets
        self.inputs = inputs
        self.watch = watch
        self.options = options
        self.world = world
        self.logger = logger
        (events, inbox) = AsyncStream.makeStream()
    }

    /// Tells that the catalog's rows of a pipeline changed, or that it is gone. Any thread may call, at any time.
    package func changed(_ key: PipelineKey) { inbox.yield((key, .changed)) }

    /// Ends all code, side by side, each within the grace time; ``run(at:)`` returns when nothing runs. Any thread may
    /// call.
    package func shutDown() { inbox.yield((nil, .shutDown)) }

    /// Runs until ``shutDown()``. To be called once, when the server listens at `site`. Cancelling the task ends all
    /// code without grace.
    ///
    /// Nothing of an earlier server may run any more.
    package func run(at site: LaunchSite) async {
        do { try inputs.removeLeftovers() } catch {
            logger.warning("cannot remove what earlier launches read", metadata: ["error": "\(error)"])
        }
        do {
            for key in try ledger.pipelines() { changed(key) }
        } catch {
            logger.error("cannot read the pipelines", metadata: ["error": "\(error)"])
        }
        await withDiscardingTaskGroup { group in
            // Beside all else: whoever has to be asked for it may be away.
            group.addTask { [ledger, launcher] in
                await self.attempt("remove what spouts and services left") {
                    try await launcher.forgetAll { try ledger.pipeline($0).map { $0.kind == .transform } ?? true }
                }
            }
            var loop = SupervisorLoop(supervisor: self, site: site)
            for await (key, event) in events {
                loop.handle(event, of: key, in: &group)
                if loop.isDone { break }
            }
            for handle in loop.runs { await launcher.stop(handle, grace: 0) }
            group.cancelAll()
        }
    }

    func tell(_ key: PipelineKey, _ event: Event) { inbox.yield((key, event)) }
}

/// The state of the supervisor's loop: one lifecycle per pipeline, and the report each has under way.
struct SupervisorLoop {
    private let supervisor: Supervisor
    private let site: LaunchSite
    private var lifecycles: [PipelineKey: SpoutLifecycle] = [:]
    private var handles: [PipelineKey: LaunchHandle] = [:]
    /// Ends when a start is wanted no more.
    private var starts: [PipelineKey: AsyncStream<Never>.Continuation] = [:]
    /// Reports wait for the one under way, so that they are written in order; of those that wait the newest counts.
    private var reporting: Set<PipelineKey> = []
    private var waiting: [PipelineKey: StateReport] = [:]
    /// Those whose launcher still removes what stayed of them: one of the same name waits for that.
    private var forgetting: Set<PipelineKey> = []
    private var isShuttingDown = false
    /// Lifecycles so far: sets the tickets of a pipeline apart from those of an earlier one of its name.
    private var born = 0

    init(supervisor: Supervisor, site: LaunchSite) {
        self.supervisor = supervisor
        self.site = site
    }

    /// Whether the server goes down and nothing runs any more.
    var isDone: Bool {
        isShuttingDown && reporting.isEmpty && forgetting.isEmpty && lifecycles.values.allSatisfy(\.isQuiet)
    }
    var runs: [LaunchHandle] { Array(handles.values) }

    mutating func handle(_ event: Supervisor.Event, of key: PipelineKey?, in group: inout DiscardingTaskGroup) {
        guard let key else {
            isShuttingDown = true
            for key in lifecycles.keys.sorted() { perform(lifecycles[key]?.shutDown() ?? [], of: key, in: &group) }
            return
        }
        let now = supervisor.world.clock.now()
        let chance = supervisor.world.randomness.fraction()
        switch event {
        case .changed: lookUp(key, in: &group)
        case .launched(let handle):
            handles[key] = handle
            starts[key] = nil
            supervisor.watch?.launched(key)
            let actions = lifecycles[key]?.launched(handle, at: now)
            perform(actions ?? [], of: key, in: &group)
        case .launchFailed(let reason):
            starts[key] = nil
            if lifecycles[key]?.isAbandoned != true {
                supervisor.watch?.failed(key)
                supervisor.logs.note("could not start spout process: \(reason)", of: key)
            }
            let actions = lifecycles[key]?.launchFailed(reason, chance: chance)
            perform(actions ?? [], of: key, in: &group)
        case .ended(let exit, let output):
            handles[key] = nil
            if lifecycles[key]?.isRunning == true { supervisor.watch?.failed(key) }
            let actions = lifecycles[key]?.ended(exit, output: output, at: now, chance: chance)
            perform(actions ?? [], of: key, in: &group)
        case .woke(let ticket): perform(lifecycles[key]?.woke(ticket: ticket) ?? [], of: key, in: &group)
        case .reported:
            reporting.remove(key)
            if let next = waiting.removeValue(forKey: key) { report(next, of: key, in: &group) }
        case .forgotten:
            forgetting.remove(key)
            lookUp(key, in: &group)
        case .shutDown: break
        }
    }

    private mutating func lookUp(_ key: PipelineKey, in group: inout DiscardingTaskGroup) {
        if forgetting.contains(key) { return }
        let supervisor = supervisor
        do {
            let wish = try Self.wish(supervisor.ledger.pipeline(key), supervisor.ledger)
            if lifecycles[key] == nil {
                if wish == .nothing || wish == .elsewhere || isShuttingDown { return }
                born += 1
                lifecycles[key] = SpoutLifecycle(
                    policy: supervisor.options.policy, failures: try supervisor.ledger.failures(of: key),
                    firstTicket: born << 32)
            }
            perform(lifecycles[key]?.wanted(wish) ?? [], of: key, in: &group)
        } catch {
            supervisor.logger.error("cannot read a pipeline", metadata: ["pipeline": "\(key)", "error": "\(error)"])
            group.addTask {
                try? await supervisor.world.sleep(1)
                supervisor.changed(key)
            }
        }
    }

    /// What a pipeline's row wants of its code.
    private static func wish(
        _ pipeline: PipelineRecord?, _ ledger: any SpoutLedger
    ) throws -> SpoutLifecycle.Wish {
        guard let pipeline else { return .nothing }
        if pipeline.kind == .transform { return .elsewhere }
        if pipeline.stopped { return .rest(version: pipeline.version) }
        let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        if let fault = LaunchPlan.fault(spec) { return .fail(version: pipeline.version, reason: fault) }
        guard pipeline.kind == .service else { return .run(version: pipeline.version) }
        guard let job = try ledger.nextJob(of: pipeline) else { return .wait(version: pipeline.version) }
        return .run(version: pipeline.version, job: job)
    }

    private mutating func perform(
        _ actions: [SpoutLifecycle.Action], of key: PipelineKey, in group: inout DiscardingTaskGroup
    ) {
        let supervisor = supervisor
        for action in actions {
            switch action {
            case .launch(let version, let job, let failures):
                let (abandoned, start) = AsyncStream<Never>.makeStream()
                starts[key] = start
                let launch = SpoutRun(
                    supervisor: supervisor, site: site, key: key, version: version, job: job, failures: failures,
                    abandoned: abandoned)
                group.addTask { await launch.run() }
            case .abandon: starts[key]?.finish()
            case .stop(let handle):
                supervisor.logs.note(
                    "stopping spout process: SIGTERM, then SIGKILL after \(supervisor.options.grace) s", of: key)
                group.addTask { await supervisor.launcher.stop(handle, grace: supervisor.options.grace) }
            case .wake(let seconds, let ticket):
                group.addTask {
                    guard (try? await supervisor.world.sleep(seconds)) != nil else { return }
                    supervisor.tell(key, .woke(ticket: ticket))
                }
            case .report(let report):
                supervisor.logs.note("\(report.state): \(report.reason)", of: key)
                self.report(report, of: key, in: &group)
            case .revoke:
                supervisor.ports.close(key)
                let unknown = supervisor.world.sha256(SpoutRun.token(supervisor.world.randomness))
                group.addTask {
                    await supervisor.attempt("end a launch", of: key) {
                        try await supervisor.ledger.endLaunch(of: key, tokenHash: unknown)
                    }
                }
            case .forget(let keepsLogs):
                lifecycles[key] = nil
                supervisor.watch?.forget(key)
                supervisor.ports.close(key)
                if !keepsLogs { supervisor.logs.remove(key) }
                forget(key, in: &group)
            }
        }
    }

    private mutating func forget(_ key: PipelineKey, in group: inout DiscardingTaskGroup) {
        let supervisor = supervisor
        forgetting.insert(key)
        group.addTask {
            await supervisor.attempt("remove what a spout or a service left", of: key) {
                try await supervisor.launcher.forget(key)
            }
            supervisor.tell(key, .forgotten)
        }
    }

    private mutating func report(_ report: StateReport, of key: PipelineKey, in group: inout DiscardingTaskGroup) {
        guard reporting.insert(key).inserted else {
            waiting[key] = report
            return
        }
        let supervisor = supervisor
        group.addTask {
            await supervisor.attempt("write a pipeline's state", of: key) {
                try await supervisor.ledger.report(report, of: key)
            }
            supervisor.tell(key, .reported)
        }
    }
}

extension Supervisor {
    /// Runs `body`, up to twice more after a second where that may help; logs what remains.
    func attempt(_ what: String, of key: PipelineKey? = nil, _ body: @Sendable () async throws -> Void) async {
        for isLast in [false, false, true] {
            do { return try await body() } catch {
                if Task.isCancelled, error is CancellationError { return }
                let canRetry = !isLast && (error as? SpileError)?.isTransient ?? false
                let isAwake = canRetry ? (try? await world.sleep(1)) != nil : false
                if isAwake { continue }
                var metadata: Logger.Metadata = ["error": "\(error)"]
                if let key { metadata["pipeline"] = "\(key)" }
                logger.error("cannot \(what)", metadata: metadata)
                return
            }
        }
    }
}
