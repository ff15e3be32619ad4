import Core
import Foundation
import GRDB

/// The catalog on SQLite: one file in WAL mode, one writer, readers beside it.
///
/// Durable means `synchronous = FULL`: a transaction is on the disk when ``write(_:)`` returns. GRDB sets NORMAL on the
/// connections of a pool after they are prepared, so FULL is set on the writer after opening and read back.
///
/// `@unchecked Sendable` is not needed: the pool is Sendable and there is no other state.
package final class SQLiteCatalog: Catalog, RowsCatalog {
    /// The newest schema that this program knows.
    package static let schemaVersion = 10

    private let pool: DatabasePool

    /// Opens or makes the catalog at `path`.
    ///
    /// Throws `failedPrecondition` for a file of a newer schema, `dataLoss` for one that is not a catalog; a retry does
    /// not help with either.
    package init(path: String) throws {
        do {
            try Self.refuseNewer(path)
            var configuration = Configuration()
            configuration.maximumReaderCount = 8
            configuration.busyMode = .timeout(5)
            configuration.label = "catalog"
            pool = try DatabasePool(path: path, configuration: configuration)
            try SQLiteSchema.migrator.migrate(pool)
            try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                try database.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
                let level = try Int.fetchOne(database, sql: "PRAGMA synchronous")
                guard level == 2 else { throw SpileError.bug("the catalog's writer is not in FULL mode") }
            }
        } catch {
            throw SQLiteErrors.translated(error, path: path)
        }
    }

    package func read<Result>(_ body: (any CatalogReader) throws -> Result) throws -> Result {
        do {
            return try pool.read { try body(SQLTransaction(SQLiteConnection($0))) }
        } catch {
            throw SQLiteErrors.translated(error, path: pool.path)
        }
    }

    package func write<Result>(_ body: (any CatalogWriter) throws -> Result) throws -> Result {
        do {
            return try pool.write { try body(SQLTransaction(SQLiteConnection($0))) }
        } catch {
            throw SQLiteErrors.translated(error, path: pool.path)
        }
    }

    package func tails() throws -> [String: Int] { try readConnection { try SQLTransaction($0).tails() } }

    package func tail(_ name: String, from offset: Int) throws -> [UInt8] {
        try readConnection { try SQLTransaction($0).tail(name, from: offset) }
    }

    package func copy(to path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw SpileError(.alreadyExists, "\(path) exists already")
        }
        do {
            let copy = try DatabaseQueue(path: path)
            try pool.backup(to: copy)
            try copy.close()
        } catch {
            throw SQLiteErrors.translated(error, path: path)
        }
        try Posix.syncFile(path)
    }

    /// Reads one snapshot in the words of statements.
    func readConnection<Result>(_ body: (SQLiteConnection) throws -> Result) throws -> Result {
        do {
            return try pool.read { try body(SQLiteConnection($0)) }
        } catch {
            throw SQLiteErrors.translated(error, path: pool.path)
        }
    }

    func rows<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
        try readConnection { try body($0) }
    }

    /// Fills an empty catalog with all that another database's has.
    func fill(from source: some SQLConnection) throws {
        do {
            try pool.write { database in
                // A commit may have a younger parent for as long as rows come in.
                try database.execute(sql: "PRAGMA defer_foreign_keys = ON")
                try CatalogCopy.run(from: source, to: SQLiteConnection(database))
            }
        } catch {
            throw SQLiteErrors.translated(error, path: pool.path)
        }
    }

    /// Verifies the file's own structure. Throws `dataLoss` with what is wrong.
    package func verify() throws {
        let problems = try pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check(20)") }
        guard problems == ["ok"] else {
            throw SpileError(
                .dataLoss, "catalog \(pool.path) is damaged: \(problems.joined(separator: "; "))",
                remedy: "restore the data folder from a backup")
        }
    }

    package func close() throws {
        do {
            // The pool closes its writer before its readers, which leaves the log behind: fold it in first, so that the
            // one file is whole.
            try pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try pool.close()
        } catch {
            throw SQLiteErrors.translated(error, path: pool.path)
        }
    }

    /// What `PRAGMA synchronous` says on the writer; 2 is FULL.
    package func synchronousLevel() throws -> Int {
        try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
    }

    /// Looks before the pool opens the file, because the pool writes to it at once.
    private static func refuseNewer(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let queue = try DatabaseQueue(path: path)
        let version = try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
        try queue.close()
        guard version <= schemaVersion else {
            throw SpileError(
                .failedPrecondition,
                "catalog \(path) has schema \(version), this program knows up to \(schemaVersion)",
                remedy: "run the newer program that wrote it")
        }
    }
}

/// Turns the database's errors into ours.
enum SQLiteErrors {
    static func translated(_ error: any Error, path: String) -> any Error {
        guard let failure = error as? DatabaseError else { return error }
        let text = "catalog \(path): \(failure.message ?? failure.resultCode.description)"
        switch failure.resultCode {
        case .SQLITE_FULL:
            return SpileError(.resourceExhausted, text, remedy: "free space on the disk, then retry")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return SpileError(.unavailable, text, remedy: "another program holds the catalog")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return SpileError(.dataLoss, text, remedy: "restore the data folder from a backup")
        case .SQLITE_CONSTRAINT where isUniqueness(failure): return SpileError(.alreadyExists, text)
        case .SQLITE_CONSTRAINT: return SpileError.bug(text)
        default:
            return SpileError(.unavailable, text, remedy: "see the server's log")
        }
    }

    private static func isUniqueness(_ failure: DatabaseError) -> Bool {
        failure.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE
            || failure.extendedResultCode == .SQLITE_CONSTRAINT_PRIMARYKEY
    }
}
