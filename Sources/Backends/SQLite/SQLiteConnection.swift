import Core
import GRDB

/// A row that was copied out of an answer, or is the one that a cursor stands at.
struct SQLiteRow: SQLRow {
    let row: Row

    subscript<Value: SQLValue>(_ index: Int) -> Value { row[index] }
    func value(at index: Int) -> DatabaseValue { row[index] }
}

/// A connection of the pool inside a transaction; statements are cached by it.
struct SQLiteConnection: SQLConnection {
    let database: Database

    init(_ database: Database) { self.database = database }

    var words: SQLWords { SQLWords(greatest: "max", orderedJoin: "CROSS JOIN") }

    func row(_ sql: String, _ arguments: SQLArguments) throws -> SQLiteRow? {
        try translating {
            try Row.fetchOne(database.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
                .map(SQLiteRow.init)
        }
    }

    func rows(_ sql: String, _ arguments: SQLArguments) throws -> [SQLiteRow] {
        try translating {
            try Row.fetchAll(database.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
                .map(SQLiteRow.init)
        }
    }

    func integers(_ sql: String, _ arguments: SQLArguments) throws -> [Int64] {
        try translating {
            try Int64.fetchAll(database.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
        }
    }

    func each(_ sql: String, _ body: (SQLiteRow) throws -> Void) throws {
        let cursor = try translating { try Row.fetchCursor(database, sql: sql) }
        while let row = try translating({ try cursor.next() }) { try body(SQLiteRow(row: row)) }
    }

    func run(_ sql: String, _ arguments: SQLArguments) throws -> Int {
        try translating {
            try database.cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
        }
        return database.changesCount
    }

    func insert(into column: SQLNumbering, _ columns: String, _ arguments: SQLArguments) throws -> Int64 {
        try insert(into: column.table, columns, arguments)
        return database.lastInsertedRowID
    }

    func insert(into table: String, _ columns: String, _ arguments: SQLArguments) throws {
        let marks = SQLWords.marks(arguments.count)
        _ = try run("INSERT INTO \(table) (\(columns)) VALUES (\(marks))", arguments)
    }

    func savepoint<Result>(_ body: () throws -> Result) throws -> Result {
        // An error of the disk may have ended the transaction: nothing more may be written outside of it (I1).
        guard database.isInsideTransaction else {
            throw SpileError(.unavailable, "the catalog gave up the transaction of this batch", remedy: "retry")
        }
        var result: Result?
        try database.inSavepoint {
            result = try body()
            return .commit
        }
        guard let result else { throw SpileError.bug("a savepoint ended without a result") }
        return result
    }

    func lastNumber(_ column: SQLNumbering) throws -> Int64 {
        try row("SELECT seq FROM sqlite_sequence WHERE name = ?", [column.table])?[0] ?? 0
    }

    func setLastNumber(_ column: SQLNumbering, to number: Int64) throws {
        _ = try run("DELETE FROM sqlite_sequence WHERE name = ?", [column.table])
        _ = try run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [column.table, number])
    }

    /// Errors leave as ours, also those that a caller catches inside the transaction.
    private func translating<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw SQLiteErrors.translated(error, path: "catalog.sqlite") }
    }
}
