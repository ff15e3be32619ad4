import Core
import Versioning

/// An earlier job whose output a job's output begins with: the nearest one that ended well (`pps.md` §9.3).
struct JobBase: Sendable {
    let job: JobRecord
    /// The version of the pipeline by which it ran; nil where that is gone.
    let pipeline: PipelineRecord?
    /// The commit that tells of its datums.
    let meta: CommitRecord
    /// What it read; nil where some of that is gone or was given up.
    let inputs: [CommitRecord]?

    var ground: JobGround { .commits(output: job.commit, meta: meta.sequence) }

    /// That of a job; nil where what its output inherits is not the output of a job, or nothing.
    static func find(for job: JobRecord, in catalog: any CatalogReader) throws -> JobBase? {
        guard let output = try catalog.commit(sequence: job.commit), let inherited = try catalog.inherited(by: output),
            inherited.isFinished, !inherited.isForgotten, inherited.origin == .auto,
            let meta = try catalog.metaCommit(of: output.key),
            let metaBase = try catalog.inherited(by: meta), metaBase.key.id == inherited.key.id,
            metaBase.isFinished, !metaBase.isForgotten,
            let record = try catalog.job(JobKey(pipeline: job.key.pipeline, id: inherited.key.id)),
            record.commit == inherited.sequence, record.state == .success,
            // One that somebody else closed has worked on nothing, whatever its commits inherited.
            record.counts.total > 0
        else { return nil }
        let version = try catalog.pipeline(job.key.pipeline, version: record.version)
        let inputs = try inherited.provenance.map { try catalog.commit(sequence: $0) }
        let isWhole = inputs.allSatisfy { $0?.isForgotten == false }
        return JobBase(
            job: record, pipeline: version, meta: metaBase, inputs: isWhole ? inputs.compactMap { $0 } : nil)
    }
}
