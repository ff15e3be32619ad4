#if PostgreSQL
    import Core
    import Foundation
    import GRDB
    import Synchronization

    /// The catalog on PostgreSQL, for one server at a time or for several.
    ///
    /// For one: the writing connection holds an advisory lock for as long as it lasts, so that a second server is
    /// refused, and one that dies gives it back. When that connection is lost and made anew, another server may have
    /// been there meanwhile: each that opens the catalog counts `spile_schema.servers` up, and one that finds it
    /// changed writes no more. For several: they write in turn (``PostgresTurn``) and know of each other
    /// (``PostgresPresence``); their locks are shared ones, so that a server of the one kind is refused beside one of
    /// the other.
    ///
    /// Reads are snapshots (`REPEATABLE READ`), and wait for nobody.
    ///
    /// Durable means that `COMMIT` waits for the log to be on the disk: a session sees to it that `synchronous_commit`
    /// is not off, and a server with `fsync = off` is refused.
    package final class PostgresCatalog: Catalog, RowsCatalog {
        /// The newest schema that this program knows; the tables are those of SQLite's schema of the same number.
        package static let schemaVersion = SQLiteCatalog.schemaVersion

        /// Who may use a catalog.
        package enum Use: Sendable {
            /// This server and no other: it keeps its store on its own disk.
            case alone
            /// Any number of servers, on one store.
            case shared
        }

        /// Any number that no other user of the database takes: the letters of the name.
        static let serverLock: Int64 = 0x73_7069_6c65
        static let schemaLock: Int64 = serverLock + 1

        private static let beginReading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

        let address: PostgresAddress
        private let readers: PostgresPool
        private let writer: PostgresPool
        /// Apart, because these are read in the midst of other reads.
        private let tailReaders: PostgresPool
        private let turn: PostgresTurn?
        private let presence: PostgresPresence?

        /// Opens the catalog, and makes its tables in an empty database.
        ///
        /// Throws `failedPrecondition` for a newer schema and for a database that loses what it was given when it
        /// crashes or that is not in UTF-8 (no retry helps), and what ``PostgresConnection/init(_:)`` throws. `lease`:
        /// seconds after which a server that shares the catalog and is not heard of may be given up.
        package init(_ address: PostgresAddress, use: Use = .alone, lease: Double = 10) throws {
            self.address = address
            let epoch = ServerEpoch()
            readers = PostgresPool(address, limit: 8) { _ in }
            tailReaders = PostgresPool(address, limit: 2) { _ in }
            writer = PostgresPool(address, limit: 1) { connection in
                try Self.lock(connection, use, isFirst: epoch.value.withLock { $0 } == nil)
                switch use {
                case .alone: try Self.take(connection, epoch.value.withLock { $0 })
                case .shared: try Self.bound(connection)
                }
            }
            let own: Int64 = try writer.with { connection in
                try Self.requireDurable(connection, address)
                try PostgresSchema.migrate(connection)
                return try Self.register(connection, use)
            }
            epoch.value.withLock { $0 = own }
            guard use == .shared else {
                (turn, presence) = (nil, nil)
                return
            }
            turn = PostgresTurn(number: own)
            presence = PostgresPresence(address, number: own, lease: lease)
            // Opening the store may take longer than a lease.
            presence?.hold()
        }

        /// Counts this server. One of several is there from the moment that it has a number.
        private static func register(_ connection: PostgresConnection, _ use: Use) throws -> Int64 {
            let count = "UPDATE spile_schema SET servers = servers + 1 RETURNING servers"
            guard use == .shared else { return try connection.execute(count, []) { try $0.row(0)[0] } }
            // Nobody asks for those of long ago.
            try connection.execute(
                "DELETE FROM spile_servers WHERE ended AND seen < clock_timestamp() - interval '7 days'")
            let sql = """
                WITH own AS (\(count))
                INSERT INTO spile_servers (number, place, seen, ended)
                SELECT servers, '', clock_timestamp(), false FROM own RETURNING number
                """
            return try connection.execute(sql, []) { try $0.row(0)[0] }
        }

        package var peers: (any Peers)? { presence }

        private static func lock(_ connection: PostgresConnection, _ use: Use, isFirst: Bool) throws {
            // A server that died a moment ago has it until the database notices.
            try connection.execute("SET lock_timeout TO '3s'")
            do {
                try connection.execute(
                    "SELECT pg_advisory_lock\(use == .shared ? "_shared" : "")(\(serverLock))")
            } catch let error as SpileError where error.code == PostgresErrors.lockIsTaken {
                throw SpileError(
                    isFirst ? .failedPrecondition : .unavailable,
                    "catalog \(connection.place) is in use by another server",
                    remedy: use == .shared
                        ? "that one keeps its store on its own disk: stop it, or name another database"
                        : "stop that one, or name another database")
            }
            try connection.execute("SET lock_timeout TO DEFAULT")
        }

        /// Throws `failedPrecondition` where another server had the catalog since this one was `epoch`.
        private static func take(_ connection: PostgresConnection, _ epoch: Int64?) throws {
            guard let epoch else { return }
            let now: Int64 = try connection.execute("SELECT servers FROM spile_schema", []) { try $0.row(0)[0] }
            guard now == epoch else {
                throw SpileError(
                    .failedPrecondition, "another server has taken catalog \(connection.place) over",
                    remedy: "stop this server")
            }
        }

        /// Has the database end a turn whose server says nothing more: the others wait for it.
        private static func bound(_ connection: PostgresConnection) throws {
            try connection.execute(
                """
                SET idle_in_transaction_session_timeout TO '10s'; SET tcp_keepalives_idle TO 5;
                SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3
                """)
        }

        private static func requireDurable(_ connection: PostgresConnection, _ address: PostgresAddress) throws {
            let settings = try connection.execute(
                "SELECT current_setting('fsync'), current_setting('server_encoding')", []
            ) { try $0.row(0) }
            guard settings[0] == "on" else {
                throw SpileError(
                    .failedPrecondition, "catalog \(address): with fsync = off the database would lose commits",
                    remedy: "set fsync = on")
            }
            guard settings[1] == "UTF8" else {
                throw SpileError(
                    .failedPrecondition, "catalog \(address): the database keeps text as \(settings[1] as String)",
                    remedy: "make one with ENCODING 'UTF8'")
            }
        }

        package func read<Result>(_ body: (any CatalogReader) throws -> Result) throws -> Result {
            try readers.with { connection in
                try Self.transaction(connection, Self.beginReading, body)
            }
        }

        package func write<Result>(_ body: (any CatalogWriter) throws -> Result) throws -> Result {
            try writer.with { connection in
                guard let turn else { return try Self.transaction(connection, "BEGIN", body) }
                return try inTurn(turn, connection, body)
            }
        }

        private func inTurn<Result>(
            _ turn: PostgresTurn, _ connection: PostgresConnection, _ body: (any CatalogWriter) throws -> Result
        ) throws -> Result {
            var taken: PostgresTurn.Taken?
            let begin = { try turn.begin(connection) }
            let result = try Self.transaction(connection, "BEGIN", turn: begin) { transaction in
                taken = transaction.connection.turn
                let result = try body(transaction)
                if let taken, connection.isInTransaction { try turn.end(taken, connection) }
                return result
            }
            if let taken { turn.ended(taken) }
            return result
        }

        private static func transaction<Result>(
            _ connection: PostgresConnection, _ begin: String, turn: () throws -> PostgresTurn.Taken? = { nil },
            _ body: (SQLTransaction<PostgresTransaction>) throws -> Result
        ) throws -> Result {
            try connection.execute(begin)
            do {
                let result = try body(SQLTransaction(PostgresTransaction(connection, turn: try turn())))
                // An error that was caught inside has ended it all the same.
                guard connection.isInTransaction else {
                    throw SpileError(
                        .unavailable, "catalog \(connection.place) gave up the transaction", remedy: "retry")
                }
                try connection.execute("COMMIT")
                return result
            } catch {
                if connection.isAlive { try? connection.execute("ROLLBACK") }
                throw error
            }
        }

        package func tails() throws -> [String: Int] {
            try tailReaders.with { try Self.transaction($0, Self.beginReading) { try $0.tails() } }
        }

        package func tail(_ name: String, from offset: Int) throws -> [UInt8] {
            try tailReaders.with { try Self.transaction($0, Self.beginReading) { try $0.tail(name, from: offset) } }
        }

        func rows<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
            try readers.with { connection in
                try Self.transaction(connection, Self.beginReading) { try body($0.connection) }
            }
        }

        /// Fills an empty catalog with all that another one has, in one transaction. No server will have a number up to
        /// `taken`: objects of a store that they share may bear it (``Peers/number``). Throws `alreadyExists` where the
        /// catalog is not empty.
        package func fill(from source: any Catalog, taken: UInt64 = 0) throws {
            guard let source = source as? any RowsCatalog else { throw SpileError.bug("a catalog without rows") }
            try writer.with { connection in
                try Self.transaction(connection, "BEGIN") { transaction in
                    try source.rows { try CatalogCopy.run(from: $0, to: transaction.connection) }
                    let sql = "UPDATE spile_schema SET servers = greatest(servers, ?)"
                    try connection.execute(sql, [Int64(taken)]) { _ in }
                }
            }
        }

        package func copy(to path: String) throws {
            guard !FileManager.default.fileExists(atPath: path) else {
                throw SpileError(.alreadyExists, "\(path) exists already")
            }
            let copy = try SQLiteCatalog(path: path)
            do {
                try readers.with { connection in
                    try Self.transaction(connection, Self.beginReading) { try copy.fill(from: $0.connection) }
                }
                try copy.close()
            } catch {
                try? copy.close()
                try? FileManager.default.removeItem(atPath: path)
                throw error
            }
            try Posix.syncFile(path)
        }

        package func close() throws {
            presence?.leave()
            readers.close()
            tailReaders.close()
            writer.close()
        }
    }

    /// The count under which a server opened the catalog; nil until it is known. Written once, by the opening thread.
    private final class ServerEpoch: Sendable {
        let value = Mutex<Int64?>(nil)
    }

    /// Connections that are used one after the other. Any thread may ask; waits for one where `limit` are in use.
    final class PostgresPool: Sendable {
        private struct State {
            var idle: [PostgresConnection] = []
            var isClosed = false
        }

        private let address: PostgresAddress
        private let room: DispatchSemaphore
        private let state = Mutex(State())
        /// Does to a new connection what is to be done once.
        private let prepare: @Sendable (PostgresConnection) throws -> Void

        init(
            _ address: PostgresAddress, limit: Int, _ prepare: @escaping @Sendable (PostgresConnection) throws -> Void
        ) {
            self.address = address
            self.prepare = prepare
            room = DispatchSemaphore(value: limit)
        }

        /// Runs `body` with a connection that nobody else has meanwhile. One that broke is not used again.
        func with<Result>(_ body: (PostgresConnection) throws -> Result) throws -> Result {
            room.wait()
            defer { room.signal() }
            let connection = try take()
            defer { if connection.isAlive && !connection.isBusy { give(connection) } }
            return try body(connection)
        }

        private func take() throws -> PostgresConnection {
            while true {
                let (known, isClosed) = state.withLock { state in (state.idle.popLast(), state.isClosed) }
                if isClosed { throw SpileError(.unavailable, "catalog \(address) is closed") }
                guard let known else { break }
                // After a restart of the database none of them is.
                if known.isStillThere { return known }
            }
            let fresh = try PostgresConnection(address)
            try fresh.execute("SET client_encoding TO 'UTF8'")
            let isAsynchronous = try fresh.execute("SELECT current_setting('synchronous_commit')", []) {
                try $0.row(0)[0] == "off"
            }
            if isAsynchronous { try fresh.execute("SET synchronous_commit TO on") }
            try prepare(fresh)
            return fresh
        }

        private func give(_ connection: PostgresConnection) {
            state.withLock { state in if !state.isClosed { state.idle.append(connection) } }
        }

        func close() {
            let idle = state.withLock { state in
                defer { state.idle = [] }
                state.isClosed = true
                return state.idle
            }
            // Locks are given back now, not when the database has noticed the end.
            for connection in idle { try? connection.execute("SELECT pg_advisory_unlock_all()") }
        }
    }
#endif
