/// Rows of the catalog that pipelines are made of.

/// The states of `pps.md` §7, numbered as on the wire.
package enum PipelineState: Int, Sendable, CaseIterable {
    case unknown = 0
    case starting = 1
    case running = 2
    case restarting = 3
    case failure = 4
    case paused = 5
    case standby = 6
    case crashing = 7
}

/// What a pipeline is, numbered as on the wire.
package enum PipelineKind: Int, Sendable {
    case unknown = 0
    case transform = 1
    case spout = 2
    case service = 3
}

/// One version of a pipeline. Versions count from 1; the highest is in force.
package struct PipelineRecord: Sendable, Equatable {
    package var key: PipelineKey
    package var version: Int64
    /// The commit in the pipeline's spec repo that stands for this version.
    package var specCommit: CommitID
    package var kind: PipelineKind
    package var state: PipelineState
    package var reason: String
    package var stopped: Bool
    package var parallelism: Int64
    /// Separates the pipeline's work from that of an earlier pipeline of the same name.
    package var salt: String
    /// The request's text, verbatim.
    package var userSpec: String
    /// The spec in force, defaults merged in, as canonical proto JSON with camelCase names.
    package var effectiveSpec: String
    package var createdAt: Instant
    package var updatedAt: Instant
    package var createdBy: String
    /// When its code last began to run; nil while it does not.
    package var workersStartedAt: Instant?
    package var metadata: [String: String]

    package init(
        key: PipelineKey, version: Int64, specCommit: CommitID, kind: PipelineKind, state: PipelineState = .starting,
        reason: String = "", stopped: Bool = false, parallelism: Int64 = 1, salt: String = "", userSpec: String,
        effectiveSpec: String, createdAt: Instant, updatedAt: Instant, createdBy: String = "",
        workersStartedAt: Instant? = nil, metadata: [String: String] = [:]
    ) {
        self.key = key
        self.version = version
        self.specCommit = specCommit
        self.kind = kind
        self.state = state
        self.reason = reason
        self.stopped = stopped
        self.parallelism = parallelism
        self.salt = salt
        self.userSpec = userSpec
        self.effectiveSpec = effectiveSpec
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
        self.workersStartedAt = workersStartedAt
        self.metadata = metadata
    }
}

/// The newest launch of a pipeline's code. A launch with a higher epoch fences all earlier ones of the same pipeline.
package struct LaunchRecord: Sendable, Equatable {
    package var pipeline: PipelineKey
    /// Counts the launches of this pipeline, from 1, over all versions.
    package var epoch: Int64
    package var version: Int64
    /// SHA-256 of the launch's token; the token itself is never stored.
    package var tokenHash: Digest
    /// What the launcher needs to find the run again after a restart of the server, in the launcher's own form. Of a
    /// transform, whose launch has many runs, the job (``transform(_:)``).
    package var handle: String
    package var startedAt: Instant
    /// Launches that ended since the last healthy run, for the length of the next pause.
    package var failures: Int64

    package init(
        pipeline: PipelineKey, epoch: Int64, version: Int64, tokenHash: Digest, handle: String, startedAt: Instant,
        failures: Int64
    ) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.version = version
        self.tokenHash = tokenHash
        self.handle = handle
        self.startedAt = startedAt
        self.failures = failures
    }

    /// What ``handle`` says of the launch for a transform's job.
    package static func transform(_ job: CommitID) -> String { "job \(job)" }
    package var isOfTransform: Bool { handle.hasPrefix("job ") }
}
