import Core
import Foundation
import Simulation
import Storage
import Testing
import Versioning

/// Each kind of damage is found, and named: the commit, the path, the slot.
@Suite struct CheckTests {
    /// Two commits of one repo: a file of several chunks, many small ones in packs, a directory of its own.
    private struct World {
        let small: SmallHistory
        let repo: RepoKey
        let first: CommitKey
        let second: CommitKey
        var history: History { small.history }
        var branch: BranchKey { repo.branch("master") }

        init() async throws {
            small = try SmallHistory()
            let history = small.history
            repo = try await history.makeRepo("a")
            var files = ["/big": small.randomness.bytes(900_000)]
            for index in 0..<300 { files["/small/\(index)"] = small.randomness.bytes(200) }
            first = try await history.put(repo.branch("master"), files)
            second = try await history.put(repo.branch("master"), ["/later": small.randomness.bytes(100)])
        }

        /// Changes rows as no transaction of ours would.
        func corrupt(_ body: @escaping @Sendable (HistoryTransaction) throws -> Void) throws {
            try history.transactBlocking(body)
        }

        func record(_ key: CommitKey) throws -> CommitRecord {
            try history.read { try $0.existingCommit(CommitHandle(key)) }
        }

        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: small.segments).filter { $0.hasSuffix(".seg") }.sorted()
        }

        /// Changes the bytes of a segment while the store is closed.
        func damage(_ name: String, _ body: @escaping (inout [UInt8]) throws -> Void) throws {
            let path = small.segments + "/" + name
            try small.restart {
                var bytes = Array(try #require(FileManager.default.contents(atPath: path)))
                try body(&bytes)
                try Data(bytes).write(to: URL(fileURLWithPath: path))
            }
        }

        /// The sealed segment that holds a slot.
        static func name(_ pointer: Pointer) -> String {
            let digits = String(pointer.segment, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits + ".seg"
        }
    }

    private static func offset(of needle: ArraySlice<UInt8>, in bytes: [UInt8]) throws -> Int {
        let first = try #require(needle.first)
        for start in bytes.indices where bytes[start] == first && start + needle.count <= bytes.count {
            if bytes[start..<(start + needle.count)].elementsEqual(needle) { return start }
        }
        throw SpileError.notFound("these bytes are not there")
    }

    @Test func `a sound history has no findings`() async throws {
        let world = try await World()
        #expect(try world.history.findings() == [])
        try world.small.restart()
        #expect(try world.history.findings() == [])
        let check = try world.history.makeCheck(data: true)
        #expect(try check.next() == nil)
        #expect(check.slots > 5)
    }

    @Test func `a flipped bit in a chunk is found with its file, in every commit that has it`() async throws {
        let world = try await World()
        let bytes = try #require(try world.history.content(CommitHandle(world.first), "/big"))
        try world.small.restart()
        for name in try world.names() {
            let path = world.small.segments + "/" + name
            let stored = Array(try #require(FileManager.default.contents(atPath: path)))
            guard let place = try? Self.offset(of: bytes[1000..<1100], in: stored) else { continue }
            try world.damage(name) { $0[place + 50] ^= 4 }
            var quick: [HistoryFinding] = []
            try world.history.check { quick.append($0) }
            #expect(quick == [], "bytes are read only when asked for")
            let found = try world.history.findings()
            #expect(Set(found.map(\.subject)) == ["commit \(world.first)", "commit \(world.second)"])
            #expect(found.first?.path?.hasPrefix("/big") == true)
            #expect(found.allSatisfy { $0.slot != nil })
            return
        }
        Issue.record("the chunk was not found")
    }

    @Test func `a flipped bit in a node is found`() async throws {
        let world = try await World()
        let root = try world.record(world.first).root
        try world.small.restart()
        try world.damage(World.name(root.pointer)) { bytes in
            // The directory's line of the slot: where its payload begins.
            let count = Int(bytes[bytes.count - 68]) | Int(bytes[bytes.count - 67]) << 8
            let line = bytes.count - 80 - 48 * (count - Int(root.pointer.slot))
            let offset = (0..<4).reduce(0) { $0 | Int(bytes[line + $1]) << (8 * $1) }
            bytes[offset + 5] ^= 1
        }
        let found = try world.history.findings()
        #expect(found.contains { $0.problem.contains("do not match their hash") })
        #expect(found.contains { $0.subject == "commit \(world.first)" && $0.slot != nil })
    }

    @Test(arguments: [100, 30])
    func `a flipped bit in a directory or a footer is found, and which segment it is`(fromEnd: Int) async throws {
        let world = try await World()
        try world.small.restart()
        let name = try #require(try world.names().first)
        try world.damage(name) { $0[$0.count - fromEnd] ^= 1 }
        let found = try world.history.findings()
        let id = try #require(UInt64(name.prefix(16), radix: 16))
        #expect(found.contains { $0.subject == "segment \(id)" })
        #expect(found.contains { $0.subject == "commit \(world.first)" })
    }

    @Test func `a flipped bit in a segment's header is found`() async throws {
        let world = try await World()
        try world.small.restart()
        let name = try #require(try world.names().first)
        try world.damage(name) { $0[17] ^= 1 }
        let found = try world.history.findings()
        #expect(found.map(\.problem) == ["its header is damaged"])
    }

    @Test func `a lost segment is found`() async throws {
        let world = try await World()
        try world.small.restart()
        for name in try world.names() {
            let path = world.small.segments + "/" + name
            let bytes = try #require(FileManager.default.contents(atPath: path))
            try world.small.restart { try FileManager.default.removeItem(atPath: path) }
            var found: [HistoryFinding] = []
            try world.history.check { found.append($0) }
            let id = try #require(UInt64(name.prefix(16), radix: 16))
            #expect(found.contains { $0.slot?.segment == id && $0.problem.contains("segment is missing") }, "\(name)")
            try world.small.restart { try bytes.write(to: URL(fileURLWithPath: path)) }
        }
        #expect(try world.history.findings() == [])
    }

    @Test func `a segment that vanishes under the server is found`() async throws {
        let world = try await World()
        try world.small.restart()
        let name = try #require(try world.names().first)
        try FileManager.default.removeItem(atPath: world.small.segments + "/" + name)
        #expect(try world.history.findings().contains { $0.problem == "its file is missing" })
    }

    @Test(arguments: [0, 40, 5_000])
    func `a truncated segment is found`(left: Int) async throws {
        let world = try await World()
        try world.small.restart()
        let name = try #require(try world.names().first)
        try world.damage(name) { $0.removeLast(max(0, $0.count - left)) }
        let found = try world.history.findings()
        let id = try #require(UInt64(name.prefix(16), radix: 16))
        #expect(found.contains { $0.subject == "segment \(id)" })
        #expect(found.contains { $0.slot?.segment == id })
    }

    @Test func `a missing commit row is found by the branch that names it`() async throws {
        let world = try await World()
        let sequence = try world.record(world.second).sequence
        try world.corrupt { try $0.catalog.deleteCommit(sequence: sequence) }
        let found = try world.history.findings()
        #expect(found.map(\.description) == [
            "branch \(world.branch): its head, commit number \(sequence), is missing"
        ])
    }

    @Test func `a dangling head is found`() async throws {
        let world = try await World()
        let branch = try world.history.read { try $0.existingBranch(world.branch) }
        try world.corrupt { try $0.catalog.setHead(branch: branch.id, to: 4711, at: $0.now) }
        #expect(try world.history.findings().map(\.problem) == ["its head, commit number 4711, is missing"])
    }

    @Test func `a head in another repo is found`() async throws {
        let world = try await World()
        let other = try await world.history.makeRepo("b")
        let stranger = try await world.history.put(other.branch("x"), ["/x": [1]])
        let branch = try world.history.read { try $0.existingBranch(world.branch) }
        let sequence = try world.record(stranger).sequence
        try world.corrupt { try $0.catalog.setHead(branch: branch.id, to: sequence, at: $0.now) }
        #expect(try world.history.findings().map(\.problem) == ["its head \(stranger) is in another repo"])
    }

    @Test func `a parent in another repo is found`() async throws {
        let world = try await World()
        let other = try await world.history.makeRepo("b")
        let stranger = try await world.history.put(other.branch("x"), ["/x": [1]])
        let last = try await world.history.put(world.branch, ["/y": [1]])
        var changed = try world.record(last)
        changed.parent = try world.record(stranger).sequence
        let row = changed
        try world.corrupt { try $0.catalog.update(row) }
        #expect(try world.history.findings().map(\.description) == [
            "commit \(last): its parent \(stranger) is in another repo"
        ])
    }

    @Test(arguments: ["digest", "files", "bytes", "level"])
    func `a row that says something else than its tree is found, also where the tree is shared`(
        what: String
    ) async throws {
        let world = try await World()
        // The same tree is named by three rows.
        let again = try await world.history.start(world.branch)
        try await world.history.finish(again)
        let last = try await world.history.start(world.branch)
        try await world.history.finish(last)
        var changed = try world.record(last)
        switch what {
        case "digest": changed.root.digest = Digest(words: (1, 2, 3, 4))
        case "files": changed.root.files += 1
        case "bytes": changed.root.bytes -= 1
        default: changed.root.level += 1
        }
        let row = changed
        try world.corrupt { try $0.catalog.update(row) }
        let found = try world.history.findings()
        #expect(found.map(\.subject) == ["commit \(last)"])
        #expect(found.first?.slot == row.root.pointer)
    }

    @Test(arguments: [900_000 as UInt32, .max])
    func `a slot beyond its segment is found`(slot: UInt32) async throws {
        let world = try await World()
        var changed = try world.record(world.second)
        changed.root.pointer.slot = slot
        let row = changed
        try world.corrupt { try $0.catalog.update(row) }
        let found = try world.history.findings()
        #expect(found.map(\.subject) == ["commit \(world.second)"])
        #expect(found.first?.slot == row.root.pointer)
    }

    /// What a job's row can say beside its commits, and what is wrong then.
    struct JobCase: Sendable {
        var state: JobState
        var isFinished: Bool
        var hasOpenMeta = false
        var isGone = false
        var finding: String?
    }

    @Test(arguments: [
        JobCase(state: .running, isFinished: false, hasOpenMeta: true),
        JobCase(state: .success, isFinished: true),
        JobCase(state: .killed, isFinished: true, isGone: true),
        JobCase(state: .running, isFinished: true, finding: "is not over, and its output commit is"),
        JobCase(state: .failure, isFinished: false, finding: "is over, and its output commit is open"),
        JobCase(
            state: .created, isFinished: false, isGone: true, finding: "is not over, and its output commit is missing"),
        JobCase(
            state: .success, isFinished: true, hasOpenMeta: true,
            finding: "its output commit is finished, and the one that tells of its datums is open"),
    ])
    func `a job that does not go with its commits is found`(example: JobCase) async throws {
        let world = try await World()
        let output = try await world.history.start(world.branch)
        if example.isFinished { try await world.history.finish(output) }
        let record = try world.record(output)
        let job = JobKey(pipeline: PipelineKey(name: "a"), id: output.id)
        try world.corrupt { transaction in
            let catalog = transaction.catalog
            _ = try catalog.insert(
                JobRecord(
                    key: job, version: 1, commit: example.isGone ? 4711 : record.sequence, state: example.state,
                    createdAt: transaction.now))
            guard example.hasOpenMeta else { return }
            var meta = RepoRecord(key: output.repo.of(type: .meta), description: "", createdAt: transaction.now)
            meta.id = try catalog.insert(meta)
            _ = try catalog.insert(
                CommitRecord(
                    repo: meta.id, key: meta.key.commit(output.id), branch: nil, parent: nil, origin: .auto,
                    started: transaction.now, root: .empty))
        }
        let expected = ["its pipeline is missing"] + (example.finding.map { [$0] } ?? [])
        let found = try world.history.findings()
        #expect(found.map(\.subject) == Array(repeating: "job \(job)", count: expected.count))
        #expect(found.map(\.problem) == expected)
    }

    @Test func `what is deleted while it is checked is no finding`() async throws {
        let world = try await World()
        let other = try await world.history.makeRepo("b")
        var changed = try world.record(try await world.history.put(other.branch("x"), ["/x": [1]]))
        changed.root.files += 1
        let row = changed
        try world.corrupt { try $0.catalog.update(row) }
        #expect(try world.history.findings().count == 1)
        let check = try world.history.makeCheck()
        // The page of commits is read before this one is looked at; then its repo goes.
        try world.corrupt { transaction in _ = try transaction.deleteRepo(other, force: true) }
        #expect(try check.next() == nil)
    }
}
