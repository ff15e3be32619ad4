import Core
import Simulation
import Testing
import Versioning

/// Walks along provenance against a breadth-first search over all edges.
@Suite struct ProvenanceWalkTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    /// Branches `a` → `b`, `c` → `d` (which derives from both), each `master` of a repo of that name.
    private func makeDiamond() async throws -> [BranchKey] {
        var branches: [BranchKey] = []
        for name in ["a", "b", "c", "d"] { branches.append(try await history.makeRepo(name).branch("master")) }
        let upstream = [[], [branches[0]], [branches[0]], [branches[1], branches[2]]]
        for (branch, upstream) in zip(branches, upstream) {
            _ = try await history.transact(as: History.user) {
                try $0.createBranch(branch, BranchChange(provenance: upstream))
            }
        }
        return branches
    }

    private func commits(
        _ direction: WalkDirection, _ starts: [CommitPicker], _ bounds: WalkBounds = WalkBounds()
    ) async throws -> [String] {
        var names: [String] = []
        try await history.walk(direction, from: starts, bounds) { names.append($0.record.key.repo.name) }
        return names
    }

    private func branches(
        _ direction: WalkDirection, _ starts: [BranchKey], _ bounds: WalkBounds = WalkBounds()
    ) async throws -> [String] {
        var names: [String] = []
        try await history.walk(direction, from: starts, bounds) { names.append($0.record.key.repo.name) }
        return names
    }

    @Test func `commits come nearest first, each once, the start left out`() async throws {
        let keys = try await makeDiamond()
        let heads = keys.map { CommitPicker(.head($0)) }
        #expect(try await commits(.provenance, [heads[3]]) == ["b", "c", "a"])
        #expect(try await commits(.subvenance, [heads[0]]) == ["b", "c", "d"])
        #expect(try await commits(.provenance, [heads[0]]) == [])
        #expect(try await commits(.subvenance, [heads[3]]) == [])
    }

    @Test func `branches come nearest first, each once, the start left out`() async throws {
        let keys = try await makeDiamond()
        #expect(try await branches(.provenance, [keys[3]]) == ["b", "c", "a"])
        #expect(try await branches(.subvenance, [keys[0]]) == ["b", "c", "d"])
    }

    @Test func `each start is walked by itself, within its own bounds`() async throws {
        let keys = try await makeDiamond()
        let heads = keys.map { CommitPicker(.head($0)) }
        #expect(try await commits(.provenance, [heads[3], heads[1]]) == ["b", "c", "a", "a"])
        #expect(try await commits(.provenance, [heads[3], heads[1]], WalkBounds(count: 2)) == ["b", "c", "a"])
        #expect(try await commits(.provenance, [heads[3]], WalkBounds(depth: 1)) == ["b", "c"])
        #expect(try await branches(.subvenance, [keys[0], keys[2]], WalkBounds(count: 1)) == ["b", "d"])
        #expect(try await branches(.subvenance, [keys[0]], WalkBounds(depth: 1)) == ["b", "c"])
        #expect(try await commits(.subvenance, []) == [])
    }

    @Test func `a start that is not there is told before anything else`() async throws {
        let keys = try await makeDiamond()
        var told = 0
        let error = await #expect(throws: SpileError.self) {
            try await history.walk(.provenance, from: [keys[3], keys[0].repo.branch("none")], WalkBounds()) { _ in
                told += 1
            }
        }
        #expect(error?.code == .notFound)
        #expect(told == 0)
    }

    @Test func `more than a page derives from one commit`() async throws {
        let up = try await history.makeRepo("up").branch("master")
        let down = try await history.makeRepo("down").branch("master")
        try await history.transact(as: .server) { try $0.createBranch(up) }
        try await history.transact(as: .server) { try $0.createBranch(down, BranchChange(provenance: [up])) }
        var made = 1
        while made < 450 {
            let open = try history.read { try $0.existingCommit(CommitHandle(down)).key }
            _ = try await history.transact(as: .server) {
                try $0.finishCommit(CommitHandle(open), description: "", error: "", force: true)
            }
            _ = try await history.transact(as: .server) {
                try $0.startCommit(on: down, parent: nil, description: "")
            }
            made += 1
        }
        var sequences: [Int64] = []
        try await history.walk(.subvenance, from: [CommitPicker(.head(up))], WalkBounds()) {
            sequences.append($0.record.sequence)
        }
        #expect(sequences.count == 450)
        #expect(sequences == sequences.sorted())
        #expect(try await commits(.subvenance, [CommitPicker(.head(up))], WalkBounds(count: 201)).count == 201)
    }
}

