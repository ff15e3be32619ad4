#if PostgreSQL
    import Core
    import Foundation
    import Logging
    import Simulation
    import Storage
    import Testing
    import Versioning

    @testable import Backends

    /// Servers on one catalog and one store, as far as history goes: nothing of one is missing in another.
    @Suite(.timeLimit(.minutes(15))) struct SeveralServersTests {
        private static let user = Principal.user("")

        /// Servers of one company. The objects are in memory, the rest is as it is in a server.
        private struct Company {
            let address: PostgresAddress
            let objects = MemoryObjectStore()

            init() throws { address = try PostgresServer.shared.get().freshDatabase() }

            /// Numbers of servers that are to be left alone are those of `others`.
            func server(others: Set<UInt64> = [], smallSegment: Int = 16 << 20) throws -> History {
                let catalog = try PostgresCatalog(address, use: .shared)
                var options = StoreOptions()
                options.server = try #require(catalog.peers).number
                options.others = others
                options.smallSegmentBytes = smallSegment
                options.smallStreamBytes = 64 << 10
                return try History(
                    catalog: catalog,
                    store: Store(objects: TailedStore(objects, tails: CatalogTails(catalog)), options: options),
                    clock: ManualClock(), randomness: SeededRandomness(seed: options.server),
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            }

            func disconnectAll() throws {
                try PostgresConnection(address).execute(
                    """
                    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """)
            }
        }

        private func repo(_ history: History) async throws -> RepoKey {
            let key = RepoKey(project: .standard, name: "r")
            try await history.transact(as: Self.user) { try $0.createRepo(key, description: "", update: false) }
            return key
        }

        private func put(_ text: [UInt8], at path: String, to handle: CommitHandle, in history: History) async throws {
            let upload = try Upload(to: handle, in: history, as: Self.user)
            try text.withUnsafeBytes { try upload.changes.add(path: path, datum: "default", bytes: $0) }
            _ = try await upload.finish()
        }

        private func text(of path: String, at branch: BranchKey, in history: History) throws -> [UInt8] {
            let commit = try history.read { try $0.existingCommit(CommitHandle(branch)) }
            let entry = try #require(try history.store.entry(commit.root, path: path, datum: "default"))
            return try history.store.read(entry, offset: 0, maxBytes: 64 << 20)
        }

        @Test func `writes to one branch from all servers are there once each, whoever reads`() async throws {
            let company = try Company()
            let servers = [try company.server(), try company.server(others: [1]), try company.server(others: [1, 2])]
            let branch = try await repo(servers[0]).branch("master")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, server) in servers.enumerated() {
                    group.addTask {
                        for line in 0..<30 {
                            let text = Array("\(index).\(line)\n".utf8)
                            try await put(text, at: "/log", to: CommitHandle(branch), in: server)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let expected = servers.indices.flatMap { index in (0..<30).map { "\(index).\($0)" } }.sorted()
            for server in servers {
                let lines = String(decoding: try text(of: "/log", at: branch, in: server), as: UTF8.self)
                    .split(separator: "\n").map(String.init)
                #expect(lines.sorted() == expected)
                #expect(try server.read { try $0.commitCount() } == 90)
            }
            for server in servers { try server.close() }
        }

        @Test func `what one server opened another one may finish, and a third goes on behind it`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(), try company.server(others: [1]))
            let branch = try await repo(a).branch("master")
            let open = try await a.transact(as: Self.user) {
                try $0.startCommit(on: branch, parent: nil, description: "")
            }.key
            try await put([1], at: "/a", to: CommitHandle(branch), in: a)
            try await put([2], at: "/b", to: CommitHandle(branch), in: b)
            try await b.finish(CommitHandle(open), description: "", error: "", force: false, as: Self.user)
            try await put([3], at: "/c", to: CommitHandle(branch), in: a)
            #expect(try text(of: "/b", at: branch, in: a) == [2])
            #expect(try text(of: "/c", at: branch, in: b) == [3])
            let count = try a.read { try $0.commitCount() }
            #expect(count == 2)
            try a.close()
            try b.close()
        }

        @Test func `full segments become objects, and their tails go; others read on`() async throws {
            let company = try Company()
            let a = try company.server(smallSegment: 128 << 10)
            let b = try company.server(others: [1])
            let branch = try await repo(a).branch("master")
            var expected: [UInt8] = []
            for step in 0..<40 {
                let bytes = SeededRandomness(seed: UInt64(step)).bytes(20_000)
                expected += bytes
                try await put(bytes, at: "/log", to: CommitHandle(branch), in: a)
                if step % 7 == 0 { #expect(try text(of: "/log", at: branch, in: b) == expected) }
            }
            #expect(try text(of: "/log", at: branch, in: b) == expected)
            try a.close()
            // All of it was given its end, and nothing is kept twice.
            let look = try PostgresCatalog(company.address, use: .shared)
            #expect(try look.tails().keys.sorted() == [])
            try look.close()
            #expect(try company.objects.list().filter { $0.name.hasSuffix(".seg") }.count > 4)
            #expect(try text(of: "/log", at: branch, in: b) == expected)
            try b.close()
        }

        @Test func `a large stream can be read elsewhere as soon as it is acknowledged`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(), try company.server(others: [1]))
            let branch = try await repo(a).branch("master")
            let bytes = SeededRandomness(seed: 9).bytes(9 << 20)
            try await put(bytes, at: "/big", to: CommitHandle(branch), in: a)
            #expect(try text(of: "/big", at: branch, in: b) == bytes)
            try a.close()
            try b.close()
        }

        @Test func `a transaction that the database gave up leaves nothing, and the next one goes on`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(), try company.server(others: [1]))
            let branch = try await repo(a).branch("master")
            for step in 0..<20 {
                try await put([UInt8(step)], at: "/log", to: CommitHandle(branch), in: a)
                await #expect(throws: SpileError.self) {
                    try await a.transact(as: Self.user) { transaction in
                        _ = try transaction.startCommit(on: branch, parent: nil, description: "lost")
                        try company.disconnectAll()
                        _ = try transaction.catalog.commitCount()
                    }
                }
            }
            let expected = (0..<20).map { UInt8($0) }
            #expect(try text(of: "/log", at: branch, in: a) == expected)
            #expect(try text(of: "/log", at: branch, in: b) == expected)
            #expect(try a.read { try $0.commitCount() } == 20)
            try a.close()
            try b.close()
        }

        @Test func `what a server left open when it died is read by others, and given its end by the next`()
            async throws
        {
            let company = try Company()
            // Never closed: as if it had been killed.
            let dead = try company.server()
            let b = try company.server(others: [1])
            let branch = try await repo(dead).branch("master")
            try await put([1, 2, 3], at: "/log", to: CommitHandle(branch), in: dead)
            #expect(try text(of: "/log", at: branch, in: b) == [1, 2, 3])
            #expect(try b.store.statistics().sealedSegments == 0)
            let next = try company.server(others: [2])
            #expect(next.store.statistics().recoveredSegments == 1)
            #expect(try text(of: "/log", at: branch, in: next) == [1, 2, 3])
            try await put([4], at: "/log", to: CommitHandle(branch), in: b)
            #expect(try text(of: "/log", at: branch, in: next) == [1, 2, 3, 4])
            try b.close()
            try next.close()
            withExtendedLifetime(dead) {}
        }

        @Test func `authentication that is turned on at one server is on at the others`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(), try company.server(others: [1]))
            b.attend(at: "b:1", givenUp: {})
            _ = try await a.activateAuth(rootToken: nil)
            var generation: UInt64 = 0
            while !b.isAuthOn {
                try await b.events.wait(repo: -3, after: generation)
                generation = b.events.generation(repo: -3)
            }
            try a.close()
            try b.close()
        }

        /// Runs a collection at one server while the others take part, as their threads do.
        private func collect(at server: History) async throws -> GarbageReport {
            try await withCheckedThrowingContinuation { continuation in
                Thread {
                    continuation.resume(
                        with: Result { try server.collectGarbage(pause: { _ in sched_yield() }) })
                }.start()
            }
        }

        @Test func `garbage of all servers is collected by one, and the others go on with what is there`()
            async throws
        {
            let company = try Company()
            let (a, b) = (try company.server(smallSegment: 64 << 10), try company.server(others: [1]))
            a.attend(at: "a:1", givenUp: {})
            b.attend(at: "b:1", givenUp: {})
            let repo = try await repo(a)
            let (kept, lost) = (SeededRandomness(seed: 1).bytes(200_000), SeededRandomness(seed: 7).bytes(300_000))
            for (index, server) in [a, b, a, b].enumerated() {
                try await put(lost, at: "/x", to: CommitHandle(repo.branch("gone\(index)")), in: server)
                try await put(kept, at: "/\(index)", to: CommitHandle(repo.branch("kept")), in: server)
            }
            for index in 0..<4 {
                try await a.transact(as: Self.user) { transaction in
                    let commit = try transaction.catalog.existingCommit(CommitHandle(repo.branch("gone\(index)")))
                    try transaction.remove(set: commit.key.id, by: .drop)
                }
            }
            let report = try await collect(at: b)
            #expect(report.bytesFreed > 300_000)
            for server in [a, b] {
                for index in 0..<4 { #expect(try text(of: "/\(index)", at: repo.branch("kept"), in: server) == kept) }
            }
            // What was known by its hash is not there any more, and is written again.
            try await put(lost, at: "/x", to: CommitHandle(repo.branch("kept")), in: a)
            #expect(try text(of: "/x", at: repo.branch("kept"), in: b) == lost)
            try a.close()
            try b.close()
        }

        @Test func `a stream at another server that began before is waited for`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(smallSegment: 64 << 10), try company.server(others: [1]))
            a.attend(at: "a:1", givenUp: {})
            b.attend(at: "b:1", givenUp: {})
            let repo = try await repo(a)
            let bytes = SeededRandomness(seed: 3).bytes(300_000)
            try await put(bytes, at: "/x", to: CommitHandle(repo.branch("old")), in: a)
            let old = try a.read { try $0.existingCommit(CommitHandle(repo.branch("old"))) }
            // It holds what the old commit has, which goes away meanwhile, and lives no longer than this closure.
            let collecting = try await { () async throws -> Task<GarbageReport, any Error> in
                let upload = try Upload(to: CommitHandle(repo.branch("new")), in: a, as: Self.user)
                let entry = try #require(try a.store.entry(old.root, path: "/x", datum: "default"))
                try upload.changes.put(entry, path: "/y", datum: "default", append: false)
                try await b.transact(as: Self.user) { try $0.remove(set: old.key.id, by: .drop) }
                let collecting = Task { try await collect(at: b) }
                _ = try await upload.finish()
                return collecting
            }()
            _ = try await collecting.value
            #expect(try text(of: "/y", at: repo.branch("new"), in: b) == bytes)
            #expect(try text(of: "/y", at: repo.branch("new"), in: a) == bytes)
            try a.close()
            try b.close()
        }

        @Test func `one server collects at a time, and who was lost in the midst of it is succeeded`() async throws {
            let company = try Company()
            let (a, b) = (try company.server(), try company.server(others: [1]))
            let (first, second) = (try #require(a.peers), try #require(b.peers))
            let collection = try first.beginCollection()
            let error = #expect(throws: SpileError.self) { _ = try second.beginCollection() }
            #expect(error?.code == .unavailable)
            try PostgresConnection(company.address).execute(
                "UPDATE spile_servers SET ended = true WHERE number = 1")
            _ = try second.beginCollection()
            let lost = #expect(throws: SpileError.self) { _ = try first.step(collection, to: .sweeping) }
            #expect(lost?.code == .aborted)
            try a.close()
            try b.close()
        }
    }
#endif
