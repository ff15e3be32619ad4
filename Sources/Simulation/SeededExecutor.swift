import Synchronization

/// Runs tasks one job at a time on the thread of its owner, and lets chance decide which is next: what would happen
/// side by side happens in one order, which the seed makes again. Everything that the tasks wait for must come from
/// them or from the owner; whoever else resumes them breaks the repetition.
package final class SeededExecutor: TaskExecutor {
    private let random: SeededRandomness
    private let jobs = Mutex<[UnownedJob]>([])

    package init(seed: UInt64) { random = SeededRandomness(seed: seed) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    /// Runs one job; false if none is ready.
    @discardableResult
    package func step() -> Bool {
        let next = jobs.withLock { jobs -> UnownedJob? in
            jobs.isEmpty ? nil : jobs.remove(at: random.below(jobs.count))
        }
        guard let next else { return false }
        next.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }
}
