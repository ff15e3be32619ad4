#if PostgreSQL
    import Core

    /// A connection inside a transaction.
    struct PostgresTransaction: SQLConnection {
        let connection: PostgresConnection
        /// Where several servers write, and in a transaction that does.
        let turn: PostgresTurn.Taken?

        init(_ connection: PostgresConnection, turn: PostgresTurn.Taken? = nil) {
            self.connection = connection
            self.turn = turn
        }

        func changesElsewhere() throws -> CatalogChanges { turn?.changes ?? .about([]) }
        func announce(_ changes: Set<Int64>) throws { turn?.announced.formUnion(changes) }

        var words: SQLWords { SQLWords(greatest: "greatest", orderedJoin: "JOIN") }

        /// Rows that are fetched at once where all of them would be too many.
        private static let batch = 1000

        func row(_ sql: String, _ arguments: SQLArguments) throws -> PostgresRow? {
            try connection.execute(sql, arguments) { $0.count == 0 ? nil : try $0.row(0) }
        }

        func rows(_ sql: String, _ arguments: SQLArguments) throws -> [PostgresRow] {
            try connection.execute(sql, arguments) { answer in try (0..<answer.count).map(answer.row) }
        }

        func integers(_ sql: String, _ arguments: SQLArguments) throws -> [Int64] {
            try connection.execute(sql, arguments) { answer in try (0..<answer.count).map { try answer.row($0)[0] } }
        }

        func each(_ sql: String, _ body: (PostgresRow) throws -> Void) throws {
            try connection.execute("DECLARE pages NO SCROLL CURSOR FOR \(sql)")
            while true {
                let page = try rows("FETCH \(Self.batch) FROM pages", [])
                for row in page { try body(row) }
                if page.count < Self.batch { break }
            }
            try connection.execute("CLOSE pages")
        }

        func run(_ sql: String, _ arguments: SQLArguments) throws -> Int {
            try connection.execute(sql, arguments) { $0.changed }
        }

        // A statement that fails would end the transaction: rows that are there already are told by what is not done.

        func insert(into column: SQLNumbering, _ columns: String, _ arguments: SQLArguments) throws -> Int64 {
            let sql = """
                WITH next AS (UPDATE spile_numbers SET last = last + 1 WHERE name = '\(column.table)' RETURNING last)
                INSERT INTO \(column.table) (\(column.column), \(columns))
                VALUES ((SELECT last FROM next), \(SQLWords.marks(arguments.count)))
                ON CONFLICT DO NOTHING RETURNING \(column.column)
                """
            if let row = try row(sql, arguments) { return row[0] }
            // No number is left out.
            _ = try run("UPDATE spile_numbers SET last = last - 1 WHERE name = ?", [column.table])
            throw exists(column.table)
        }

        func insert(into table: String, _ columns: String, _ arguments: SQLArguments) throws {
            let marks = SQLWords.marks(arguments.count)
            let sql = "INSERT INTO \(table) (\(columns)) VALUES (\(marks)) ON CONFLICT DO NOTHING"
            if try run(sql, arguments) == 0 { throw exists(table) }
        }

        private func exists(_ table: String) -> SpileError {
            SpileError(.alreadyExists, "catalog \(connection.place): there is such a row in \(table) already")
        }

        func savepoint<Result>(_ body: () throws -> Result) throws -> Result {
            guard connection.isInTransaction else {
                throw SpileError(.unavailable, "the catalog gave up the transaction of this batch", remedy: "retry")
            }
            try connection.execute("SAVEPOINT inner_part")
            do {
                let result = try body()
                try connection.execute("RELEASE SAVEPOINT inner_part")
                return result
            } catch {
                if connection.isAlive {
                    try connection.execute("ROLLBACK TO SAVEPOINT inner_part; RELEASE SAVEPOINT inner_part")
                }
                throw error
            }
        }

        func lastNumber(_ column: SQLNumbering) throws -> Int64 {
            try row("SELECT last FROM spile_numbers WHERE name = ?", [column.table])?[0] ?? 0
        }

        func setLastNumber(_ column: SQLNumbering, to number: Int64) throws {
            _ = try run("UPDATE spile_numbers SET last = ? WHERE name = ?", [number, column.table])
        }
    }
#endif
