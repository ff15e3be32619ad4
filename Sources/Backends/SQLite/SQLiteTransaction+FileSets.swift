import Core
import Foundation
import GRDB

extension SQLiteSchema {
    /// `held` counts the cache entries that keep a file set from expiring: the triggers see to it, also where rows go
    /// by cascade. The index holds what may expire, so that the sweep looks at nothing else.
    static let fileSets = """
        CREATE TABLE file_sets (
            id BLOB PRIMARY KEY NOT NULL,
            token BLOB NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            pinned INTEGER NOT NULL,
            held INTEGER NOT NULL DEFAULT 0,
            content_segment INTEGER NOT NULL,
            content_slot INTEGER NOT NULL,
            content_level INTEGER NOT NULL,
            content_digest BLOB NOT NULL,
            content_files INTEGER NOT NULL,
            content_bytes INTEGER NOT NULL,
            deletions_segment INTEGER NOT NULL,
            deletions_slot INTEGER NOT NULL,
            deletions_level INTEGER NOT NULL,
            deletions_digest BLOB NOT NULL,
            deletions_files INTEGER NOT NULL,
            deletions_bytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX file_sets_expiring ON file_sets (max(expires, pinned)) WHERE held = 0;

        CREATE TABLE cache (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            value BLOB NOT NULL,
            tag TEXT NOT NULL,
            used INTEGER NOT NULL
        );
        CREATE INDEX cache_used ON cache (used);

        CREATE TABLE cache_file_sets (
            entry INTEGER NOT NULL REFERENCES cache (id) ON DELETE CASCADE,
            file_set BLOB NOT NULL REFERENCES file_sets (id),
            PRIMARY KEY (entry, file_set)
        ) WITHOUT ROWID;
        CREATE INDEX cache_file_sets_held ON cache_file_sets (file_set);
        CREATE TRIGGER cache_holds AFTER INSERT ON cache_file_sets BEGIN
            UPDATE file_sets SET held = held + 1 WHERE id = NEW.file_set;
        END;
        CREATE TRIGGER cache_lets_go AFTER DELETE ON cache_file_sets BEGIN
            UPDATE file_sets SET held = held - 1 WHERE id = OLD.file_set;
        END;
        """
}

/// File sets and the cache: look-ups.
extension SQLiteTransaction {
    private static let contentRoot = """
        content_segment, content_slot, content_level, content_digest, content_files, content_bytes
        """
    private static let deletionsRoot = """
        deletions_segment, deletions_slot, deletions_level, deletions_digest, deletions_files, deletions_bytes
        """

    private static let fileSetColumns = """
        SELECT id, token, created, expires, pinned, \(contentRoot), \(deletionsRoot), held > 0 FROM file_sets
        """

    func fileSet(_ id: FileSetID) throws -> FileSetRecord? {
        try row(Self.fileSetColumns + " WHERE id = ?", [SQLiteRows.blob(id.uuid)]).map(Self.fileSet)
    }

    func fileSets(beyond cursor: FileSetID?, limit: Int) throws -> [FileSetRecord] {
        // No id comes before the empty one.
        let start = cursor.map { SQLiteRows.blob($0.uuid) } ?? Data()
        return try rows(Self.fileSetColumns + " WHERE id > ? ORDER BY id LIMIT ?", [start, limit]).map(Self.fileSet)
    }

    private static func fileSet(_ row: Row) throws -> FileSetRecord {
        FileSetRecord(
            id: FileSetID(try SQLiteRows.commitID(row[0])), token: Digest(Array(row[1] as Data)),
            createdAt: Instant(nanoseconds: row[2]), expiresAt: Instant(nanoseconds: row[3]),
            pinnedUntil: Instant(nanoseconds: row[4]), content: try SQLiteRows.root(row, at: 5),
            deletions: try SQLiteRows.root(row, at: 11), isHeld: row[17])
    }

    func cacheEntry(_ key: String) throws -> CacheRecord? {
        guard let row = try row("SELECT id, value, tag, used FROM cache WHERE key = ?", [key]) else { return nil }
        let id: Int64 = row[0]
        let held = try rows("SELECT file_set FROM cache_file_sets WHERE entry = ? ORDER BY file_set", [id])
        return CacheRecord(
            key: key, value: Array(row[1] as Data), tag: row[2],
            fileSets: try held.map { FileSetID(try SQLiteRows.commitID($0[0])) }, usedAt: Instant(nanoseconds: row[3]))
    }
}

/// File sets and the cache: changes.
extension SQLiteTransaction {
    func insert(_ fileSet: FileSetRecord) throws {
        try run(
            """
            INSERT INTO file_sets (id, token, created, expires, pinned, \(Self.contentRoot), \(Self.deletionsRoot))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                SQLiteRows.blob(fileSet.id.uuid), SQLiteRows.blob(fileSet.token), fileSet.createdAt.nanoseconds,
                fileSet.expiresAt.nanoseconds, fileSet.pinnedUntil.nanoseconds,
            ] + Self.columns(fileSet.content) + Self.columns(fileSet.deletions))
    }

    /// In the order of ``SQLiteRows/root(_:at:)``.
    private static func columns(_ root: Root) -> StatementArguments {
        [
            Int64(bitPattern: root.pointer.segment), Int64(root.pointer.slot), Int64(root.level),
            SQLiteRows.blob(root.digest), Int64(bitPattern: root.files), Int64(bitPattern: root.bytes),
        ]
    }

    func setLease(fileSet id: FileSetID, expiresAt: Instant, pinnedUntil: Instant) throws {
        try run(
            "UPDATE file_sets SET expires = ?, pinned = ? WHERE id = ?",
            [expiresAt.nanoseconds, pinnedUntil.nanoseconds, SQLiteRows.blob(id.uuid)])
    }

    func removeExpiredFileSets(at now: Instant, limit: Int) throws -> Int {
        try run(
            """
            DELETE FROM file_sets WHERE id IN (
                SELECT id FROM file_sets WHERE held = 0 AND max(expires, pinned) <= ?
                ORDER BY max(expires, pinned) LIMIT ?)
            """,
            [now.nanoseconds, limit])
        return database.changesCount
    }

    func insert(_ entry: CacheRecord) throws -> Bool {
        try run(
            "INSERT INTO cache (key, value, tag, used) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            [entry.key, Data(entry.value), entry.tag, entry.usedAt.nanoseconds])
        guard database.changesCount > 0 else { return false }
        let id = database.lastInsertedRowID
        for fileSet in entry.fileSets {
            try run(
                "INSERT INTO cache_file_sets (entry, file_set) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [id, SQLiteRows.blob(fileSet.uuid)])
        }
        return true
    }

    func setUsed(cacheEntry key: String, at now: Instant) throws {
        try run("UPDATE cache SET used = ? WHERE key = ?", [now.nanoseconds, key])
    }

    func deleteCacheEntries(tagPrefix prefix: String) throws {
        if prefix.isEmpty { return try run("DELETE FROM cache") }
        let bytes = Data(prefix.utf8)
        try run("DELETE FROM cache WHERE substr(CAST(tag AS BLOB), 1, ?) = ?", [bytes.count, bytes])
    }

    func trimCache(to count: Int) throws {
        try run(
            """
            DELETE FROM cache WHERE id IN (
                SELECT id FROM cache ORDER BY used, id LIMIT max(0, (SELECT count(*) FROM cache) - ?))
            """,
            [count])
    }
}
