import Core
import Synchronization
import Versioning

/// One launch of a spout's code, from its transaction to its exit; tells the supervisor what happens.
struct SpoutRun: Sendable {
    let supervisor: Supervisor
    let site: LaunchSite
    let key: PipelineKey
    let version: Int64
    /// What a service serves.
    let job: CommitID?
    let failures: Int64
    /// Ends when the run is wanted no more before it has begun.
    let abandoned: AsyncStream<Never>

    /// A fresh token: the prefix that tells launches' tokens from logins, then 32 hex digits.
    static func token(_ randomness: any Randomness) -> [UInt8] {
        let words = [randomness.next(), randomness.next()]
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
        return Array((Principal.launchTokenPrefix + Hex.encode(bytes)).utf8)
    }

    func run() async {
        let tail = OutputTail(limit: supervisor.options.quotedLines)
        let handle: LaunchHandle
        let folder: PfsFolder?
        do {
            (handle, folder) = try await startUnlessAbandoned(tail)
        } catch {
            supervisor.tell(key, .launchFailed("\(error)"))
            return
        }
        supervisor.tell(key, .launched(handle))
        let exit: LaunchExit
        do { exit = try await supervisor.launcher.wait(handle) } catch { exit = .unknown }
        await remove(folder)
        supervisor.tell(key, .ended(exit, output: tail.lines))
    }

    /// A start takes as long as fetching an image, or until a machine has room: it need not be waited out.
    private func startUnlessAbandoned(_ tail: OutputTail) async throws -> (LaunchHandle, PfsFolder?) {
        try await withThrowingTaskGroup(of: (LaunchHandle, PfsFolder?)?.self) { group in
            group.addTask { try await start(tail) }
            group.addTask {
                for await _ in abandoned {}
                return nil
            }
            defer { group.cancelAll() }
            if let started = try await group.next() ?? nil { return started }
            group.cancelAll()
            // It may have gone too far to be given up: what has begun is told of.
            guard let started = try await group.next() ?? nil else { throw CancellationError() }
            return started
        }
    }

    private func remove(_ folder: PfsFolder?) async {
        do { try await folder?.remove() } catch {
            supervisor.logger.warning(
                "cannot remove what a launch has read", metadata: ["pipeline": "\(key)", "error": "\(error)"])
        }
    }

    private func start(_ tail: OutputTail) async throws -> (LaunchHandle, PfsFolder?) {
        let token = Self.token(supervisor.world.randomness)
        let (pipeline, epoch) = try await supervisor.ledger.beginLaunch(
            of: key, version: version, job: job, tokenHash: supervisor.world.sha256(token), failures: failures)
        supervisor.watch?.began(key, epoch: epoch)
        var plan = try LaunchPlan(
            pipeline: pipeline, epoch: epoch, token: String(decoding: token, as: UTF8.self), site: site,
            position: try supervisor.ledger.position(of: pipeline))
        let input = try await self.input(of: pipeline)
        plan.inputVariables = input?.variables ?? [:]
        plan.secrets = try supervisor.secrets.open(plan.spec.transform?.secrets ?? [])
        let worker = LaunchPlan.worker(pipeline, epoch: epoch)
        let (logs, key, job) = (supervisor.logs, key, job)
        let (datum, data) = (input?.datum, input?.data ?? [])
        var order = plan.order { output in
            tail.append(output.line)
            logs.append(output, worker: worker, of: key, job: job, datum: datum, data: data)
        }
        order.image?.registryConfig = try supervisor.secrets.registryConfig(plan.spec.imagePullSecrets)
        noteUnmounted(order, worker: worker)
        try await open(plan.exposure, order)
        let folder = try await input?.lay(
            environment: order.environment, owner: supervisor.launcher.pfsOwner(of: order)
        ).released
        order.pfsFolder = folder?.path
        let handle: LaunchHandle
        do {
            if folder != nil { try checkStillWanted() }
            handle = try await supervisor.launcher.start(order)
        } catch {
            await remove(folder)
            throw error
        }
        logs.note("started spout process of version \(version), launch \(epoch)", worker: worker, of: key)
        await supervisor.attempt("record a launch", of: key) {
            try await supervisor.ledger.launched(key, epoch: epoch, handle: handle)
        }
        return (handle, folder)
    }

    /// Laying files out takes its time: what was stopped or overtaken meanwhile is not started.
    private func checkStillWanted() throws {
        let pipeline = try supervisor.ledger.pipeline(key)
        guard let pipeline, pipeline.version == version, !pipeline.stopped,
            try supervisor.ledger.nextJob(of: pipeline) != nil
        else { throw SpileError(.aborted, "pipeline \"\(key)\" changed while its input was laid out") }
    }

    private func open(_ exposure: Exposure?, _ order: LaunchOrder) async throws {
        // Before the code runs: where the port cannot be had, it need not start.
        if let exposure, !supervisor.launcher.publishesPort(of: order) {
            try await supervisor.ports.open(exposure)
        } else {
            supervisor.ports.close(key)
        }
    }

    /// What the job reads, if there is one. A job whose input does not do is over: another commit may do.
    private func input(of pipeline: PipelineRecord) async throws -> ServiceInput? {
        guard let job else { return nil }
        do {
            return try await supervisor.inputs.find(job, of: pipeline)
        } catch let error as SpileError where [.failedPrecondition, .permissionDenied].contains(error.code) {
            try await supervisor.ledger.failJob(JobKey(pipeline: key, id: job), reason: "\(error)")
            throw error
        }
    }

    /// Code that looks for a secret at its path would not find it: the logs say where it is instead.
    private func noteUnmounted(_ order: LaunchOrder, worker: String) {
        if supervisor.launcher.mountsSecrets(of: order) { return }
        for mount in order.secretFiles {
            supervisor.logs.note(
                "secret \(mount.secret): its files are in $\(mount.variable), not at \(mount.path): code that "
                    + "runs as a process of this machine gets nothing mounted", worker: worker, of: key)
        }
    }
}
