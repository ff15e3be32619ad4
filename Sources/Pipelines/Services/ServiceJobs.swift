import Core
import Versioning

/// The jobs of a service: one for each output commit, of which the newest is served (`pps.md` §4.1).
enum ServiceJobs {
    private static let page = 100

    /// The newest job that is not over and whose inputs are all finished and good.
    static func next(of pipeline: PipelineRecord, in catalog: any CatalogReader) throws -> JobRecord? {
        let live = JobFilter(pipeline: pipeline.key, isLive: true)
        var cursor: Int64?
        while true {
            let jobs = try catalog.jobs(live, order: .newestFirst, beyond: cursor, limit: page)
            for job in jobs where job.version == pipeline.version {
                let inputs = try catalog.inputs(of: job) ?? []
                if !inputs.isEmpty, inputs.allSatisfy({ $0.isFinished && $0.error.isEmpty }) { return job }
            }
            guard let last = jobs.last, jobs.count == page else { return nil }
            cursor = last.number
        }
    }

    /// Lets a job run in place of those before it, whose time is over: that was all that they were for.
    static func begin(_ key: JobKey, in transaction: HistoryTransaction) throws {
        guard var job = try transaction.catalog.job(key), !job.state.isTerminal else {
            throw SpileError(.aborted, "job \"\(key)\" was ended while it was started")
        }
        let live = JobFilter(pipeline: key.pipeline, isLive: true)
        while var older = try transaction.catalog.jobs(live, order: .oldestFirst, beyond: nil, limit: 1).first,
            older.number < job.number
        {
            if older.state == .running { older.counts.processed = 1 }
            try transaction.end(older, .success)
        }
        job.state = .running
        job.startedAt = job.startedAt ?? transaction.now
        job.counts.total = 1
        try transaction.update(job)
    }

    /// Ends the jobs of a pipeline that can never run, since an input of theirs is in error.
    static func endUnrunnable(of pipeline: PipelineKey, in transaction: HistoryTransaction) throws {
        for (job, names) in try unrunnable(of: pipeline, in: transaction.catalog) {
            try transaction.end(job, .unrunnable, reason: reason(names))
        }
    }

    /// Why a job whose inputs in these repos are in error cannot run (`pps.md` §10).
    static func reason(_ repos: [String]) -> String {
        "unrunnable because the following upstream pipelines failed: \(repos.joined(separator: ", "))"
    }

    /// The jobs that are not over and read a commit in error, with the names of the repos that it is in.
    static func unrunnable(
        of pipeline: PipelineKey, in catalog: any CatalogReader
    ) throws -> [(JobRecord, [String])] {
        var found: [(JobRecord, [String])] = []
        var cursor: Int64?
        while true {
            let jobs = try catalog.jobs(
                JobFilter(pipeline: pipeline, isLive: true), order: .oldestFirst, beyond: cursor, limit: page)
            for job in jobs {
                let failed = (try catalog.inputs(of: job) ?? []).filter { !$0.error.isEmpty }
                if !failed.isEmpty { found.append((job, failed.map(\.key.repo.name).sorted())) }
            }
            guard let last = jobs.last, jobs.count == page else { return found }
            cursor = last.number
        }
    }
}
