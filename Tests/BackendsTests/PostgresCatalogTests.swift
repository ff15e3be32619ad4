#if PostgreSQL
    import Core
    import Foundation
    import Testing

    @testable import Backends

    /// What only the catalog on PostgreSQL has to answer for; the rules of all catalogs are in `CatalogSuite`.
    @Suite struct PostgresCatalogTests {
        private func fresh() throws -> PostgresAddress { try PostgresServer.shared.get().freshDatabase() }

        /// Ends all sessions of a database but the own one, as a restart of the server does.
        private func disconnect(_ address: PostgresAddress) throws {
            let connection = try PostgresConnection(address)
            try connection.execute(
                """
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
        }

        @Test func `a second server is refused for as long as the first one has the catalog`() throws {
            let address = try fresh()
            let first = try PostgresCatalog(address)
            let error = #expect(throws: SpileError.self) { _ = try PostgresCatalog(address) }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.message.contains("in use by another server") == true)
            _ = try first.write { try $0.makeRepo("a") }
            try first.close()
            let second = try PostgresCatalog(address)
            #expect(try second.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["a"])
            try second.close()
            #expect(throws: SpileError.self) { try second.read { _ in } }
        }

        @Test func `a connection that was lost while nobody used it is made anew, and nobody notices`() throws {
            let catalog = try PostgresCatalog(try fresh())
            let address = catalog.address
            _ = try catalog.write { try $0.makeRepo("a") }
            try catalog.read { _ in }
            try disconnect(address)
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["a"])
            _ = try catalog.write { try $0.makeRepo("c") }
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["a", "c"])
            try catalog.close()
        }

        @Test func `one whose connection broke in the middle leaves nothing`() throws {
            let catalog = try PostgresCatalog(try fresh())
            let address = catalog.address
            let lost = #expect(throws: SpileError.self) {
                try catalog.write { writer in
                    _ = try writer.makeRepo("a")
                    try disconnect(address)
                    _ = try writer.makeRepo("b")
                }
            }
            #expect(lost?.code == .unavailable)
            #expect(try catalog.read { try $0.repos(in: nil, type: nil) } == [])
            _ = try catalog.write { try $0.makeRepo("a") }
            try catalog.close()
        }

        @Test func `an error that the body swallows does not let half a transaction through`() throws {
            let catalog = try PostgresCatalog(try fresh())
            let error = #expect(throws: SpileError.self) {
                try catalog.write { writer in
                    var repo = try writer.makeRepo("a")
                    repo.id += 1
                    // There is no such repo.
                    _ = try? writer.makeBranch("master", in: repo)
                }
            }
            #expect(error?.code == .unavailable)
            // In a savepoint it is as if it had not been tried.
            try catalog.write { writer in
                var repo = try writer.makeRepo("b")
                repo.id += 1
                _ = try? writer.savepoint { try writer.makeBranch("master", in: repo) }
            }
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["b"])
            try catalog.close()
        }

        @Test func `a server that lost the catalog to another writes no more`() throws {
            let catalog = try PostgresCatalog(try fresh())
            let address = catalog.address
            _ = try catalog.write { try $0.makeRepo("a") }
            try disconnect(address)
            let other = try PostgresCatalog(address)
            #expect(throws: SpileError.self) { try catalog.write { try $0.makeRepo("b") } }
            let beside = #expect(throws: SpileError.self) { try catalog.write { try $0.makeRepo("b") } }
            #expect(beside?.code == .unavailable)
            _ = try other.write { try $0.makeRepo("c") }
            try other.close()
            let after = #expect(throws: SpileError.self) { try catalog.write { try $0.makeRepo("b") } }
            #expect(after?.code == .failedPrecondition)
            #expect(after?.message.contains("has taken catalog") == true)
            try catalog.close()
        }

        @Test func `commits are durable whatever the database's default is`() throws {
            let address = try fresh()
            let connection = try PostgresConnection(address)
            let name: String = try connection.execute("SELECT current_database()::text", []) { try $0.row(0)[0] }
            try connection.execute("ALTER DATABASE \(name) SET synchronous_commit TO off")
            let pool = PostgresPool(address, limit: 1) { _ in }
            let level: String = try pool.with { connection in
                try connection.execute("SELECT current_setting('synchronous_commit')", []) { try $0.row(0)[0] }
            }
            #expect(level == "on")
        }

        @Test func `a newer schema is refused and left as it is`() throws {
            let address = try fresh()
            try PostgresCatalog(address).close()
            let known = Int64(PostgresCatalog.schemaVersion)
            try PostgresConnection(address).execute("UPDATE spile_schema SET version = \(known + 1)")
            let error = #expect(throws: SpileError.self) { _ = try PostgresCatalog(address) }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.message.contains("has schema \(known + 1), this program knows up to \(known)") == true)
        }

        @Test func `who cannot be reached or does not let in is told apart`() throws {
            let gone = #expect(throws: SpileError.self) {
                _ = try PostgresConnection(PostgresAddress("host=/nowhere user=a password=secret dbname=b"))
            }
            #expect(gone?.code == .unavailable)
            #expect(gone?.message.contains("secret") == false)
            #expect(gone?.message.contains("password=***") == true)
            #expect(
                PostgresAddress("postgres://me:secret@host:1/db?sslmode=require").shown
                    == "postgres://me:***@host:1/db?sslmode=require")
        }

        @Test(arguments: [0, 1, 999, 1000, 1001, 2500])
        func `roots come page by page, each once`(count: Int) throws {
            let catalog = try PostgresCatalog(try fresh())
            try catalog.write { writer in
                let repo = try writer.makeRepo("a")
                for number in 0..<count { _ = try writer.makeCommit(UInt64(number), in: repo, branch: nil) }
            }
            var seen: [Int64] = []
            try catalog.read { reader in try reader.forEachRoot { sequence, _ in seen.append(sequence) } }
            #expect(seen.count == count && seen == Set(seen).sorted())
            try catalog.close()
        }

        @Test func `a catalog goes from SQLite to PostgreSQL and back, numbers and all`() throws {
            let folder = NSTemporaryDirectory() + "spile-move-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let first = try SQLiteCatalog(path: folder + "/first.sqlite")
            let last = try first.write { writer throws -> Int64 in
                let repo = try writer.makeRepo("é\"';--?$1")
                let branch = try writer.makeBranch("master", in: repo)
                let kept = try writer.makeCommit(1, in: repo, branch: branch)
                _ = try writer.makeCommit(
                    2, in: repo, branch: branch, parent: kept.sequence, provenance: [kept.sequence])
                try writer.setSetting("name", to: "")
                let gone = try writer.makeCommit(3, in: repo, branch: nil)
                try writer.deleteCommit(sequence: gone.sequence)
                return gone.sequence
            }
            let second = try PostgresCatalog(try fresh())
            try second.fill(from: first)
            try second.copy(to: folder + "/third.sqlite")
            let third = try SQLiteCatalog(path: folder + "/third.sqlite")
            func everything(_ catalog: any Catalog) throws -> ([CommitRecord], [BranchRecord], [RepoRecord], Int64) {
                try catalog.read {
                    (
                        try $0.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 9),
                        try $0.branches(repo: nil), try $0.repos(in: nil, type: nil), try $0.lastSequence()
                    )
                }
            }
            let expected = try everything(first)
            #expect(expected.3 == last)
            for catalog in [second, third] as [any Catalog] {
                #expect(try everything(catalog) == expected)
                let next = try catalog.write { try $0.makeCommit(9, in: expected.2[0], branch: nil).sequence }
                #expect(next == last + 1)
                try catalog.close()
            }
            try first.close()
        }
    }
#endif
