import Core
import Synchronization

/// How far the jobs are that run now: what their rows do not say before they are over. Any thread may call anything.
package final class JobProgress: Sendable {
    /// A datum that is being worked on.
    package struct Active: Sendable {
        /// Names who works on it, as logs do.
        package var worker: String
        package var datum: Digest
        package var files: [InputFile]
        package var since: Instant
        /// Kills the run of its code, while there is one: the try counts as failed.
        package var interrupt: (@Sendable () -> Void)?
    }

    package struct Live: Sendable {
        package var counts = DatumCounts()
        package var stats = DatumStats()
        /// By the worker's number.
        package var active: [Int: Active] = [:]
        /// Commits to read the files of active datums from.
        package var epoch: Int64 = 0
    }

    private let jobs = Mutex<[JobKey: Live]>([:])

    package init() {}

    /// Nil for a job that does not run.
    package subscript(key: JobKey) -> Live? { jobs.withLock { $0[key] } }

    func begin(_ key: JobKey, epoch: Int64) { jobs.withLock { $0[key] = Live(epoch: epoch) } }
    func end(_ key: JobKey) { jobs.withLock { $0[key] = nil } }

    func change(_ key: JobKey, _ body: (inout Live) -> Void) {
        jobs.withLock { jobs in
            guard var live = jobs[key] else { return }
            body(&live)
            jobs[key] = live
        }
    }
}
