#if PostgreSQL
    import CPostgreSQL
    import Core
    import Foundation
    import Synchronization

    /// Says in the catalog that this server is there, hears of what the others change, and leads if it is wanted to and
    /// nobody else does. Any thread may call; all state is guarded by the mutex.
    ///
    /// One thread has a connection of its own. Times are the database's, so that clocks of machines need not agree;
    /// what this server believes of its own lease it counts by its own clock, from before the database was asked.
    final class PostgresPresence: Peers {
        /// Seconds after which a server that was not heard of is not there, and one that leads does no more.
        let lease: Double
        /// Seconds between two signs of life.
        private var rhythm: Double { lease / 5 }

        private struct State {
            var hasLeft = false
            /// Whether somebody attends: ``hold()`` is over then.
            var isAttended = false
            /// How many want to lead, whether one has just begun to, and those of them who wait.
            var leaders = 0
            var isAsked = false
            var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
            var nextTicket = 0
            /// Until when this server leads.
            var leadsUntil: ContinuousClock.Instant?
        }

        let address: PostgresAddress
        let own: Int64
        private let state = Mutex(State())
        private let bell = Bell()

        init(_ address: PostgresAddress, number: Int64, lease: Double) {
            self.address = address
            own = number
            self.lease = lease
        }

        var number: UInt64 { UInt64(own) }

        // MARK: The thread

        func attend(
            at place: String, heard: @escaping @Sendable (CatalogChanges) -> Void,
            collecting: @escaping @Sendable (SharedCollection) -> Void, givenUp: @escaping @Sendable () -> Void
        ) {
            state.withLock { $0.isAttended = true }
            let thread = Thread { [self] in
                let ears = Ears(heard: heard, collecting: collecting)
                while !hasLeft {
                    do { try attend(at: place, ears) } catch let error as SpileError
                        where error.code == .failedPrecondition
                    {
                        return givenUp()
                    } catch { bell.wait(seconds: 0.5) }
                }
            }
            thread.name = "peers"
            thread.start()
        }

        private var hasLeft: Bool { state.withLock { $0.hasLeft } }

        /// Says that this server is there until ``attend(at:heard:collecting:givenUp:)`` does.
        func hold() {
            let thread = Thread { [self] in
                while !state.withLock({ $0.hasLeft || $0.isAttended }) {
                    try? beat(PostgresConnection(address))
                    bell.wait(seconds: rhythm)
                }
            }
            thread.name = "holding"
            thread.start()
        }

        /// Who hears what. Belongs to the thread.
        private final class Ears {
            let heard: (CatalogChanges) -> Void
            let collecting: (SharedCollection) -> Void
            /// What was told last.
            private var collection: SharedCollection?

            init(heard: @escaping (CatalogChanges) -> Void, collecting: @escaping (SharedCollection) -> Void) {
                self.heard = heard
                self.collecting = collecting
            }

            func hear(_ collection: SharedCollection) {
                if collection == self.collection { return }
                self.collection = collection
                collecting(collection)
            }
        }

        private func attend(at place: String, _ ears: Ears) throws {
            let connection = try PostgresConnection(address)
            try connection.execute("SET statement_timeout TO '5s'; LISTEN \(PostgresTurn.channel)")
            try connection.execute("UPDATE spile_servers SET place = ? WHERE number = ?", [place, own]) { _ in }
            // What was told while nobody listened.
            ears.heard(.anything)
            var next = ContinuousClock.now
            while !hasLeft {
                if ContinuousClock.now >= next || state.withLock({ $0.isAsked }) {
                    try beat(connection)
                    ears.hear(try Self.collection(connection))
                    next = ContinuousClock.now + .seconds(rhythm)
                }
                let pause = max(0, (next - ContinuousClock.now) / .seconds(1))
                for text in try connection.notifications(waiting: pause, or: bell) {
                    if text == Self.collectionMoved { next = .now } else { tell(text, ears.heard) }
                }
            }
        }

        private func tell(_ text: String, _ heard: (CatalogChanges) -> Void) {
            let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Int64(parts[0]) != own else { return }
            let changes = PostgresTurn.changes(parts[1])
            if !changes.isEmpty { heard(changes) }
        }

        private func beat(_ connection: PostgresConnection) throws {
            let asked = ContinuousClock.now
            let wants = state.withLock { state in
                state.isAsked = false
                return state.leaders > 0
            }
            let sql = """
                WITH me AS (
                    UPDATE spile_servers SET seen = clock_timestamp() WHERE number = ? AND NOT ended RETURNING number
                ), lead AS (
                    UPDATE spile_leader SET number = me.number, until = clock_timestamp() + make_interval(secs => ?)
                    FROM me WHERE ? = 1 AND (spile_leader.number = me.number OR until < clock_timestamp())
                    RETURNING me.number
                )
                SELECT (SELECT count(*) FROM me), (SELECT count(*) FROM lead)
                """
            let (isThere, leads) = try connection.execute(sql, [own, lease, Int64(wants ? 1 : 0)]) {
                let row = try $0.row(0)
                return (row[0] == Int64(1), row[1] == Int64(1))
            }
            guard isThere else {
                lead(until: nil)
                if hasLeft { return }
                throw PostgresTurn.givenUp(connection.place)
            }
            // Others may lead when the lease is over: this server begins to stop before that.
            lead(until: leads ? asked + .seconds(lease * 0.6) : nil)
        }

        private func lead(until: ContinuousClock.Instant?) {
            let waiting = state.withLock { state in
                state.leadsUntil = until
                if until == nil { return [CheckedContinuation<Void, Never>]() }
                defer { state.waiting = [:] }
                return Array(state.waiting.values)
            }
            for waiter in waiting { waiter.resume() }
        }

        // MARK: Leading

        private static func leads(_ state: State) -> Bool { state.leadsUntil.map { $0 > .now } ?? false }

        func acquire() async throws {
            state.withLock { state in
                state.leaders += 1
                state.isAsked = true
            }
            // Asked for at once, not with the next sign of life.
            bell.ring()
            do {
                while !state.withLock({ Self.leads($0) }) {
                    try Task.checkCancellation()
                    await waitToLead()
                }
                try Task.checkCancellation()
            } catch {
                state.withLock { $0.leaders -= 1 }
                throw error
            }
        }

        private func waitToLead() async {
            let ticket = state.withLock { state in
                state.nextTicket += 1
                return state.nextTicket
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isDone = state.withLock { state in
                        if Task.isCancelled || Self.leads(state) { return true }
                        state.waiting[ticket] = continuation
                        return false
                    }
                    if isDone { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume()
            }
        }

        func lost() async throws {
            defer { state.withLock { $0.leaders -= 1 } }
            while let until = state.withLock({ $0.leadsUntil }), until > .now {
                // Not to its end at once: one that is given back is noticed soon.
                try await Task.sleep(for: min(.seconds(1), max(.milliseconds(10), until - .now)))
            }
            try Task.checkCancellation()
        }

        // MARK: The others

        static let here = "NOT ended AND seen > clock_timestamp() - make_interval(secs => ?)"

        func present() throws -> Set<UInt64> {
            let connection = try PostgresConnection(address)
            return try Self.numbers("WHERE \(Self.here)", [lease], connection)
        }

        private static func numbers(
            _ condition: String, _ values: SQLArguments, _ connection: PostgresConnection
        ) throws -> Set<UInt64> {
            try connection.execute("SELECT number FROM spile_servers \(condition)", values) { answer in
                Set(try (0..<answer.count).map { UInt64(try answer.row($0)[0] as Int64) })
            }
        }

        /// A database that has just been started has heard of nobody for a while.
        private static let knowsByNow = "pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => ?)"

        func giveUpAbsent() throws -> Set<UInt64> {
            let connection = try PostgresConnection(address)
            try connection.execute("SET statement_timeout TO '15s'; BEGIN")
            // As every other change: who was given up has to notice at its next turn.
            try connection.execute("SELECT turn FROM spile_turn FOR UPDATE", []) { _ in }
            let knows: Bool = try connection.execute("SELECT \(Self.knowsByNow)", [lease]) { try $0.row(0)[0] }
            let others = try Self.numbers(
                "WHERE number <> ? AND NOT ended AND NOT (\(Self.here))", [own, lease], connection)
            if !others.isEmpty {
                guard knows else {
                    throw SpileError(
                        .unavailable,
                        "catalog \(connection.place) was started a moment ago: it is not known who else is there")
                }
                try connection.execute(
                    "UPDATE spile_servers SET ended = true WHERE number IN (\(SQLWords.marks(others.count)))",
                    others.map { Int64($0) }) { _ in }
                try connection.execute(
                    """
                    WITH counted AS (UPDATE spile_turn SET turn = turn + 1 RETURNING turn)
                    INSERT INTO spile_changes (turn, about) SELECT turn, '' FROM counted
                    """)
            }
            let rest = try Self.numbers("WHERE NOT ended", [], connection)
            try connection.execute("COMMIT")
            return rest
        }

        func leave() {
            let waiting = state.withLock { state in
                state.hasLeft = true
                state.leadsUntil = nil
                defer { state.waiting = [:] }
                return Array(state.waiting.values)
            }
            for waiter in waiting { waiter.resume() }
            bell.ring()
            guard let connection = try? PostgresConnection(address) else { return }
            try? connection.execute("SET statement_timeout TO '3s'")
            try? connection.execute("UPDATE spile_servers SET ended = true WHERE number = \(own)")
            try? connection.execute("UPDATE spile_leader SET until = '-infinity' WHERE number = \(own)")
        }
    }

    /// Wakes the one thread that waits, which may wait for a socket at the same time. Any thread may ring.
    final class Bell: Sendable {
        /// What is readable once it was rung.
        let ear: Int32
        private let hammer: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            precondition(pipe(&ends) == 0, "no file for a pipe")
            (ear, hammer) = (ends[0], ends[1])
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }

        deinit {
            closeFile(ear)
            closeFile(hammer)
        }

        func ring() {
            var byte: UInt8 = 1
            _ = write(hammer, &byte, 1)
        }

        /// Returns after `seconds`, when it was rung, or when `socket` has something to read.
        func wait(seconds: Double, or socket: Int32 = -1) {
            var files = [
                pollfd(fd: ear, events: Int16(POLLIN), revents: 0),
                pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&files, 2, Int32((seconds * 1000).rounded(.up)))
            var bytes = [UInt8](repeating: 0, count: 64)
            while read(ear, &bytes, bytes.count) > 0 {}
        }
    }
#endif
