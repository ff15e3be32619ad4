import Core
import Logging

/// Moves branches whose trigger has a schedule when they are due. One per server; ``run()`` returns when its task is
/// cancelled or the history is closed.
///
/// What is due follows from the catalog alone, so a firing that a stopped server missed is made up for once at its next
/// start.
package struct TriggerTimer: Sendable {
    package typealias Sleep = @Sendable (_ seconds: Double) async throws -> Void

    let history: History
    let sleep: Sleep
    let logger: Logger
    /// The longest nap, in seconds: a clock that is set does not make a firing late by more.
    static let longestNap = 60.0

    package init(history: History, sleep: @escaping Sleep, logger: Logger) {
        self.history = history
        self.sleep = sleep
        self.logger = logger
    }

    package func run() async {
        while !Task.isCancelled {
            let generation = history.events.generation(repo: EventHub.triggers)
            var pause = Self.longestNap
            do {
                if let next = try await fireDue() {
                    pause = min(pause, max(0, next.seconds(since: history.clock.now())))
                }
            } catch {
                logger.error("branches with a schedule were not moved", metadata: ["error": "\(error)"])
            }
            do { try await nap(pause, unless: generation) } catch { return }
        }
    }

    /// Moves what is due now and returns when the next branch will be.
    package func fireDue() async throws -> Instant? {
        let now = history.clock.now()
        let due = try history.read { catalog in
            try catalog.triggeredBranches(repo: nil).compactMap { branch in
                try catalog.nextFiring(of: branch).map { (branch.id, $0) }
            }
        }
        for (branch, at) in due where at <= now {
            do {
                try await history.transact(as: .server) { try $0.fireSchedule(of: branch, due: now) }
            } catch {
                // One that cannot move must not keep the others from moving.
                logger.error("a branch with a schedule was not moved", metadata: ["error": "\(error)"])
            }
        }
        return try history.read { catalog in
            try catalog.triggeredBranches(repo: nil).compactMap { try catalog.nextFiring(of: $0) }
                .filter { $0 > now }.min()
        }
    }

    /// Waits for the time to pass or for a trigger to change.
    private func nap(_ seconds: Double, unless generation: UInt64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sleep(seconds) }
            group.addTask { try await history.events.wait(repo: EventHub.triggers, after: generation) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
