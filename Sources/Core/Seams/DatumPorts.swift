/// Opens ports of this machine at which code of a transform asks for its datums (`pps.md` §17): one for each run of
/// such code, because nothing but the port tells who asks.
package protocol DatumPorts: Sendable {
    /// Serves a desk at a free port of loopback, in the clear. Throws `unavailable` where there is none to be had.
    func open(_ desk: any DatumDesk) async throws -> any DatumPort
}

/// An open port.
package protocol DatumPort: Sendable {
    var number: Int { get }

    /// Cuts the calls under way. Returns when the port is closed.
    func close() async
}

/// Where a run of code asks for its datums. Any thread may call.
package protocol DatumDesk: Sendable {
    /// Tells how the last datum went, `error` being empty for well, and waits for the next one; gives the variables of
    /// that, `NAME=value` each. The first call tells of nothing. Cancelling the task ends the wait.
    func next(error: String) async throws -> [String]

    /// What is being worked on.
    func status() async throws -> DatumDeskStatus

    /// Ends the try of the datum that is being worked on, if it is of `job` and has files that match every one of
    /// `filters`, each a path or a hash. Whether it did; then the code has ended.
    func cancel(job: String, filters: [String]) async throws -> Bool
}

package struct DatumDeskStatus: Sendable {
    /// Names the worker as logs do.
    package var worker: String
    package var job: JobKey
    /// Since when a datum is worked on, and the files that it is made of; nil between two datums.
    package var datum: (started: Instant, files: [(path: String, digest: Digest)])?

    package init(
        worker: String, job: JobKey, datum: (started: Instant, files: [(path: String, digest: Digest)])? = nil
    ) {
        self.worker = worker
        self.job = job
        self.datum = datum
    }
}
