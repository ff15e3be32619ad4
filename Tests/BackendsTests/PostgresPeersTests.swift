#if PostgreSQL
    import Core
    import Foundation
    import Synchronization
    import Testing

    @testable import Backends

    /// Several servers on one catalog: what each hears of the others, and who may do what.
    @Suite(.timeLimit(.minutes(15))) struct PostgresPeersTests {
        private func fresh() throws -> PostgresAddress { try PostgresServer.shared.get().freshDatabase() }

        private func open(_ address: PostgresAddress, lease: Double = 10) throws -> PostgresCatalog {
            try PostgresCatalog(address, use: .shared, lease: lease)
        }

        private func peers(_ catalog: PostgresCatalog) throws -> any Peers { try #require(catalog.peers) }

        /// What one transaction is told of others' changes.
        private func changes(_ catalog: PostgresCatalog, announcing: Set<Int64> = []) throws -> CatalogChanges {
            try catalog.write { writer in
                try writer.announce(announcing)
                return try writer.changesElsewhere()
            }
        }

        @Test func `each transaction is told what the others changed since the last one`() throws {
            let address = try fresh()
            let (a, b) = (try open(address), try open(address))
            // Who comes new knows nothing.
            #expect(try changes(a) == .anything)
            #expect(try changes(b) == .anything)
            #expect(try changes(a, announcing: [1, 2]) == .about([]))
            #expect(try changes(a, announcing: [2, -1]) == .about([]))
            #expect(try changes(b) == .about([1, 2, -1]))
            #expect(try changes(b) == .about([]))
            #expect(try changes(a) == .about([]))
            try a.close()
            try b.close()
        }

        @Test func `what was changed and is not durable nobody is told of`() throws {
            let address = try fresh()
            let (a, b) = (try open(address), try open(address))
            _ = try (changes(a), changes(b), changes(a))
            #expect(throws: CatalogSuite.Abandoned.self) {
                try b.write { writer throws in
                    try writer.announce([7])
                    throw CatalogSuite.Abandoned()
                }
            }
            #expect(try changes(a) == .about([]))
            try a.close()
            try b.close()
        }

        @Test func `more than a message holds is anything`() throws {
            let address = try fresh()
            let (a, b) = (try open(address), try open(address))
            _ = try (changes(b), changes(a, announcing: Set((0..<3000).map { 1_000_000 + $0 })))
            #expect(try changes(b) == .anything)
            try a.close()
            try b.close()
        }

        @Test func `writers of several servers wait for each other, and none loses anything`() async throws {
            let address = try fresh()
            let catalogs = try (0..<3).map { _ in try open(address) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for catalog in catalogs {
                    group.addTask {
                        for _ in 0..<50 {
                            try catalog.write { writer in
                                let count = Int(try writer.setting("count") ?? "0") ?? 0
                                try writer.setSetting("count", to: "\(count + 1)")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try catalogs[0].read { try $0.setting("count") } == "150")
            for catalog in catalogs { try catalog.close() }
        }

        @Test func `servers that share and one that does not keep off each other`() throws {
            let address = try fresh()
            let sharing = try open(address)
            let refused = #expect(throws: SpileError.self) { _ = try PostgresCatalog(address) }
            #expect(refused?.code == .failedPrecondition)
            try sharing.close()
            let alone = try PostgresCatalog(address)
            let other = #expect(throws: SpileError.self) { _ = try open(address) }
            #expect(other?.remedy.contains("own disk") == true)
            try alone.close()
        }

        /// What a server heard, for a test that waits for it.
        private final class Ear: Sendable {
            private let heard = Mutex<[CatalogChanges]>([])
            private let (stream, inbox) = AsyncStream.makeStream(of: Void.self)

            func hear(_ changes: CatalogChanges) {
                heard.withLock { $0.append(changes) }
                inbox.yield()
            }

            func wait(for changes: CatalogChanges) async {
                for await _ in stream where take(changes) { return }
            }

            /// Whether it was heard since the last time that something was.
            private func take(_ changes: CatalogChanges) -> Bool {
                heard.withLock { heard in
                    guard let place = heard.firstIndex(of: changes) else { return false }
                    heard.removeFirst(place + 1)
                    return true
                }
            }
        }

        @Test func `changes are heard by the others, and after a lost connection everything counts as changed`()
            async throws
        {
            let address = try fresh()
            let (a, b) = (try open(address), try open(address))
            let ear = Ear()
            try peers(b).attend(at: "b:1", heard: ear.hear, collecting: { _ in }, givenUp: {})
            await ear.wait(for: .anything)
            _ = try changes(a, announcing: [5, 9])
            await ear.wait(for: .about([5, 9]))
            let again = Ear()
            try peers(a).attend(at: "a:1", heard: again.hear, collecting: { _ in }, givenUp: {})
            await again.wait(for: .anything)
            let connection = try PostgresConnection(address)
            try connection.execute(
                """
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            await again.wait(for: .anything)
            try a.close()
            try b.close()
        }

        private func leader(_ address: PostgresAddress) throws -> UInt64 {
            try PostgresConnection(address).execute(
                "SELECT number FROM spile_leader WHERE until > clock_timestamp()", []
            ) { UInt64(try $0.row(0)[0] as Int64) }
        }

        @Test func `one leads, and another one when that leaves`() async throws {
            let address = try fresh()
            let (a, b) = (try open(address, lease: 5), try open(address, lease: 5))
            for (catalog, place) in [(a, "a:1"), (b, "b:1")] {
                try peers(catalog).attend(at: place, heard: { _ in }, collecting: { _ in }, givenUp: {})
            }
            let (first, second) = (try peers(a), try peers(b))
            try await first.acquire()
            let waiting = Task { try await second.acquire() }
            #expect(try leader(address) == first.number)
            #expect(try second.present() == [first.number, second.number])
            async let isOver: Void = first.lost()
            try a.close()
            try await isOver
            try await waiting.value
            #expect(try leader(address) == second.number)
            #expect(try second.present() == [second.number])
            try b.close()
        }

        @Test func `who is not heard of is given up, and who says so goes on`() throws {
            let address = try fresh()
            let (a, b) = (try open(address, lease: 5), try open(address, lease: 5))
            let here = Set([try peers(a).number, try peers(b).number])
            let connection = try PostgresConnection(address)
            try connection.execute(
                "INSERT INTO spile_servers (number, place, seen, ended) VALUES (77, 'x:1', '-infinity', false)")
            // The database has been up for long enough sooner or later, and they say that they are there meanwhile.
            var alive: Set<UInt64> = here.union([77])
            while alive.contains(77) { alive = (try? peers(b).giveUpAbsent()) ?? alive }
            #expect(alive == here)
            let ended: Bool = try connection.execute("SELECT ended FROM spile_servers WHERE number = 77", []) {
                try $0.row(0)[0]
            }
            #expect(ended)
            try a.close()
            try b.close()
        }

        @Test func `one that was given up writes no more, and hears of it`() async throws {
            let address = try fresh()
            let (a, b) = (try open(address), try open(address))
            _ = try changes(a)
            try PostgresConnection(address).execute(
                """
                UPDATE spile_servers SET ended = true WHERE number = \(try peers(a).number);
                UPDATE spile_turn SET turn = turn + 1
                """)
            let error = #expect(throws: SpileError.self) { _ = try changes(a) }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.message.contains("given this one up") == true)
            let over = AsyncStream.makeStream(of: Void.self)
            try peers(a).attend(
                at: "a:1", heard: { _ in }, collecting: { _ in }, givenUp: { over.continuation.finish() })
            for await _ in over.stream {}
            _ = try changes(b)
            try a.close()
            try b.close()
        }
    }
#endif
