import Core
import Foundation
import Simulation
import Testing
import Versioning

/// What a write says besides its change: positions, a key for the retry, the head it builds on.
@Suite struct WriteTermsTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func branch() async throws -> BranchKey { try await history.makeRepo("a").branch("master") }

    @discardableResult
    private func write(
        _ handle: CommitHandle, _ path: String, _ terms: WriteTerms, text: String = "x"
    ) async throws -> CommitKey {
        try await history.write(handle, path, terms, text: text)
    }

    private func start(_ branch: BranchKey, _ terms: WriteTerms) async throws -> CommitRecord {
        try await history.transact(as: History.user) {
            try $0.startCommit(on: branch, parent: nil, description: "", terms)
        }
    }

    private func finish(_ handle: CommitHandle, error: String = "", _ terms: WriteTerms) async throws -> CommitRecord {
        try await history.transact(as: History.user) {
            try $0.finishCommit(handle, description: "", error: error, force: false, terms)
        }
    }

    private func refusal(_ body: () async throws -> Void) async -> SpileError? {
        do {
            try await body()
        } catch {
            return error as? SpileError
        }
        return nil
    }

    private func text(_ branch: BranchKey, _ path: String) throws -> String? {
        try history.content(CommitHandle(branch), path).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Metadata

    @Test func `metadata is there with its commit, after a restart too`() async throws {
        let branch = try await branch()
        let key = try await write(CommitHandle(branch), "/x", WriteTerms(metadata: ["offset": "7", "ünï": "a,b\n"]))
        try fixture.restart()
        let head = try history.head(branch)
        #expect(head.key == key)
        #expect(head.metadata == ["offset": "7", "ünï": "a,b\n"])
        // The next commit has its own.
        try await write(CommitHandle(branch), "/x", WriteTerms())
        #expect(try history.head(branch).metadata == [:])
    }

    @Test func `an open commit gathers metadata from start, writes and finish`() async throws {
        let branch = try await branch()
        let open = try await start(branch, WriteTerms(metadata: ["a": "1", "b": "1", "c": "1"])).key
        try await write(CommitHandle(branch), "/x", WriteTerms(metadata: ["b": "2", "c": "2"]))
        #expect(try history.head(branch).metadata == ["a": "1", "b": "2", "c": "2"])
        let finished = try await finish(CommitHandle(open), WriteTerms(metadata: ["c": "3", "d": "3"]))
        #expect(finished.metadata == ["a": "1", "b": "2", "c": "3", "d": "3"])
        try fixture.restart()
        #expect(try history.head(branch).metadata == finished.metadata)
    }

    @Test func `metadata over the limit is refused whole`() async throws {
        let branch = try await branch()
        let open = try await start(branch, WriteTerms(metadata: ["a": String(repeating: "x", count: 1 << 19)])).key
        let more = WriteTerms(metadata: ["b": String(repeating: "x", count: 1 << 19)])
        let error = await refusal { try await write(CommitHandle(open), "/x", more) }
        #expect(error?.code == .resourceExhausted)
        #expect(try history.head(branch).metadata.keys.sorted() == ["a"])
        #expect(try await history.paths(CommitHandle(branch)).contains("/x") == false)
    }

    // MARK: Keys

    @Test(arguments: [false, true]) func `a write that comes again with its key makes one commit`(
        restarts: Bool
    ) async throws {
        let branch = try await branch()
        let first = try await write(CommitHandle(branch), "/x", WriteTerms(metadata: ["n": "1"], key: "k"))
        if restarts { try fixture.restart() }
        let other = WriteTerms(metadata: ["n": "2"], key: "k")
        let again = try await write(CommitHandle(branch), "/x", other, text: "other")
        #expect(again == first)
        #expect(try history.commits(branch.repo).count == 1)
        #expect(try history.head(branch).metadata == ["n": "1"])
        #expect(try text(branch, "/x") == "x")
        // Another key, another branch: another commit.
        try await write(CommitHandle(branch), "/x", WriteTerms(key: "l"))
        let side = try await write(CommitHandle(branch.repo.branch("side")), "/x", WriteTerms(key: "k"))
        #expect(side != first)
        #expect(try history.commits(branch.repo).count == 3)
        #expect(try history.findings().isEmpty)
    }

    @Test func `a large write that comes again makes one commit`() async throws {
        let branch = try await branch()
        func write() async throws -> CommitKey {
            let upload = try Upload(to: CommitHandle(branch), in: history, as: History.user, WriteTerms(key: "k"))
            for number in 0..<20_000 { try upload.put("/\(number)", "x", append: true) }
            return try await upload.finish()
        }
        let first = try await write()
        #expect(try await write() == first)
        #expect(try history.commits(branch.repo).count == 1)
    }

    @Test func `of many writes with one key at one time one is made`() async throws {
        let branch = try await branch()
        let commits = try await withThrowingTaskGroup(of: CommitKey.self) { group in
            for number in 0..<32 {
                group.addTask { [history] in
                    try await history.write(CommitHandle(branch), "/x", WriteTerms(key: "k"), text: "\(number)")
                }
            }
            return try await group.reduce(into: Set<CommitKey>()) { $0.insert($1) }
        }
        #expect(commits.count == 1)
        #expect(try history.commits(branch.repo).map(\.key) == Array(commits))
    }

    @Test func `a transaction that fails keeps neither the commit nor its key`() async throws {
        struct Abandoned: Error {}
        let branch = try await branch()
        await #expect(throws: Abandoned.self) {
            try await history.transact(as: History.user) { transaction in
                _ = try transaction.startCommit(on: branch, parent: nil, description: "", WriteTerms(key: "k"))
                throw Abandoned()
            }
        }
        #expect(try history.commits(branch.repo).isEmpty)
        let key = try await start(branch, WriteTerms(key: "k")).key
        #expect(try history.commits(branch.repo).map(\.key) == [key])
    }

    @Test func `a write into an open commit that comes again is there once`() async throws {
        let branch = try await branch()
        let open = try await history.start(branch)
        for _ in 0..<2 { #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "k")) == open) }
        #expect(try text(branch, "/x") == "x")
        try await history.finish(open)
        // By the branch, and by the id of what is finished now.
        #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "k")) == open)
        #expect(try await write(CommitHandle(open), "/x", WriteTerms(key: "k")) == open)
        let error = await refusal { try await write(CommitHandle(open), "/x", WriteTerms(key: "new")) }
        #expect(error?.message.contains("already finished") == true)
        #expect(try text(branch, "/x") == "x")
        #expect(try history.commits(branch.repo).count == 1)
    }

    @Test func `what a commit lost may be written again with its key`() async throws {
        let branch = try await branch()
        let open = try await history.start(branch)
        try await write(CommitHandle(branch), "/x", WriteTerms(key: "k"))
        try await history.transact(as: History.user) { try $0.clearCommit(CommitHandle(open)) }
        try await write(CommitHandle(branch), "/x", WriteTerms(key: "k"))
        #expect(try text(branch, "/x") == "x")
        // A commit in error hands nothing on.
        _ = try await finish(CommitHandle(open), error: "given up", WriteTerms())
        let second = try await write(CommitHandle(branch), "/x", WriteTerms(key: "k"))
        #expect(second != open)
        // One that is dropped is gone.
        try await history.transact(as: History.user) {
            try $0.remove(CommitHandle(second), by: .drop, recursive: false)
        }
        let third = try await write(CommitHandle(branch), "/x", WriteTerms(key: "k"))
        #expect(third != second)
        #expect(try text(branch, "/x") == "x")
    }

    @Test func `a head that is moved back forgets what came after`() async throws {
        let branch = try await branch()
        let kept = try await write(CommitHandle(branch), "/x", WriteTerms(key: "1"))
        let lost = try await write(CommitHandle(branch), "/x", WriteTerms(key: "2"))
        try await history.branch(branch, BranchChange(head: CommitHandle(kept)))
        #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "1")) == kept)
        #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "2")) != lost)
        #expect(try text(branch, "/x") == "xx")
    }

    @Test func `a head that is moved to another lineage forgets what it no longer holds`() async throws {
        let branch = try await branch()
        let other = branch.repo.branch("other")
        let first = try await write(CommitHandle(branch), "/1", WriteTerms(key: "k1"))
        try await history.branch(other, BranchChange(head: CommitHandle(first)))
        let lost = try await write(CommitHandle(branch), "/2", WriteTerms(key: "k2"))
        let elsewhere = try await write(CommitHandle(other), "/3", WriteTerms())
        try await history.branch(branch, BranchChange(head: CommitHandle(elsewhere)))
        #expect(try await write(CommitHandle(branch), "/1", WriteTerms(key: "k1")) == first)
        #expect(try await write(CommitHandle(branch), "/2", WriteTerms(key: "k2")) != lost)
        #expect(try await history.paths(CommitHandle(branch)) == ["/", "/1", "/2", "/3"])
    }

    @Test func `a squashed commit lives on in the next, and so does its key`() async throws {
        let branch = try await branch()
        let first = try await write(CommitHandle(branch), "/x", WriteTerms(key: "1"))
        try await write(CommitHandle(branch), "/x", WriteTerms(key: "2"))
        try await history.transact(as: History.user) {
            try $0.remove(CommitHandle(first), by: .squash, recursive: false)
        }
        #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "1")) == first)
        #expect(try text(branch, "/x") == "xx")
    }

    @Test func `a start that comes again opens one commit`() async throws {
        let branch = try await branch()
        let first = try await start(branch, WriteTerms(key: "k"))
        #expect(try await start(branch, WriteTerms(key: "k")).key == first.key)
        try await history.finish(first.key)
        #expect(try await start(branch, WriteTerms(key: "k")).key == first.key)
        // The same word means something else for a write.
        #expect(try await write(CommitHandle(branch), "/x", WriteTerms(key: "k")) != first.key)
        #expect(try history.commits(branch.repo).count == 2)
    }

    @Test func `a finish that comes again succeeds`() async throws {
        let branch = try await branch()
        let first = try await history.start(branch)
        for handle in [CommitHandle(first), CommitHandle(first), CommitHandle(branch)] {
            #expect(try await finish(handle, WriteTerms(metadata: ["n": "1"], key: "k")).key == first)
        }
        let plain = await refusal { _ = try await finish(CommitHandle(first), WriteTerms()) }
        #expect(plain?.message.contains("already finished") == true)
        let unknown = await refusal { _ = try await finish(CommitHandle(first), WriteTerms(key: "other")) }
        #expect(unknown?.message.contains("already finished") == true)
        // Another commit since then: the branch means the first one, an id means what it says.
        let second = try await history.start(branch)
        #expect(try await finish(CommitHandle(branch), WriteTerms(key: "k")).key == first)
        let error = await refusal { _ = try await finish(CommitHandle(second), WriteTerms(key: "k")) }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains(first.id.description) == true)
        #expect(try history.head(branch).isOpen)
    }

    @Test func `keys beyond the window are forgotten, the last ones never`() async throws {
        let branch = try await branch()
        func write(_ numbers: Range<Int>) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in numbers {
                    group.addTask { [history] in
                        _ = try await history.write(CommitHandle(branch), "/x", WriteTerms(key: "\(number)"))
                    }
                }
                try await group.waitForAll()
            }
        }
        func known(_ numbers: Range<Int>) throws -> Int {
            try history.read { catalog in
                let id = try catalog.existingBranch(branch).id
                return try numbers.filter {
                    try catalog.idempotencyRecord(branch: id, operation: .write, key: "\($0)") != nil
                }.count
            }
        }
        let kept = Limits.idempotencyKeysKept
        try await write(0..<100)
        try await write(100..<kept + 300)
        #expect(try known(0..<kept + 300) == kept + 300, "all are young")
        fixture.clock.advance(seconds: 3600 * Double(Limits.idempotencyKeyHours) + 1)
        try await write(kept + 300..<kept + 600)
        #expect(try known(0..<100) == 0, "old, and not among the last")
        #expect(try known(600..<kept + 600) == kept)
    }

    // MARK: The expected head

    @Test func `a write to another head than expected is refused and names the head`() async throws {
        let branch = try await branch()
        let first = try await write(CommitHandle(branch), "/x", WriteTerms(expectedHead: .nothing))
        for expected in [ExpectedHead.nothing, .commit(CommitID(randomHigh: 1, randomLow: 2))] {
            let terms = WriteTerms(expectedHead: expected)
            for error in [
                await refusal { try await write(CommitHandle(branch), "/y", terms) },
                await refusal { _ = try await start(branch, terms) },
            ] {
                #expect(error?.code == .failedPrecondition)
                #expect(error?.message.contains("is commit \(first.id), not \(expected)") == true)
            }
        }
        let second = try await write(CommitHandle(branch), "/x", WriteTerms(expectedHead: .commit(first.id)))
        let open = try await start(branch, WriteTerms(expectedHead: .commit(second.id))).key
        let late = await refusal {
            try await write(CommitHandle(branch), "/x", WriteTerms(expectedHead: .commit(second.id)))
        }
        #expect(late?.code == .failedPrecondition)
        let wrong = await refusal {
            _ = try await finish(CommitHandle(open), WriteTerms(expectedHead: .commit(first.id)))
        }
        #expect(wrong?.message.contains("the parent of commit \(open) is commit \(second.id)") == true)
        _ = try await finish(CommitHandle(open), WriteTerms(expectedHead: .commit(second.id)))
        #expect(try history.commits(branch.repo).map(\.key) == [first, second, open])
        try fixture.restart()
        let cold = await refusal { try await write(CommitHandle(branch), "/y", WriteTerms(expectedHead: .nothing)) }
        #expect(cold?.code == .failedPrecondition)
        // A branch that is not there is not made in vain.
        let side = branch.repo.branch("side")
        let none = await refusal {
            try await write(CommitHandle(side), "/y", WriteTerms(expectedHead: .commit(first.id)))
        }
        #expect(none?.message.contains("is no commit, not commit \(first.id)") == true)
        #expect(throws: SpileError.self) { try history.head(side) }
    }

    @Test func `of many writers that expect one head one gets through`() async throws {
        let branch = try await branch()
        let first = try await write(CommitHandle(branch), "/x", WriteTerms())
        let won = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<16 {
                group.addTask { [history] in
                    let terms = WriteTerms(expectedHead: .commit(first.id))
                    do {
                        _ = try await history.write(CommitHandle(branch), "/\(number)", terms)
                        return true
                    } catch let error as SpileError where error.code == .failedPrecondition {
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(won == 1)
        #expect(try history.commits(branch.repo).count == 2)
    }

    @Test func `a retry finds its commit although the head has moved on`() async throws {
        let branch = try await branch()
        let terms = WriteTerms(key: "k", expectedHead: .nothing)
        let first = try await write(CommitHandle(branch), "/x", terms)
        try await write(CommitHandle(branch), "/y", WriteTerms())
        #expect(try await write(CommitHandle(branch), "/x", terms) == first)
    }
}

extension History {
    /// One stream that appends to one file.
    fileprivate func write(
        _ handle: CommitHandle, _ path: String, _ terms: WriteTerms, text: String = "x"
    ) async throws -> CommitKey {
        let upload = try Upload(to: handle, in: self, as: History.user, terms)
        try upload.put(path, text, append: true)
        return try await upload.finish()
    }
}
