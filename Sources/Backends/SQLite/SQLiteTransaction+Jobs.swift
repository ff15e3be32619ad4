import Core
import GRDB

extension SQLiteSchema {
    /// `live`: not terminal, with indexes of its own: there are few of those, and they are asked for again and again.
    static let jobs = """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            pipeline TEXT NOT NULL,
            id BLOB NOT NULL,
            version INTEGER NOT NULL,
            "commit" INTEGER NOT NULL,
            state INTEGER NOT NULL,
            live INTEGER NOT NULL,
            reason TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            started_at INTEGER,
            finished_at INTEGER,
            total INTEGER NOT NULL,
            processed INTEGER NOT NULL,
            skipped INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            recovered INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX jobs_by_id ON jobs (id, project, pipeline);
        CREATE INDEX jobs_by_pipeline ON jobs (project, pipeline, number);
        CREATE INDEX jobs_live ON jobs (project, pipeline, number) WHERE live;
        CREATE INDEX jobs_live_of_all ON jobs (number) WHERE live;
        """

    static let jobStats = """
        ALTER TABLE jobs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN download_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN process_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN upload_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN download_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN upload_bytes INTEGER NOT NULL DEFAULT 0;
        """
}

extension SQLiteTransaction {
    func job(_ key: JobKey) throws -> JobRecord? {
        try row(
            "SELECT \(SQLiteRows.jobColumns) FROM jobs WHERE id = ? AND project = ? AND pipeline = ?",
            [SQLiteRows.blob(key.id), key.pipeline.project.name, key.pipeline.name]
        ).map(SQLiteRows.job)
    }

    func jobs(_ filter: JobFilter, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [JobRecord] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        if let pipeline = filter.pipeline {
            conditions.append("project = ? AND pipeline = ?")
            arguments += [pipeline.project.name, pipeline.name]
        }
        if let set = filter.set {
            conditions.append("id = ?")
            arguments += [SQLiteRows.blob(set)]
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
            SELECT \(SQLiteRows.jobColumns) FROM jobs\(filter) ORDER BY number \(isNewestFirst ? "DESC" : "ASC") LIMIT ?
            """,
            arguments + [limit]
        ).map(SQLiteRows.job)
    }

    func insert(_ job: JobRecord) throws -> Int64 {
        guard try self.job(job.key) == nil else {
            throw SpileError(.alreadyExists, "job \"\(job.key)\" already exists")
        }
        try run(
            """
            INSERT INTO jobs (project, pipeline, id, version, "commit", created_at, state, live, reason, started_at,
                finished_at, total, processed, skipped, failed, recovered, restarts, download_seconds,
                process_seconds, upload_seconds, download_bytes, upload_bytes)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                job.key.pipeline.project.name, job.key.pipeline.name, SQLiteRows.blob(job.key.id), job.version,
                job.commit, job.createdAt.nanoseconds,
            ] + SQLiteRows.changing(job))
        return database.lastInsertedRowID
    }

    func update(_ job: JobRecord) throws {
        try run(
            """
            UPDATE jobs SET state = ?, live = ?, reason = ?, started_at = ?, finished_at = ?, total = ?, processed = ?,
                skipped = ?, failed = ?, recovered = ?, restarts = ?, download_seconds = ?, process_seconds = ?,
                upload_seconds = ?, download_bytes = ?, upload_bytes = ?
            WHERE id = ? AND project = ? AND pipeline = ?
            """,
            SQLiteRows.changing(job)
                + [SQLiteRows.blob(job.key.id), job.key.pipeline.project.name, job.key.pipeline.name])
    }

    func deleteJob(_ key: JobKey) throws {
        try run(
            "DELETE FROM jobs WHERE id = ? AND project = ? AND pipeline = ?",
            [SQLiteRows.blob(key.id), key.pipeline.project.name, key.pipeline.name])
    }
}

extension SQLiteRows {
    // Read for every commit that makes one: by position.

    static let jobColumns = """
        number, project, pipeline, id, version, "commit", created_at, state, reason, started_at, finished_at, total,
        processed, skipped, failed, recovered, restarts, download_seconds, process_seconds, upload_seconds,
        download_bytes, upload_bytes
        """

    static func job(_ row: Row) throws -> JobRecord {
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
    fileprivate static func changing(_ job: JobRecord) -> StatementArguments {
        [
            job.state.rawValue, !job.state.isTerminal, job.reason, job.startedAt?.nanoseconds,
            job.finishedAt?.nanoseconds, job.counts.total, job.counts.processed, job.counts.skipped,
            job.counts.failed, job.counts.recovered, job.restarts, job.stats.downloadSeconds,
            job.stats.processSeconds, job.stats.uploadSeconds, Int64(clamping: job.stats.downloadBytes),
            Int64(clamping: job.stats.uploadBytes),
        ]
    }
}
