#if PostgreSQL
    import CPostgreSQL
    import Core
    import Foundation
    import GRDB

    /// A row of an answer, copied out of it.
    struct PostgresRow: SQLRow {
        let values: [DatabaseValue]

        subscript<Value: SQLValue>(_ index: Int) -> Value {
            guard let value = Value.fromDatabaseValue(values[index]) else {
                preconditionFailure("BUG: column \(index) is \(values[index]), not a \(Value.self)")
            }
            return value
        }

        func value(at index: Int) -> DatabaseValue { values[index] }
    }

    /// One connection to the server. Calls block.
    ///
    /// `@unchecked Sendable`: it belongs to one thread at a time, that which ``PostgresPool`` gave it to.
    ///
    /// Statements are prepared once and kept by the server, under a number each. Values go as text, bytes and answers
    /// in binary form, so that the server finds the types by itself and nothing is escaped.
    final class PostgresConnection: @unchecked Sendable {
        private let handle: OpaquePointer
        /// Names of prepared statements by their text, question marks and all.
        private var prepared: [String: String] = [:]
        /// Where the server is, for messages; without the password.
        let place: String

        /// More are not prepared: statements are texts of ours, of which there are some two hundred.
        private static let mostPrepared = 1000

        /// Connects. Throws `unavailable` where the server cannot be reached, `permissionDenied` where it refuses,
        /// `failedPrecondition` where it cannot keep what it is given.
        init(_ address: PostgresAddress) throws {
            place = address.shown
            guard let handle = Self.open(address) else {
                throw SpileError(.resourceExhausted, "no memory for a connection to \(address.shown)")
            }
            self.handle = handle
            // What the server says beside its answers would go to standard error.
            PQsetNoticeProcessor(handle, { _, _ in }, nil)
            guard PQstatus(handle) == CONNECTION_OK else {
                let text = String(cString: PQerrorMessage(handle)).trimmingCharacters(in: .whitespacesAndNewlines)
                let isRefused = text.contains("authentication failed") || text.contains("no pg_hba.conf entry")
                throw SpileError(
                    isRefused ? .permissionDenied : .unavailable,
                    "catalog \(address.shown): cannot connect: \(text)",
                    remedy: isRefused ? "check user and password" : "is the database running there?")
            }
        }

        /// What holds where the address says nothing else: a server that is silent counts as lost after some seconds.
        private static let usual = [
            ("connect_timeout", "5"), ("keepalives_idle", "5"), ("keepalives_interval", "5"),
            ("keepalives_count", "3"), ("tcp_user_timeout", "15000"),
        ]

        private static func open(_ address: PostgresAddress) -> OpaquePointer? {
            // What comes later wins, and the address is taken apart in its place.
            let words = usual + [("dbname", address.text)]
            let keys = words.map { strdup($0.0) }, values = words.map { strdup($0.1) }
            defer { for text in keys + values { free(text) } }
            let (names, texts) = (keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
            return PQconnectdbParams(names, texts, 1)
        }

        deinit { PQfinish(handle) }

        /// Whether the server can still be spoken to.
        var isAlive: Bool { PQstatus(handle) == CONNECTION_OK }
        /// Whether the server has not gone while nobody used the connection: costs two looks at the socket, because
        /// what it said last comes before the end.
        var isStillThere: Bool {
            isAlive && PQconsumeInput(handle) == 1 && PQconsumeInput(handle) == 1 && isAlive
        }
        /// Whether a transaction, good or not, is open: who has the connection next would be in it.
        var isBusy: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }
        /// Whether a transaction is open and good.
        var isInTransaction: Bool { PQtransactionStatus(handle) == PQTRANS_INTRANS }

        /// Runs statements without values.
        func execute(_ sql: String) throws {
            let answer = PQexec(handle, sql)
            defer { PQclear(answer) }
            try check(answer, sql)
        }

        /// Runs one statement; `body` gets its answer, which is valid until it returns.
        func execute<Result>(
            _ sql: String, _ arguments: SQLArguments, _ body: (PostgresAnswer) throws -> Result
        ) throws -> Result {
            let name = try statement(sql)
            let answer = PostgresValues.with(arguments) { values, lengths, formats in
                PQexecPrepared(handle, name, Int32(arguments.count), values, lengths, formats, 1)
            }
            defer { PQclear(answer) }
            try check(answer, sql)
            return try body(PostgresAnswer(answer: answer))
        }

        private func statement(_ sql: String) throws -> String {
            if let known = prepared[sql] { return known }
            if prepared.count >= Self.mostPrepared {
                try execute("DEALLOCATE ALL")
                prepared = [:]
            }
            let name = "s\(prepared.count)"
            let answer = PQprepare(handle, name, Self.numbered(sql), 0, nil)
            defer { PQclear(answer) }
            try check(answer, sql)
            prepared[sql] = name
            return name
        }

        /// `?` as `$1`, `$2`, and so on: no text of ours has a question mark in quotes.
        static func numbered(_ sql: String) -> String {
            var result = ""
            var number = 0
            for character in sql {
                if character == "?" {
                    number += 1
                    result += "$\(number)"
                } else {
                    result.append(character)
                }
            }
            return result
        }

        /// What others told on the channels that this connection listens to; waits up to so many seconds for the first,
        /// or until the bell rings. Throws `unavailable` if the server is gone.
        func notifications(waiting seconds: Double, or bell: Bell) throws -> [String] {
            var texts = told()
            if texts.isEmpty {
                bell.wait(seconds: seconds, or: PQsocket(handle))
                guard PQconsumeInput(handle) == 1 else {
                    throw SpileError(.unavailable, "the connection to catalog \(place) was lost")
                }
                texts = told()
            }
            return texts
        }

        private func told() -> [String] {
            var texts: [String] = []
            while let notification = PQnotifies(handle) {
                texts.append(String(cString: notification.pointee.extra))
                PQfreemem(notification)
            }
            return texts
        }

        private func check(_ answer: OpaquePointer?, _ sql: String) throws {
            switch PQresultStatus(answer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return
            default: throw PostgresErrors.translated(answer, handle, place: place, sql: sql)
            }
        }
    }

    /// What a statement gave. Valid while the closure runs that got it.
    struct PostgresAnswer {
        let answer: OpaquePointer?

        var count: Int { Int(PQntuples(answer)) }
        /// How many rows a change has changed.
        var changed: Int { Int(String(cString: PQcmdTuples(answer))) ?? 0 }

        func row(_ index: Int) throws -> PostgresRow {
            PostgresRow(values: try (0..<PQnfields(answer)).map { try value(Int32(index), $0) })
        }

        private func value(_ row: Int32, _ column: Int32) throws -> DatabaseValue {
            if PQgetisnull(answer, row, column) == 1 { return .null }
            let bytes = UnsafeRawBufferPointer(
                start: PQgetvalue(answer, row, column), count: Int(PQgetlength(answer, row, column)))
            switch PQftype(answer, column) {
            case 16: return (bytes[0] != 0).databaseValue
            case 20: return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)).databaseValue
            case 21: return Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self))).databaseValue
            case 23: return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self))).databaseValue
            case 701: return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))).databaseValue
            case 17: return Data(bytes).databaseValue
            case 19, 25, 1042, 1043: return String(decoding: bytes, as: UTF8.self).databaseValue
            case let type: throw SpileError.bug("column \(column) is of type \(type)")
            }
        }
    }

    /// Values as the server takes them.
    enum PostgresValues {
        typealias Pointers = UnsafePointer<UnsafePointer<CChar>?>

        /// Hands on pointers to the values, their lengths and their formats (1: binary).
        static func with<Result>(
            _ arguments: SQLArguments, _ body: (Pointers?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
        ) -> Result {
            var bytes: [UInt8] = []
            var places: [(start: Int, count: Int, format: Int32)?] = []
            for argument in arguments { places.append(append(argument?.databaseValue ?? .null, to: &bytes)) }
            let lengths = places.map { Int32($0?.count ?? 0) }
            let formats = places.map { $0?.format ?? 0 }
            return bytes.withUnsafeBufferPointer { buffer in
                let values = places.map { place in
                    place.flatMap { place in
                        buffer.baseAddress.map {
                            UnsafeRawPointer($0 + place.start).assumingMemoryBound(to: CChar.self)
                        }
                    }
                }
                return values.withUnsafeBufferPointer { values in
                    body(values.baseAddress, lengths, formats)
                }
            }
        }

        /// Texts end with a zero. Nil for NULL.
        private static func append(
            _ value: DatabaseValue, to bytes: inout [UInt8]
        ) -> (start: Int, count: Int, format: Int32)? {
            let start = bytes.count
            var format: Int32 = 0
            switch value.storage {
            case .null: return nil
            case .int64(let number): bytes += "\(number)".utf8
            case .double(let number): bytes += "\(number)".utf8
            case .string(let text): bytes += text.utf8
            case .blob(let data):
                bytes += data
                format = 1
            }
            let count = bytes.count - start
            bytes.append(0)
            return (start, count, format)
        }
    }
#endif
