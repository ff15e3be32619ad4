#if PostgreSQL
    import CPostgreSQL
    import Core
    import Foundation

    /// Turns the server's errors into ours, by their SQLSTATE.
    enum PostgresErrors {
        /// Of a wait for a lock that was over before that was free.
        static let lockIsTaken = SpileError.Code.aborted

        static func translated(
            _ answer: OpaquePointer?, _ connection: OpaquePointer, place: String, sql: String
        ) -> SpileError {
            // 67: PG_DIAG_SQLSTATE, which is a character in the header.
            let state = PQresultErrorField(answer, 67).map { String(cString: $0) } ?? ""
            let message = String(cString: PQerrorMessage(connection)).trimmingCharacters(in: .whitespacesAndNewlines)
            return error(state, "catalog \(place): \(message)", sql: sql)
        }

        static func error(_ state: String, _ text: String, sql: String) -> SpileError {
            switch (state.prefix(2), state) {
            case (_, "23505"): SpileError(.alreadyExists, text)
            case ("23", _), ("42", _), ("22", _): SpileError.bug("\(text) (\(sql))")
            case ("53", "53300"):
                SpileError(.unavailable, text, remedy: "let the database accept more connections (max_connections)")
            case ("53", _): SpileError(.resourceExhausted, text, remedy: "make room for the database, then retry")
            case ("28", _): SpileError(.permissionDenied, text, remedy: "check user and password")
            case ("25", "25006"): SpileError(.unavailable, text, remedy: "name the primary server, not a standby")
            case ("55", "55P03"): SpileError(lockIsTaken, text)
            // Serialization failures, shutdowns, lost connections: the transaction is gone, another one may do.
            default: SpileError(.unavailable, text, remedy: "retry; see the database's log")
            }
        }
    }

    /// Where a catalog is: what `PQconnectdb` takes, a URL or `name=value` pairs.
    package struct PostgresAddress: Sendable, Equatable, CustomStringConvertible {
        package let text: String

        package init(_ text: String) { self.text = text }

        /// For messages: without the password.
        package var shown: String {
            if var parts = URLComponents(string: text), parts.scheme != nil {
                if parts.password != nil { parts.password = "***" }
                parts.queryItems = parts.queryItems?.map { item in
                    item.name == "password" ? URLQueryItem(name: item.name, value: "***") : item
                }
                return parts.string ?? "postgres"
            }
            return text.split(separator: " ").map { $0.hasPrefix("password=") ? "password=***" : $0 }
                .joined(separator: " ")
        }

        package var description: String { shown }
    }
#endif
