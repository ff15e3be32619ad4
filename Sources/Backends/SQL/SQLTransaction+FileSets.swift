import Core
import Foundation

private enum Columns {
    static let content = """
        content_segment, content_slot, content_level, content_digest, content_files, content_bytes
        """
    static let deletions = """
        deletions_segment, deletions_slot, deletions_level, deletions_digest, deletions_files, deletions_bytes
        """

    static let fromFileSets = """
        SELECT id, token, created, expires, pinned, \(content), \(deletions), held > 0 FROM file_sets
        """
}

/// File sets and the cache: look-ups.
extension SQLTransaction {
    func fileSet(_ id: FileSetID) throws -> FileSetRecord? {
        try row(Columns.fromFileSets + " WHERE id = ?", [SQLRows.blob(id.uuid)]).map(Self.fileSet)
    }

    func fileSets(beyond cursor: FileSetID?, limit: Int) throws -> [FileSetRecord] {
        // No id comes before the empty one.
        let start = cursor.map { SQLRows.blob($0.uuid) } ?? Data()
        return try rows(Columns.fromFileSets + " WHERE id > ? ORDER BY id LIMIT ?", [start, limit]).map(Self.fileSet)
    }

    private static func fileSet(_ row: some SQLRow) throws -> FileSetRecord {
        FileSetRecord(
            id: FileSetID(try SQLRows.commitID(row[0])), token: Digest(Array(row[1] as Data)),
            createdAt: Instant(nanoseconds: row[2]), expiresAt: Instant(nanoseconds: row[3]),
            pinnedUntil: Instant(nanoseconds: row[4]), content: try SQLRows.root(row, at: 5),
            deletions: try SQLRows.root(row, at: 11), isHeld: row[17])
    }

    func cacheEntry(_ key: String) throws -> CacheRecord? {
        guard let row = try row("SELECT id, value, tag, used FROM cache WHERE key = ?", [key]) else { return nil }
        let id: Int64 = row[0]
        let held = try rows("SELECT file_set FROM cache_file_sets WHERE entry = ? ORDER BY file_set", [id])
        return CacheRecord(
            key: key, value: Array(row[1] as Data), tag: row[2],
            fileSets: try held.map { FileSetID(try SQLRows.commitID($0[0])) }, usedAt: Instant(nanoseconds: row[3]))
    }
}

/// File sets and the cache: changes.
extension SQLTransaction {
    func insert(_ fileSet: FileSetRecord) throws {
        try connection.insert(
            into: "file_sets", "id, token, created, expires, pinned, \(Columns.content), \(Columns.deletions)",
            [
                SQLRows.blob(fileSet.id.uuid), SQLRows.blob(fileSet.token), fileSet.createdAt.nanoseconds,
                fileSet.expiresAt.nanoseconds, fileSet.pinnedUntil.nanoseconds,
            ] + Self.columns(fileSet.content) + Self.columns(fileSet.deletions))
    }

    /// In the order of ``SQLRows/root(_:at:)``.
    private static func columns(_ root: Root) -> SQLArguments {
        [
            Int64(bitPattern: root.pointer.segment), Int64(root.pointer.slot), Int64(root.level),
            SQLRows.blob(root.digest), Int64(bitPattern: root.files), Int64(bitPattern: root.bytes),
        ]
    }

    func setLease(fileSet id: FileSetID, expiresAt: Instant, pinnedUntil: Instant) throws {
        try run(
            "UPDATE file_sets SET expires = ?, pinned = ? WHERE id = ?",
            [expiresAt.nanoseconds, pinnedUntil.nanoseconds, SQLRows.blob(id.uuid)])
    }

    func removeExpiredFileSets(at now: Instant, limit: Int) throws -> Int {
        let end = "\(connection.words.greatest)(expires, pinned)"
        return try run(
            """
            DELETE FROM file_sets WHERE id IN (
                SELECT id FROM file_sets WHERE held = 0 AND \(end) <= ? ORDER BY \(end) LIMIT ?)
            """,
            [now.nanoseconds, limit])
    }

    func insert(_ entry: CacheRecord) throws -> Bool {
        if try row("SELECT 1 FROM cache WHERE key = ?", [entry.key]) != nil { return false }
        let id = try connection.insert(
            into: SQLNumbering(table: "cache", column: "id"),
            "key, value, tag, used",
            [entry.key, Data(entry.value), entry.tag, entry.usedAt.nanoseconds])
        for fileSet in entry.fileSets {
            try run(
                "INSERT INTO cache_file_sets (entry, file_set) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [id, SQLRows.blob(fileSet.uuid)])
        }
        return true
    }

    func setUsed(cacheEntry key: String, at now: Instant) throws {
        try run("UPDATE cache SET used = ? WHERE key = ?", [now.nanoseconds, key])
    }

    func deleteCacheEntries(tagPrefix prefix: String) throws {
        // As many characters are as many bytes where they are the same.
        try run("DELETE FROM cache WHERE substr(tag, 1, ?) = ?", [prefix.unicodeScalars.count, prefix])
    }

    func trimCache(to count: Int) throws {
        let surplus = "\(connection.words.greatest)(0, (SELECT count(*) FROM cache) - ?)"
        try run(
            "DELETE FROM cache WHERE id IN (SELECT id FROM cache ORDER BY used, id LIMIT \(surplus))",
            [count])
    }
}
