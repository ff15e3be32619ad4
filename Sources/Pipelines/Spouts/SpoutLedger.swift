import Core
import Versioning

/// What the supervisor reads from and writes to the catalog.
package protocol SpoutLedger: Sendable {
    /// All pipelines there are.
    func pipelines() throws -> [PipelineKey]
    /// The version in force, or nil.
    func pipeline(_ key: PipelineKey) throws -> PipelineRecord?
    /// The newest job of a service that is not over and whose inputs are all finished and good; nil if there is none.
    func nextJob(of pipeline: PipelineRecord) throws -> CommitID?
    /// Failures in a row that the last launch began with.
    func failures(of key: PipelineKey) throws -> Int64

    /// Opens a launch: fences all earlier ones, and finishes what they left open as error commits. A service's jobs
    /// before `job` have been served then, and that one runs.
    /// Throws `aborted` if `version`, or the job, is no longer what shall run.
    func beginLaunch(
        of key: PipelineKey, version: Int64, job: CommitID?, tokenHash: Digest, failures: Int64
    ) async throws -> (pipeline: PipelineRecord, epoch: Int64)
    /// Where the launches before got to. Blocks; to be asked when they are fenced.
    func position(of pipeline: PipelineRecord) throws -> SpoutPosition
    /// Ends a job that cannot be done.
    func failJob(_ job: JobKey, reason: String) async throws
    /// Records where a launch runs.
    func launched(_ key: PipelineKey, epoch: Int64, handle: LaunchHandle) async throws
    /// Makes the token of the last launch worthless and finishes what it left open as error commits.
    func endLaunch(of key: PipelineKey, tokenHash: Digest) async throws
    /// Writes state and reason, if the version is still in force.
    func report(_ report: StateReport, of key: PipelineKey) async throws
}

/// The ledger on top of history: every call is one transaction.
package struct HistoryLedger: SpoutLedger {
    private let history: History

    package init(history: History) { self.history = history }

    package func pipelines() throws -> [PipelineKey] {
        try history.read { try $0.pipelines(in: nil).map(\.key) }
    }

    package func pipeline(_ key: PipelineKey) throws -> PipelineRecord? { try history.read { try $0.pipeline(key) } }

    package func failures(of key: PipelineKey) throws -> Int64 {
        try history.read { try $0.launch(key)?.failures ?? 0 }
    }

    package func nextJob(of pipeline: PipelineRecord) throws -> CommitID? {
        try history.read { try ServiceJobs.next(of: pipeline, in: $0)?.key.id }
    }

    package func beginLaunch(
        of key: PipelineKey, version: Int64, job: CommitID?, tokenHash: Digest, failures: Int64
    ) async throws -> (pipeline: PipelineRecord, epoch: Int64) {
        try await history.transact(as: .server) { transaction in
            guard let pipeline = try transaction.catalog.pipeline(key), pipeline.version == version,
                !pipeline.stopped
            else { throw SpileError(.aborted, "pipeline \"\(key)\" changed while version \(version) was started") }
            try SpoutOutput.finishLeftovers(of: pipeline, in: transaction)
            if let job { try ServiceJobs.begin(JobKey(pipeline: key, id: job), in: transaction) }
            let epoch = try Launches.open(
                of: pipeline, tokenHash: tokenHash, failures: failures, in: transaction)
            return (pipeline, epoch)
        }
    }

    package func position(of pipeline: PipelineRecord) throws -> SpoutPosition {
        try history.read { try SpoutPosition(of: pipeline, in: $0) }
    }

    package func failJob(_ job: JobKey, reason: String) async throws {
        try await history.transact(as: .server) { transaction in
            guard let record = try transaction.catalog.job(job), !record.state.isTerminal else { return }
            try transaction.end(record, .failure, reason: reason)
        }
    }

    package func launched(_ key: PipelineKey, epoch: Int64, handle: LaunchHandle) async throws {
        try await history.transact(as: .server) { transaction in
            guard var launch = try transaction.catalog.launch(key), launch.epoch == epoch else { return }
            launch.handle = handle.text
            try transaction.catalog.put(launch)
        }
    }

    package func endLaunch(of key: PipelineKey, tokenHash: Digest) async throws {
        try await history.transact(as: .server) { transaction in
            guard let pipeline = try transaction.catalog.pipeline(key),
                var launch = try transaction.catalog.launch(key)
            else { return }
            // The next number fences calls that were let in before; the hash keeps new ones out.
            launch.epoch += 1
            launch.tokenHash = tokenHash
            launch.handle = ""
            launch.failures = 0
            try transaction.catalog.put(launch)
            try SpoutOutput.finishLeftovers(of: pipeline, in: transaction)
        }
    }

    package func report(_ report: StateReport, of key: PipelineKey) async throws {
        try await history.transact(as: .server) { transaction in
            guard var pipeline = try transaction.catalog.pipeline(key), pipeline.version == report.version else {
                return
            }
            pipeline.state = report.state
            pipeline.reason = report.reason
            pipeline.workersStartedAt = report.startedAt
            try transaction.catalog.put(pipeline)
        }
    }
}

