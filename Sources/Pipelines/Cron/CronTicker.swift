import Core
import Logging
import Synchronization
import Versioning

/// Makes the ticks of all cron inputs when they are due (`pps.md` §13). One per server.
///
/// What is due follows from the catalog and from the tick repos alone, so nothing is lost with the server: ticks that
/// it missed are made one by one by the next one, and one whose transaction is durable is not made again.
package final class CronTicker: Sendable {
    package typealias Sleep = @Sendable (_ seconds: Double) async throws -> Void

    let history: History
    let logger: Logger
    /// Ticks that one input may make in a row before the others have their turn.
    let ticksPerTurn: Int
    private let sleep: Sleep
    /// Pipelines that changed since the last turn; guarded by the mutex.
    private let inbox = Mutex<Set<PipelineKey>>([])
    /// Wakes the loop for the inbox, on channel 0.
    private let bell = EventHub()
    /// The longest nap, in seconds: a clock that is set does not make a tick late by more.
    static let longestNap = 60.0

    /// `sleep` returns after so many seconds, or throws when its task is cancelled.
    package init(history: History, sleep: @escaping Sleep, logger: Logger, ticksPerTurn: Int = 16) {
        self.history = history
        self.sleep = sleep
        self.logger = logger
        self.ticksPerTurn = ticksPerTurn
    }

    /// Tells that the catalog's rows of a pipeline changed, or that it is gone. Any thread may call, at any time.
    package func changed(_ key: PipelineKey) {
        inbox.withLock { _ = $0.insert(key) }
        bell.publish(repos: [0])
    }

    /// Runs until the task is cancelled or the history is closed. To be called once, where it may block on disk.
    package func run() async {
        guard var schedule = await load() else { return }
        while !Task.isCancelled {
            let rings = bell.generation(repo: 0)
            let keys = inbox.withLock { inbox in
                defer { inbox = [] }
                return inbox
            }
            let pause = await turn(&schedule, changed: keys)
            if pause == 0 { continue }
            do { try await nap(pause, schedule, rings) } catch { return }
        }
    }

    /// The schedules of all pipelines; nil if the task is cancelled.
    private func load() async -> CronRows? {
        while true {
            do {
                var rows = CronRows()
                for pipeline in try history.read({ try $0.pipelines(in: nil) }) { put(pipeline, &rows) }
                return rows
            } catch {
                logger.error("cannot read the schedules of pipelines", metadata: ["error": "\(error)"])
                guard (try? await sleep(1)) != nil else { return nil }
            }
        }
    }

    /// A spec that cannot be read will not get better: that pipeline does not tick, the others do.
    private func put(_ pipeline: PipelineRecord, _ rows: inout CronRows) {
        do { try rows.put(pipeline) } catch {
            logger.error(
                "a pipeline's cron inputs cannot be read",
                metadata: ["pipeline": "\(pipeline.key)", "error": "\(error)"])
        }
    }

    /// Takes up what changed, makes what is due, within bounds, and returns for how many seconds nothing will be due:
    /// 0 if something still is, nil if nothing ever will be.
    func turn(_ rows: inout CronRows, changed: Set<PipelineKey>) async -> Double? {
        var pause: Double?
        for key in changed {
            do {
                let pipeline = try history.read { try $0.pipeline(key) }
                rows.remove(key)
                if let pipeline { put(pipeline, &rows) }
            } catch {
                logger.error("cannot read a pipeline", metadata: ["pipeline": "\(key)", "error": "\(error)"])
                // Its rows stand for what it was, which each tick checks.
                inbox.withLock { _ = $0.insert(key) }
                pause = 1
            }
        }
        let now = history.clock.now()
        for index in rows.all.indices {
            if rows.all[index].needsLook(at: now, history.events) { await advance(&rows.all[index], now) }
            guard let wake = rows.all[index].wake else { continue }
            pause = min(pause ?? Self.longestNap, max(0, wake.seconds(since: now)))
        }
        return pause
    }

    private func advance(_ row: inout CronRow, _ now: Instant) async {
        do {
            try await makeTicks(&row, now)
            row.failures = 0
        } catch is CancellationError {
            return
        } catch {
            row.failed(at: now)
            logger.warning(
                "a cron input could not tick",
                metadata: [
                    "pipeline": "\(row.source.pipeline)", "repo": "\(row.source.branch.repo)", "error": "\(error)",
                ])
        }
    }

    private func makeTicks(_ row: inout CronRow, _ now: Instant) async throws {
        let source = row.source
        for _ in 0..<ticksPerTurn {
            try Task.checkCancellation()
            try row.listen(history)
            let position = try await CronPosition(of: source.branch, in: history)
            row.wake = source.due(after: position)
            guard let due = row.wake, due <= now else { return }
            let tick = try MarkWrite(tickAt: due, of: source.leaf, in: history)
            let outcome = try await history.transact(as: writer(of: source.pipeline)) {
                try source.tick(tick, over: position, in: $0)
            }
            if outcome == .off {
                // Whoever changes the pipeline tells so.
                row.wake = nil
                return
            }
        }
    }

    /// Ticks are written with the rights of the pipeline (`pps.md` §13), as far as there are any.
    private func writer(of pipeline: PipelineKey) -> Principal {
        history.isAuthOn ? .subject(Subject(pipeline)) : .server
    }

    /// Waits for the time to pass, for a pipeline to change, or for a write to a tick repo.
    private func nap(_ seconds: Double?, _ rows: CronRows, _ rings: UInt64) async throws {
        let events = history.events
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let seconds { group.addTask { try await self.sleep(seconds) } }
            group.addTask { try await self.bell.wait(repo: 0, after: rings) }
            for (repo, generation) in rows.repos {
                group.addTask { try await events.wait(repo: repo, after: generation) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
