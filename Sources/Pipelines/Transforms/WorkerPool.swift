import Core
import Logging
import Synchronization
import Versioning

/// The workers of one version of a transform: each a launch that stays up, so that a datum finds one ready.
///
/// Some are started with the pipeline, more as jobs have datums for them, and never more than the pipeline's
/// parallelism. One that has ended is replaced. Started and closed by the pipeline's runner, used by its jobs.
actor WorkerPool {
    /// A worker and where its `/pfs` is. Whoever acquired it has it alone.
    final class Seat: Sendable {
        enum Place: Sendable {
            case near(PfsStage)
            case far(any FarWorker)
        }

        let worker: any Worker
        let place: Place
        /// The launch whose files are in the stage, and where. Guarded by its mutex.
        private let kept = Mutex<(epoch: Int64, paths: [String])?>(nil)

        init(worker: any Worker, place: Place) {
            self.worker = worker
            self.place = place
        }

        /// Lays out the files of a job's launch where they are not there yet; returns where code finds them.
        func keep(
            _ files: [(path: String, bytes: [UInt8], mode: UInt32)], of epoch: Int64
        ) async throws -> [String] {
            if let kept = kept.withLock({ $0 }), kept.epoch == epoch { return kept.paths }
            let files = files.map { WorkerFile(path: $0.path, bytes: $0.bytes, mode: $0.mode) }
            let paths =
                switch place {
                case .near(let stage): try stage.keep(files)
                case .far(let worker): try await worker.keep(files)
                }
            kept.withLock { $0 = (epoch, paths) }
            return paths
        }
    }

    private let context: TransformContext
    private let plan: LaunchPlan
    private let order: LaunchOrder
    /// Where its workers' files are.
    nonisolated let place: WorkerPlace
    /// The most that there may be.
    private let limit: Int
    /// How many are started before there is work.
    private let readyCount: Int
    private var idle: [Seat] = []
    /// Those that live or are being started.
    private var count = 0
    /// Those who wait for a worker, in order.
    private var takers: [CheckedContinuation<Void, Never>] = []
    private var watchers: [ObjectIdentifier: Task<Void, Never>] = [:]
    /// Why a worker ended that nobody used.
    private var fault: SpileError?
    private var isClosed = false

    /// More than these are not worth having ready: the machine could not run them at once.
    private static let mostReady = 4

    /// Nil where the pipeline's launcher keeps no workers. Throws where the pipeline's secrets cannot be had.
    init?(of pipeline: PipelineRecord, at site: LaunchSite, _ context: TransformContext) throws {
        guard let host = context.workers else { return nil }
        var plan = try LaunchPlan(pipeline: pipeline, epoch: 0, token: "", site: site)
        plan.secrets = try context.secrets.open(plan.spec.transform?.secrets ?? [])
        let (logs, key) = (context.logs, pipeline.key)
        let name = LaunchPlan.worker(pipeline, epoch: 0)
        var order = plan.order { logs.append($0, worker: name, of: key) }
        order.image?.registryConfig = try context.secrets.registryConfig(plan.spec.imagePullSecrets)
        // What they hold goes with the job: they are laid out for each.
        order.files = []
        order.fileVariables = []
        // What is there when a datum is laid out only is found by each run.
        if Self.isBelowPfs(order.workingDirectory) { order.workingDirectory = "" }
        guard let place = host.place(of: order) else { return nil }
        self.place = place
        self.context = context
        self.plan = plan
        self.order = order
        limit = pipeline.workerCount
        readyCount = min(limit, Self.mostReady)
    }

    /// Why code that asks for its datums by itself can never run for a pipeline; nil where it can, and for other code.
    static func batchingFault(
        of pipeline: PipelineRecord, _ spec: PipelineSpec, at site: LaunchSite, _ context: TransformContext
    ) throws -> String? {
        if !spec.isBatching { return nil }
        let order = try LaunchPlan(pipeline: pipeline, epoch: 0, token: "", site: site).order { _ in }
        guard context.ports != nil, let place = context.workers?.place(of: order) else {
            return "transform.datum_batching needs workers that stay up, for which containers have to be given a "
                + "static spile (spile server --tool-binary) and pods an image that holds it (--kubernetes-image)"
        }
        if place == .far || context.launcher.reachesLoopback(from: order) { return nil }
        return "transform.datum_batching: code asks the server at 127.0.0.1, which containers reach in the host's "
            + "network alone (spile server --container-network host)"
    }

    /// Whether these are the workers of what is in force.
    nonisolated func serves(_ pipeline: PipelineRecord) -> Bool {
        plan.pipeline.version == pipeline.version && plan.pipeline.specCommit == pipeline.specCommit
    }

    private static func isBelowPfs(_ path: String) -> Bool { path == "/pfs" || path.hasPrefix("/pfs/") }

    /// Sees to it that some workers are ready. Throws why one could not be started, or ended without being used: what
    /// the pipeline is CRASHING for (`pps.md` §7).
    func prepare() async throws {
        if let fault {
            self.fault = nil
            throw fault
        }
        let missing = readyCount - count
        if missing <= 0 || isClosed { return }
        var problem: (any Error)?
        await withTaskGroup(of: Result<Seat, any Error>.self) { group in
            for _ in 0..<missing {
                group.addTask {
                    do { return .success(try await self.start()) } catch { return .failure(error) }
                }
            }
            // One that could not be started takes none of the others away.
            for await result in group {
                switch result {
                case .success(let seat): await release(seat, isGood: true)
                case .failure(let error): problem = problem ?? error
                }
            }
        }
        if let problem { throw problem }
    }

    /// A worker that is ready; started if there is none, waited for if there may not be another. Throws as
    /// ``prepare()``.
    func acquire() async throws -> Seat {
        while true {
            while let seat = idle.popLast() {
                if seat.worker.isAlive { return seat }
                await discard(seat)
            }
            if Task.isCancelled {
                // What it was woken for may be another one's.
                wake()
                throw CancellationError()
            }
            if count < limit || isClosed { return try await start() }
            await withCheckedContinuation { takers.append($0) }
        }
    }

    /// Gives a worker back; one that is not good any more is ended.
    func release(_ seat: Seat, isGood: Bool) async {
        guard isGood, seat.worker.isAlive, !isClosed else { return await discard(seat) }
        idle.append(seat)
        wake()
    }

    /// Ends a worker that nobody uses any more, and removes its folder.
    private func discard(_ seat: Seat) async {
        await seat.worker.stop()
        guard case .near(let stage) = seat.place else { return }
        do { try stage.remove() } catch {
            context.logger.warning(
                "cannot remove the folder of a worker",
                metadata: ["pipeline": "\(plan.pipeline.key)", "error": "\(error)"])
        }
    }

    /// Lets the next one look who waits for a worker.
    private func wake() { if !takers.isEmpty { takers.removeFirst().resume() } }

    /// Ends all workers, and returns when nothing is left of those that are not in use; the others end when they are
    /// given back.
    func close() async {
        isClosed = true
        let seats = idle
        idle = []
        while !takers.isEmpty { wake() }
        await withDiscardingTaskGroup { group in
            for seat in seats { group.addTask { await self.discard(seat) } }
        }
        for watcher in watchers.values where count > 0 { await watcher.value }
    }

    private func start() async throws -> Seat {
        if isClosed { throw SpileError(.aborted, "pipeline \"\(plan.pipeline.key)\" changed") }
        count += 1
        do {
            guard let host = context.workers else { throw SpileError.bug("a pool has no host") }
            var order = order
            order.run = context.freshRun()
            let seat = place == .far ? try await startFar(order, host) : try await startNear(order, host)
            watch(seat)
            return seat
        } catch {
            count -= 1
            wake()
            throw error
        }
    }

    private func startNear(_ order: LaunchOrder, _ host: any WorkerHost) async throws -> Seat {
        var order = order
        let stage = try PfsStage.make(at: context.freshStage(), owner: context.launcher.pfsOwner(of: order))
        order.pfsFolder = stage.path
        do {
            return Seat(worker: try await host.start(order), place: .near(stage))
        } catch {
            try? stage.remove()
            throw error
        }
    }

    private func startFar(_ order: LaunchOrder, _ host: any WorkerHost) async throws -> Seat {
        let worker = try await host.start(order)
        guard let far = worker as? any FarWorker else { throw SpileError.bug("a far worker has no files of its own") }
        return Seat(worker: worker, place: .far(far))
    }

    private func watch(_ seat: Seat) {
        watchers[ObjectIdentifier(seat)] = Task {
            let exit = await seat.worker.end()
            await self.ended(seat, exit)
        }
    }

    /// A worker is gone. Where somebody has it, its folder may be in use still, and goes when it is given back.
    private func ended(_ seat: Seat, _ exit: LaunchExit) async {
        count -= 1
        wake()
        watchers[ObjectIdentifier(seat)] = nil
        guard let index = idle.firstIndex(where: { $0 === seat }), !isClosed else { return }
        idle.remove(at: index)
        fault = SpileError(.unavailable, "a worker ended that nothing ran in: \(exit.text)")
        // The runner sees to another one.
        context.history.events.publish(repos: [EventHub.jobs])
        await discard(seat)
    }
}

/// A worker that is held from one try of a datum to the next. Owned by one task.
final class SeatHold {
    private let pool: WorkerPool
    private var seat: WorkerPool.Seat?

    init(_ pool: WorkerPool) { self.pool = pool }

    /// The one that is held, or another if it is gone or there is none. Throws as ``WorkerPool/acquire()``.
    func take() async throws -> WorkerPool.Seat {
        if let seat, seat.worker.isAlive { return seat }
        await giveBack(isGood: false)
        let fresh = try await pool.acquire()
        seat = fresh
        // Who waited may not be wanted any more.
        try Task.checkCancellation()
        return fresh
    }

    /// Holds nothing any more. May be called again.
    func giveBack(isGood: Bool) async {
        guard let seat else { return }
        self.seat = nil
        await pool.release(seat, isGood: isGood)
    }
}

extension PipelineRecord {
    /// How many datums are worked on at a time.
    var workerCount: Int { Int(max(1, min(parallelism, 10_000))) }
}

extension LaunchExit {
    /// As people say it.
    var text: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let number): "was ended by signal \(number)"
        case .unknown: "ended unseen"
        }
    }
}