/// The rows that tell of launches.
enum Launches {
    /// Opens a launch of a pipeline's code, which fences all earlier ones, and returns its epoch. With `job` it is that
    /// of a transform, whose code writes nothing by calls.
    static func open(
        of pipeline: PipelineRecord, tokenHash: Digest, failures: Int64 = 0, job: CommitID? = nil,
        in transaction: HistoryTransaction
    ) throws -> Int64 {
        let (key, catalog) = (pipeline.key, transaction.catalog)
        // Never that of a pipeline of the same name that is gone: its code may still be about.
        let spec = try catalog.commit(repo: catalog.repo(key.repo(.spec))?.id ?? 0, id: pipeline.specCommit)
        let epoch = (try catalog.launch(key)?.epoch ?? (spec?.sequence ?? 0)) + 1
        try catalog.put(
            LaunchRecord(
                pipeline: key, epoch: epoch, version: pipeline.version, tokenHash: tokenHash,
                handle: job.map { LaunchRecord.transform($0) } ?? "", startedAt: transaction.now, failures: failures))
        return epoch
    }
}

/// What a spout's output repo goes through beside the spout's own writes.
enum SpoutOutput {
    /// Who a launch's commits are said to be made by (`pps.md` §8).
    static func author(_ key: PipelineKey) -> String { "pipeline:\(key)" }

    /// Finishes, as error commits, the commits that an ended launch left open: all of its own, and any on the output
    /// branch, so that the branch is never stuck.
    static func finishLeftovers(of pipeline: PipelineRecord, in transaction: HistoryTransaction) throws {
        let repo = pipeline.key.repo(.user)
        let branch = try PipelineSpec(canonical: pipeline.effectiveSpec).outputBranch
        for commit in try transaction.openCommits(in: repo).sorted(by: { $0.sequence < $1.sequence }) {
            let on = try commit.branch.flatMap { try transaction.catalog.branch(id: $0) }?.key.name
            let isStuck = on == branch && pipeline.kind == .spout
            guard isStuck || commit.createdBy == author(pipeline.key) else { continue }
            _ = try transaction.finishCommit(
                CommitHandle(commit.key), description: commit.description,
                error: "left open by an earlier launch of the pipeline", force: true)
        }
    }

    /// Finishes the commit that giving the output branch its provenance has opened in this transaction, if any.
    static func closeOpening(of key: PipelineKey, in transaction: HistoryTransaction) throws {
        guard let repo = try transaction.catalog.repo(key.repo(.user)),
            let commit = try transaction.catalog.commit(repo: repo.id, id: transaction.id), commit.isOpen
        else { return }
        _ = try transaction.finishCommit(
            CommitHandle(commit.key), description: "close spout commit", error: "", force: true)
    }
}
