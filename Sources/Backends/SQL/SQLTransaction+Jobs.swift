import Core

extension SQLTransaction {
    func job(_ key: JobKey) throws -> JobRecord? {
        try row(
            "SELECT \(SQLRows.jobColumns) FROM jobs WHERE id = ? AND project = ? AND pipeline = ?",
            [SQLRows.blob(key.id), key.pipeline.project.name, key.pipeline.name]
        ).map(SQLRows.job)
    }

    func jobs(_ filter: JobFilter, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [JobRecord] {
        var conditions: [String] = []
        var arguments: SQLArguments = []
        if let pipeline = filter.pipeline {
            conditions.append("project = ? AND pipeline = ?")
            arguments += [pipeline.project.name, pipeline.name]
        }
        if let set = filter.set {
            conditions.append("id = ?")
            arguments += [SQLRows.blob(set)]
        }
        if filter.isLive { conditions.append("live") }
        let isNewestFirst = order == .newestFirst
        if let cursor {
            conditions.append(isNewestFirst ? "number < ?" : "number > ?")
            arguments += [cursor]
        }
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return try rows(
            """
            SELECT \(SQLRows.jobColumns) FROM jobs\(filter) ORDER BY number \(isNewestFirst ? "DESC" : "ASC") LIMIT ?
            """,
            arguments + [limit]
        ).map(SQLRows.job)
    }

    func insert(_ job: JobRecord) throws -> Int64 {
        guard try self.job(job.key) == nil else {
            throw SpileError(.alreadyExists, "job \"\(job.key)\" already exists")
        }
        return try connection.insert(
            into: SQLNumbering(table: "jobs", column: "number"),
            """
            project, pipeline, id, version, "commit", created_at, state, live, reason, started_at, \
            finished_at, total, processed, skipped, failed, recovered, restarts, download_seconds, \
            process_seconds, upload_seconds, download_bytes, upload_bytes
            """,
            [
                job.key.pipeline.project.name, job.key.pipeline.name, SQLRows.blob(job.key.id), job.version,
                job.commit, job.createdAt.nanoseconds,
            ] + SQLRows.changing(job))
    }

    func update(_ job: JobRecord) throws {
        try run(
            """
            UPDATE jobs SET state = ?, live = ?, reason = ?, started_at = ?, finished_at = ?, total = ?, processed = ?,
                skipped = ?, failed = ?, recovered = ?, restarts = ?, download_seconds = ?, process_seconds = ?,
                upload_seconds = ?, download_bytes = ?, upload_bytes = ?
            WHERE id = ? AND project = ? AND pipeline = ?
            """,
            SQLRows.changing(job)
                + [SQLRows.blob(job.key.id), job.key.pipeline.project.name, job.key.pipeline.name])
    }

    func deleteJob(_ key: JobKey) throws {
        try run(
            "DELETE FROM jobs WHERE id = ? AND project = ? AND pipeline = ?",
            [SQLRows.blob(key.id), key.pipeline.project.name, key.pipeline.name])
    }
}

extension SQLRows {
    static let jobColumns = """
        number, project, pipeline, id, version, "commit", created_at, state, reason, started_at, finished_at, total,
        processed, skipped, failed, recovered, restarts, download_seconds, process_seconds, upload_seconds,
        download_bytes, upload_bytes
        """

    static func job(_ row: some SQLRow) throws -> JobRecord {
        let state: Int = row[7]
        let (downloaded, uploaded): (Int64, Int64) = (row[20], row[21])
        return JobRecord(
            number: row[0],
            key: JobKey(
                pipeline: PipelineKey(project: ProjectKey(row[1]), name: row[2]), id: try commitID(row[3])),
            version: row[4], commit: row[5], state: JobState(rawValue: state) ?? .unknown, reason: row[8],
            createdAt: Instant(nanoseconds: row[6]), startedAt: instant(row[9]), finishedAt: instant(row[10]),
            counts: DatumCounts(
                total: row[11], processed: row[12], skipped: row[13], failed: row[14], recovered: row[15]),
            stats: DatumStats(
                downloadSeconds: row[17], processSeconds: row[18], uploadSeconds: row[19],
                downloadBytes: UInt64(clamping: downloaded), uploadBytes: UInt64(clamping: uploaded)),
            restarts: row[16])
    }

    /// What changes of a job while it lives, in the order of the statements above.
    fileprivate static func changing(_ job: JobRecord) -> SQLArguments {
        [
            job.state.rawValue, !job.state.isTerminal, job.reason, job.startedAt?.nanoseconds,
            job.finishedAt?.nanoseconds, job.counts.total, job.counts.processed, job.counts.skipped,
            job.counts.failed, job.counts.recovered, job.restarts, job.stats.downloadSeconds,
            job.stats.processSeconds, job.stats.uploadSeconds, Int64(clamping: job.stats.downloadBytes),
            Int64(clamping: job.stats.uploadBytes),
        ]
    }
}
