import Core
import GRDB

/// A value of a column. The words are GRDB's, whatever the database: texts, whole numbers, bytes, and what is made of
/// them.
typealias SQLValue = DatabaseValueConvertible & StatementColumnConvertible

/// The values of a statement's question marks, in their order; nil is NULL.
typealias SQLArguments = [(any DatabaseValueConvertible)?]

/// A row that was read, its columns by their places. An optional is nil for NULL. What is not there, or of another kind
/// than is asked for, is a mistake in the program.
protocol SQLRow {
    subscript<Value: SQLValue>(_ index: Int) -> Value { get }
    /// Of whatever kind it is.
    func value(at index: Int) -> DatabaseValue
}

/// One connection inside a transaction: what the catalog's statements ask of a database. They are written once, for all
/// databases; where these have different words, ``words`` has them. Valid as long as the transaction. Errors are
/// ``SpileError``s.
protocol SQLConnection {
    associatedtype Answer: SQLRow

    var words: SQLWords { get }

    func row(_ sql: String, _ arguments: SQLArguments) throws -> Answer?
    func rows(_ sql: String, _ arguments: SQLArguments) throws -> [Answer]
    /// The first column of each row.
    func integers(_ sql: String, _ arguments: SQLArguments) throws -> [Int64]
    /// One row after the other: none is kept.
    func each(_ sql: String, _ body: (Answer) throws -> Void) throws

    /// How many rows were changed.
    @discardableResult func run(_ sql: String, _ arguments: SQLArguments) throws -> Int
    /// Inserts one row and returns the number that the database gave it in `column`: one more than the last one,
    /// whatever became of the row that had that. `columns` are those of the values. Throws `alreadyExists` where there
    /// is one of the same key, and the transaction goes on.
    func insert(into column: SQLNumbering, _ columns: String, _ arguments: SQLArguments) throws -> Int64
    /// The same for a table without numbers.
    func insert(into table: String, _ columns: String, _ arguments: SQLArguments) throws

    func savepoint<Result>(_ body: () throws -> Result) throws -> Result

    /// The highest number ever given out in a column; 0 for none.
    func lastNumber(_ column: SQLNumbering) throws -> Int64
    /// Sets that, in a table that was filled with numbers from elsewhere.
    func setLastNumber(_ column: SQLNumbering, to number: Int64) throws

    /// As ``CatalogWriter/changesElsewhere()``.
    func changesElsewhere() throws -> CatalogChanges
    /// As ``CatalogWriter/announce(_:)``.
    func announce(_ changes: Set<Int64>) throws
}

extension SQLConnection {
    // Of a database that one server has for itself.
    func changesElsewhere() throws -> CatalogChanges { .about([]) }
    func announce(_ changes: Set<Int64>) throws {}
}

/// A column whose numbers the database gives out, each once.
struct SQLNumbering: Sendable {
    var table: String
    var column: String
}

/// What databases say differently.
struct SQLWords: Sendable {
    /// The function that gives the larger of two values.
    var greatest: String
    /// A join whose left side is read first.
    var orderedJoin: String

    /// So many question marks, in a row. Nothing is in a list of NULL, nor in one of none, which PostgreSQL does not
    /// take.
    static func marks(_ count: Int) -> String {
        count == 0 ? "NULL" : Array(repeating: "?", count: count).joined(separator: ", ")
    }
}
