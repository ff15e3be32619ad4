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
        /// Of each input of the tree, from the left, what is read of it.
        package var commits: [CommitID?]
        package var since: Instant
        /// Kills the run of its code, while there is one: the try counts as failed. Returns when it is over.
        package var end: (@Sendable () async -> Void)?
    }

    package struct Live: Sendable {
        package var counts = DatumCounts()
        package var stats = DatumStats()
        /// By the worker's number.
        package var active: [Int: Active] = [:]
        /// Datums that were found and have to be worked on.
        package var found: Int64 = 0

        /// How many of these nobody has taken up.
        package var waiting: Int64 {
            max(0, found - counts.processed - counts.recovered - counts.failed - Int64(active.count))
        }
    }

    private let jobs = Mutex<[JobKey: Live]>([:])

    package init() {}

    /// Nil for a job that does not run.
    package subscript(key: JobKey) -> Live? { jobs.withLock { $0[key] } }

    func begin(_ key: JobKey) { jobs.withLock { $0[key] = Live() } }
    func end(_ key: JobKey) { jobs.withLock { $0[key] = nil } }

    func change(_ key: JobKey, _ body: (inout Live) -> Void) {
        jobs.withLock { jobs in
            guard var live = jobs[key] else { return }
            body(&live)
            jobs[key] = live
        }
    }
}
