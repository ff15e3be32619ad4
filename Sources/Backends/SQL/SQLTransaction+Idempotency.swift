import Core

extension SQLTransaction {
    func idempotencyRecord(branch: Int64, operation: KeyedOperation, key: String) throws -> IdempotencyRecord? {
        try row(
            """
            SELECT sequence, "commit", done_at FROM idempotency_keys WHERE branch = ? AND operation = ? AND key = ?
            """,
            [branch, operation.rawValue, key]
        ).map { row in
            IdempotencyRecord(
                branch: branch, operation: operation, key: key, sequence: row[0],
                commit: try SQLRows.commitID(row[1]), doneAt: Instant(nanoseconds: row[2]))
        }
    }

    func hasIdempotencyRecords(branch: Int64) throws -> Bool {
        try row("SELECT 1 FROM idempotency_keys WHERE branch = ? LIMIT 1", [branch]) != nil
    }

    func put(_ record: IdempotencyRecord) throws -> Int64 {
        let last = try integers(
            "SELECT number FROM idempotency_keys WHERE branch = ? ORDER BY number DESC LIMIT 1", [record.branch])
        let number = (last.first ?? 0) + 1
        try run(
            """
            INSERT INTO idempotency_keys (branch, operation, key, number, sequence, "commit", done_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (branch, operation, key) DO UPDATE SET number = excluded.number,
                sequence = excluded.sequence, "commit" = excluded."commit", done_at = excluded.done_at
            """,
            [
                record.branch, record.operation.rawValue, record.key, number, record.sequence,
                SQLRows.blob(record.commit), record.doneAt.nanoseconds,
            ])
        return number
    }

    func trimIdempotencyRecords(
        branch: Int64, upTo number: Int64, olderThan instant: Instant, orUpTo floor: Int64, limit: Int
    ) throws {
        try run(
            """
            DELETE FROM idempotency_keys WHERE branch = ? AND number IN (
                SELECT number FROM idempotency_keys WHERE branch = ? AND number <= ? ORDER BY number LIMIT ?)
            AND (done_at < ? OR number <= ?)
            """,
            [branch, branch, number, limit, instant.nanoseconds, floor])
    }

    func deleteIdempotencyRecords(branch: Int64, commit sequence: Int64) throws {
        try run(
            "DELETE FROM idempotency_keys WHERE branch = ? AND sequence = ? AND operation = ?",
            [branch, sequence, KeyedOperation.write.rawValue])
    }

    func deleteIdempotencyRecords(branch: Int64, after sequence: Int64) throws {
        try run("DELETE FROM idempotency_keys WHERE branch = ? AND sequence > ?", [branch, sequence])
    }
}
