/// Rows of the catalog that tell of a pipeline's work.

/// The states of `pps.md` §10, numbered as on the wire.
package enum JobState: Int, Sendable, CaseIterable {
    case unknown = 0
    /// Its output commit was opened.
    case created = 1
    /// A scheduler has taken it up.
    case starting = 2
    /// What it reads is finished and its code runs.
    case running = 3
    case failure = 4
    case success = 5
    case killed = 6
    case egressing = 7
    /// Its code is done; its output commit is being closed.
    case finishing = 8
    /// What it reads is in error.
    case unrunnable = 9

    /// Whether it never changes again.
    package var isTerminal: Bool {
        switch self {
        case .failure, .success, .killed, .unrunnable: true
        case .unknown, .created, .starting, .running, .egressing, .finishing: false
        }
    }
}

/// A job's name: the commit set that opened its output commit, within its pipeline.
package struct JobKey: Hashable, Sendable, CustomStringConvertible {
    package var pipeline: PipelineKey
    package var id: CommitID

    package init(pipeline: PipelineKey, id: CommitID) {
        self.pipeline = pipeline
        self.id = id
    }

    /// `project/name@id`.
    package var description: String { "\(pipeline)@\(id)" }
}

/// What a pipeline does about one set of input commits: it lives as long as its output commit is open.
package struct JobRecord: Sendable, Equatable {
    /// Counts all jobs in the order in which they were made; 0 until it is stored.
    package var number: Int64
    package var key: JobKey
    /// Of the spec that it runs by.
    package var version: Int64
    /// Its output commit; the row may be gone.
    package var commit: Int64
    package var state: JobState
    package var reason: String
    package var createdAt: Instant
    /// When its code first ran.
    package var startedAt: Instant?
    /// When it became terminal.
    package var finishedAt: Instant?
    package var counts: DatumCounts
    package var stats: DatumStats
    /// How often its work was begun anew.
    package var restarts: Int64

    package init(
        number: Int64 = 0, key: JobKey, version: Int64, commit: Int64, state: JobState = .created, reason: String = "",
        createdAt: Instant, startedAt: Instant? = nil, finishedAt: Instant? = nil, counts: DatumCounts = DatumCounts(),
        stats: DatumStats = DatumStats(), restarts: Int64 = 0
    ) {
        self.stats = stats
        self.restarts = restarts
        self.number = number
        self.key = key
        self.version = version
        self.commit = commit
        self.state = state
        self.reason = reason
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.counts = counts
    }
}

/// How many pieces of work a job has, by what became of them.
package struct DatumCounts: Sendable, Equatable {
    package var total: Int64
    package var processed: Int64
    package var skipped: Int64
    package var failed: Int64
    package var recovered: Int64

    package init(
        total: Int64 = 0, processed: Int64 = 0, skipped: Int64 = 0, failed: Int64 = 0, recovered: Int64 = 0
    ) {
        self.total = total
        self.processed = processed
        self.skipped = skipped
        self.failed = failed
        self.recovered = recovered
    }
}

/// What work took, for one datum or summed over those of a job.
package struct DatumStats: Sendable, Equatable {
    /// Seconds that laying out inputs took.
    package var downloadSeconds: Double
    /// Seconds that the code ran.
    package var processSeconds: Double
    /// Seconds that taking its output took.
    package var uploadSeconds: Double
    /// Bytes of the inputs.
    package var downloadBytes: UInt64
    /// Bytes of the output.
    package var uploadBytes: UInt64

    package init(
        downloadSeconds: Double = 0, processSeconds: Double = 0, uploadSeconds: Double = 0, downloadBytes: UInt64 = 0,
        uploadBytes: UInt64 = 0
    ) {
        self.downloadSeconds = downloadSeconds
        self.processSeconds = processSeconds
        self.uploadSeconds = uploadSeconds
        self.downloadBytes = downloadBytes
        self.uploadBytes = uploadBytes
    }

    package static func += (sum: inout DatumStats, part: DatumStats) {
        sum.downloadSeconds += part.downloadSeconds
        sum.processSeconds += part.processSeconds
        sum.uploadSeconds += part.uploadSeconds
        sum.downloadBytes &+= part.downloadBytes
        sum.uploadBytes &+= part.uploadBytes
    }
}

/// Which jobs a listing gives, newest first unless it says otherwise.
package struct JobFilter: Sendable {
    /// Nil: of all pipelines.
    package var pipeline: PipelineKey?
    /// Nil: of all commit sets.
    package var set: CommitID?
    /// Only those that are not terminal.
    package var isLive = false

    package init(pipeline: PipelineKey? = nil, set: CommitID? = nil, isLive: Bool = false) {
        self.pipeline = pipeline
        self.set = set
        self.isLive = isLive
    }
}
