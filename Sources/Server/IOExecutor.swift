import Foundation
import Synchronization

/// A pool of threads on which calls run, so that disk I/O blocks none of the cooperative pool's.
///
/// Used as a task executor: handlers, and what they await, start here. `@unchecked Sendable`: `jobs` and `isStopping`
/// are touched only while `condition` is held.
final class IOExecutor: TaskExecutor, @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var first = 0
    private var idle = 0
    private var isStopping = false

    init(threads: Int) {
        for index in 0..<threads {
            let thread = Thread { [self] in run() }
            thread.name = "io-\(index)"
            thread.stackSize = 2 << 20
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.append(job)
        if idle > 0 { condition.signal() }
        condition.unlock()
    }

    /// Ends the threads once no job waits.
    func stop() {
        condition.lock()
        isStopping = true
        condition.broadcast()
        condition.unlock()
    }

    private func run() {
        while let job = take() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func take() -> UnownedJob? {
        condition.lock()
        defer { condition.unlock() }
        while first == jobs.count {
            if isStopping { return nil }
            idle += 1
            condition.wait()
            idle -= 1
        }
        defer {
            first += 1
            if first == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                first = 0
            } else if first >= 1024 && first * 2 >= jobs.count {
                jobs.removeFirst(first)
                first = 0
            }
        }
        return jobs[first]
    }
}
