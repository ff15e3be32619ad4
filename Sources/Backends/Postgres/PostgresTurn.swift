#if PostgreSQL
    import Core
    import Synchronization

    /// The order in which the servers of one catalog write: one transaction after the other, each on top of all before.
    ///
    /// A transaction takes the one row of `spile_turn` first and counts it up as its last step. So it sees what every
    /// other has done, and learns of it what this server may have kept in memory. `spile_changes` says what each of the
    /// last turns was about.
    ///
    /// Why one after the other, and not side by side with conditions: the changes of a batch are small and their bytes
    /// are stored before it, so there is nothing to win but conflicts; what a commit makes downstream reads far around.
    final class PostgresTurn: Sendable {
        /// Of ``Peers/number``.
        let number: Int64
        /// The newest turn that this server knows to have happened, and has heard of.
        private let known = Mutex<Int64?>(nil)

        /// Turns of which it is remembered what they were about.
        private static let remembered: Int64 = 1000
        /// What a server can be told by the database at once, in bytes.
        private static let mostTold = 7000

        static let channel = "spile"
        /// Stands for more than can be told.
        static let anything = "*"

        init(number: Int64) { self.number = number }

        /// Waits for the turn. Throws `failedPrecondition` if the others have given this server up.
        func begin(_ connection: PostgresConnection) throws -> Taken {
            let turn: Int64 = try connection.execute("SELECT turn FROM spile_turn FOR UPDATE", []) { try $0.row(0)[0] }
            let last = known.withLock { $0 }
            if turn == last { return Taken(turn: turn, changes: .about([])) }
            try requirePresent(connection)
            return Taken(turn: turn, changes: try changes(since: last, upTo: turn, connection))
        }

        private func requirePresent(_ connection: PostgresConnection) throws {
            let ended: Bool? = try connection.execute("SELECT ended FROM spile_servers WHERE number = ?", [number]) {
                $0.count == 0 ? nil : try $0.row(0)[0]
            }
            guard ended == false else { throw Self.givenUp(connection.place) }
        }

        static func givenUp(_ place: String) -> SpileError {
            SpileError(
                .failedPrecondition,
                "the other servers of catalog \(place) have given this one up: they did not hear of it",
                remedy: "start it anew")
        }

        private func changes(
            since last: Int64?, upTo turn: Int64, _ connection: PostgresConnection
        ) throws -> CatalogChanges {
            guard let last, turn - last <= Self.remembered else { return .anything }
            let texts: [String] = try connection.execute("SELECT about FROM spile_changes WHERE turn > ?", [last]) {
                answer in try (0..<answer.count).map { try answer.row($0)[0] }
            }
            guard texts.count == Int(turn - last) else { return .anything }
            var all: Set<Int64> = []
            for text in texts {
                guard case .about(let some) = Self.changes(text) else { return .anything }
                all.formUnion(some)
            }
            return .about(all)
        }

        static func changes(_ text: some StringProtocol) -> CatalogChanges {
            text == anything ? .anything : .about(Set(text.split(separator: " ").compactMap { Int64($0) }))
        }

        /// The last step before the transaction is committed.
        func end(_ taken: Taken, _ connection: PostgresConnection) throws {
            var about = taken.announced.sorted().map { "\($0)" }.joined(separator: " ")
            if about.utf8.count > Self.mostTold { about = Self.anything }
            let next = taken.turn + 1
            let sql = """
                WITH counted AS (UPDATE spile_turn SET turn = turn + 1),
                    noted AS (INSERT INTO spile_changes (turn, about) VALUES (?, ?))
                SELECT pg_notify('\(Self.channel)', ?)::text
                """
            try connection.execute(sql, [next, about, "\(number) \(about)"]) { _ in }
            if next % Self.remembered == 0 {
                let limit = next - 2 * Self.remembered
                try connection.execute("DELETE FROM spile_changes WHERE turn < ?", [limit]) { _ in }
            }
        }

        /// It is durable.
        func ended(_ taken: Taken) { known.withLock { $0 = taken.turn + 1 } }

        /// One turn. Belongs to the thread whose transaction it is.
        final class Taken {
            let turn: Int64
            /// By others, since this server's last.
            let changes: CatalogChanges
            var announced: Set<Int64> = []

            init(turn: Int64, changes: CatalogChanges) {
                self.turn = turn
                self.changes = changes
            }
        }
    }
#endif
