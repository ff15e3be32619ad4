import Core
import Testing

extension CatalogSuite {
    private static func job(_ id: UInt64, of name: String = "p", _ state: JobState = .created) -> JobRecord {
        JobRecord(
            key: JobKey(pipeline: PipelineKey(name: name), id: CommitID(randomHigh: id, randomLow: .max)), version: 3,
            commit: 7, state: state, reason: "é", createdAt: Instant(nanoseconds: 1),
            startedAt: state == .created ? nil : Instant(nanoseconds: 2),
            finishedAt: state.isTerminal ? Instant(nanoseconds: 3) : nil,
            counts: DatumCounts(total: 5, processed: 4, skipped: 3, failed: 2, recovered: 1),
            stats: DatumStats(
                downloadSeconds: 0.5, processSeconds: 1.25, uploadSeconds: 2, downloadBytes: 3, uploadBytes: 4),
            restarts: 6)
    }

    private static func stored(_ jobs: [JobRecord], in catalog: any Catalog) throws -> [JobRecord] {
        try catalog.write { writer in
            try jobs.map { job in
                var job = job
                job.number = try writer.insert(job)
                return job
            }
        }
    }

    static let jobs = [
        CatalogRule("a job is kept with all its fields, once for a pipeline and commit set") { catalog throws in
            let jobs = try stored(JobState.allCases.enumerated().map { job(UInt64($0), $1) }, in: catalog)
            #expect(Set(jobs.map(\.number)).count == jobs.count)
            for job in jobs { #expect(try catalog.read { try $0.job(job.key) } == job) }
            expectAlreadyExists { _ = try catalog.write { try $0.insert(jobs[0]) } }
            _ = try stored([job(0, of: "q")], in: catalog)
            #expect(try catalog.read { try $0.job(job(99).key) } == nil)
        },
        CatalogRule("jobs come by number both ways, in pages, by pipeline, by set and those that are not over") {
            catalog throws in
            let jobs = try stored(
                [job(1), job(1, of: "q", .running), job(2, .success), job(3, .killed), job(4, .finishing)],
                in: catalog)
            func listed(
                _ filter: JobFilter, _ order: CommitOrder = .oldestFirst, beyond cursor: Int64? = nil, limit: Int = 9
            ) throws -> [JobRecord] {
                try catalog.read { try $0.jobs(filter, order: order, beyond: cursor, limit: limit) }
            }
            #expect(try listed(JobFilter()) == jobs)
            #expect(try listed(JobFilter(), .newestFirst, limit: 2) == [jobs[4], jobs[3]])
            #expect(try listed(JobFilter(), .newestFirst, beyond: jobs[3].number, limit: 2) == [jobs[2], jobs[1]])
            #expect(try listed(JobFilter(), beyond: jobs[3].number) == [jobs[4]])
            #expect(try listed(JobFilter(set: jobs[0].key.id)) == [jobs[0], jobs[1]])
            let ofP = PipelineKey(name: "p")
            #expect(try listed(JobFilter(pipeline: ofP, isLive: true)) == [jobs[0], jobs[4]])
            #expect(try listed(JobFilter(isLive: true)) == [jobs[0], jobs[1], jobs[4]])
            #expect(try listed(JobFilter(pipeline: PipelineKey(name: "none"))) == [])
        },
        CatalogRule("a job changes, is over, is deleted, and goes with its pipeline") { catalog throws in
            var jobs = try stored([job(1), job(2), job(1, of: "q")], in: catalog)
            jobs[0].state = .failure
            jobs[0].reason = "no"
            jobs[0].finishedAt = Instant(nanoseconds: 9)
            jobs[0].counts.failed = 8
            jobs[0].stats.processSeconds = 7.75
            jobs[0].stats.uploadBytes = 1 << 40
            jobs[0].restarts = 9
            let changed = jobs[0]
            try catalog.write { try $0.update(changed) }
            #expect(try catalog.read { try $0.job(changed.key) } == changed)
            let live = JobFilter(isLive: true)
            let left = try catalog.read { try $0.jobs(live, order: .oldestFirst, beyond: nil, limit: 9) }
            #expect(left == [jobs[1], jobs[2]])
            try catalog.write { [key = jobs[1].key] in try $0.deleteJob(key) }
            #expect(try catalog.read { try $0.job(jobs[1].key) } == nil)
            try catalog.write { try $0.deletePipeline(PipelineKey(name: "p")) }
            let rest = try catalog.read { try $0.jobs(JobFilter(), order: .oldestFirst, beyond: nil, limit: 9) }
            #expect(rest == [jobs[2]])
        },
    ]
}