/// Which commits changed a file.
@Suite struct FindTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func find(
        _ start: CommitHandle, _ path: String, limit: Int = 0, stopAt: Instant? = nil
    ) async throws -> [CommitSearch.Answer] {
        var answers: [CommitSearch.Answer] = []
        let search = CommitSearch(start: start, path: path, limit: limit, stopAt: stopAt)
        try await history.find(search) { answers.append($0) }
        return answers
    }

    @Test func `adding, changing and removing a file count, touching others does not`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let start = CommitHandle(branch)
        let other = try await history.modify(start) { try $0.put("/other", "1") }
        let added = try await history.modify(start) { try $0.put("/f", "1") }
        _ = try await history.modify(start) { try $0.put("/f2", "1") }
        let changed = try await history.modify(start) { try $0.put("/f", "2") }
        _ = try await history.modify(start) { try $0.put("/f", "2") }
        let removed = try await history.modify(start) { try $0.delete(path: "/f", datum: "") }
        #expect(
            try await find(start, "f//") == [
                .found(removed, searched: 0), .found(changed, searched: 2), .found(added, searched: 4),
                .end(other, searched: 6),
            ])
        #expect(
            try await find(start, "/f", limit: 2) == [
                .found(removed, searched: 0), .found(changed, searched: 2), .end(changed, searched: 3),
            ])
        #expect(try await find(CommitHandle(other), "/f") == [.end(other, searched: 1)])
    }

    @Test func `another datum's file of that path counts too`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let start = CommitHandle(branch)
        let first = try await history.modify(start) { try $0.put("/x", "1") }
        let second = try await history.modify(start) { upload in
            try Array("1".utf8).withUnsafeBytes { try upload.add(path: "/f", datum: "d7", bytes: $0) }
        }
        #expect(try await find(start, "/f") == [.found(second, searched: 0), .end(first, searched: 2)])
    }

    @Test func `a commit in error is compared with what it was made from, and so is the next`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let start = CommitHandle(branch)
        let good = try await history.modify(start) { try $0.put("/f", "1") }
        let bad = try await history.start(branch)
        try await history.modify(CommitHandle(bad)) { try $0.put("/f", "2") }
        try await history.finish(CommitHandle(bad), description: "", error: "no", force: false, as: History.user)
        let worse = try await history.start(branch)
        try await history.finish(CommitHandle(worse), description: "", error: "no", force: false, as: History.user)
        _ = try await history.modify(start) { try $0.put("/g", "1") }
        #expect(
            try await find(start, "/f") == [
                .found(bad, searched: 2), .found(good, searched: 3), .end(good, searched: 4),
            ])
    }

    @Test func `more than a page of commits is searched`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let start = CommitHandle(branch)
        let first = try await history.modify(start) { try $0.put("/f", "1") }
        for number in 0..<150 { try await history.modify(start) { try $0.put("/n", "\(number)") } }
        #expect(try await find(start, "/f") == [.found(first, searched: 150), .end(first, searched: 151)])
    }

    @Test func `an open commit is unavailable, with a detail that says which`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let open = try await history.start(branch)
        let error = await #expect(throws: SpileError.self) { _ = try await find(CommitHandle(branch), "/f") }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "commit \(open) not finished")
        #expect(
            error?.detail == .resource(type: "pfs:commit", name: "\(open.id)", description: "commit not finished"))
    }

    @Test func `the search ends when its time is over and says how far it came`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let start = CommitHandle(branch)
        for number in 0..<20 { try await history.modify(start) { try $0.put("/f", "\(number)") } }
        // The clock moves by a microsecond at each look: one a commit.
        let stopAt = Instant(nanoseconds: history.clock.now().nanoseconds + 5500)
        let answers = try await find(start, "/f", stopAt: stopAt)
        #expect(answers.count == 6)
        guard case .end(let last, let searched)? = answers.last else {
            Issue.record("there is no end")
            return
        }
        #expect(searched == 5)
        #expect(answers[4] == .found(last, searched: 4))
    }

    @Test func `the root is no file`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        try await history.modify(CommitHandle(branch)) { try $0.put("/f", "1") }
        for path in ["", "/", "//", "/.."] {
            let error = await #expect(throws: SpileError.self) { _ = try await find(CommitHandle(branch), path) }
            #expect(error?.code == .invalidArgument)
        }
    }
}
