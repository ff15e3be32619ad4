import Core
import Versioning

/// A cron input of a pipeline's version in force: when its ticks are due and where they go (`pps.md` §13).
struct CronSource: Sendable, Equatable {
    var pipeline: PipelineKey
    var version: Int64
    var leaf: InputLeaf
    var schedule: CronSchedule
    /// Nothing is due before it, nor at it.
    var start: Instant

    var branch: BranchKey { leaf.branch }

    /// What becomes of a tick that was found to be due.
    enum Outcome: Sendable, Equatable {
        case made(CommitKey)
        /// Somebody else wrote to the branch: what is due has to be found anew.
        case moved
        /// The pipeline shall not tick: it is stopped, has failed, has another version, or is gone.
        case off
    }

    /// The sources of a pipeline that shall tick; none of one that is stopped or has failed.
    static func all(of pipeline: PipelineRecord) throws -> [CronSource] {
        guard ticks(pipeline) else { return [] }
        return try PipelineSpec(canonical: pipeline.effectiveSpec).cronLeaves.map { leaf in
            CronSource(
                pipeline: pipeline.key, version: pipeline.version, leaf: leaf,
                schedule: try CronSchedule(leaf.schedule ?? ""), start: leaf.start ?? pipeline.updatedAt)
        }
    }

    private static func ticks(_ pipeline: PipelineRecord) -> Bool {
        !pipeline.stopped && pipeline.state != .failure
    }

    /// What is due next, late or not, given how far the ticks have got; nil for nothing ever.
    func due(after position: CronPosition) -> Instant? {
        schedule.next(after: max(position.last ?? start, start))
    }

    /// Writes a tick that was found to be due, if the pipeline is to have it still and the branch is where `position`
    /// says. So none is made twice, and none after a stop.
    func tick(
        _ tick: MarkWrite, over position: CronPosition, in transaction: HistoryTransaction
    ) throws -> Outcome {
        guard let pipeline = try transaction.catalog.pipeline(pipeline), pipeline.version == version,
            Self.ticks(pipeline)
        else { return .off }
        guard try position.holds(for: branch, in: transaction.catalog) else { return .moved }
        return .made(try transaction.write(tick, on: branch))
    }
}

extension PipelineSpec {
    /// Its cron inputs, left to right.
    var cronLeaves: [InputLeaf] {
        get throws(SpileError) { try inputLeaves.filter { $0.schedule != nil } }
    }
}
