import Core
import Testing
import Versioning

/// Explicit transactions (`pfs.md` §5), seen from inside.
@Suite struct TransactionTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    @Test func aRehearsalTellsWhatWouldBeAndLeavesNoTrace() async throws {
        let repo = try await history.makeRepo("a")
        let before = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") }
        let record = try await history.startTransaction(as: History.user)
        let commit = try await history.rehearse(record.id, as: History.user) { record, transaction in
            var record = record
            record.requests = [7]
            return (record, try transaction.startCommit(on: repo.branch("master"), parent: nil, description: "").key)
        }
        #expect(commit.id == record.id)
        #expect(try history.head(repo.branch("master")).key == before)
        #expect(try history.read { try $0.transaction(record.id) }?.requests == [7])
        let next = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/y", "1") }
        #expect(try await history.paths(CommitHandle(next)) == ["/", "/x", "/y"])
    }

    @Test func aRehearsalThatFailsLeavesTheRecord() async throws {
        let record = try await history.startTransaction(as: History.user)
        let missing = RepoKey(name: "missing").branch("master")
        await #expect(throws: SpileError.self) {
            try await history.rehearse(record.id, as: History.user) { record, transaction in
                var record = record
                record.requests = [1]
                return (record, try transaction.startCommit(on: missing, parent: nil, description: "").key)
            }
        }
        #expect(try history.read { try $0.transaction(record.id) } == record)
    }

    @Test func allCommitsCarryTheTransactionsIdAndTheRecordGoes() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        let c = try await history.makeRepo("c").branch("master")
        try await history.branch(c, BranchChange(provenance: [a, b]))
        let record = try await history.startTransaction(as: History.user)
        try fixture.restart()
        _ = try await history.finishTransaction(record.id, as: History.user) { _, transaction in
            _ = try transaction.startCommit(on: a, parent: nil, description: "")
            _ = try transaction.startCommit(on: b, parent: nil, description: "")
        }
        for branch in [a, b, c] { #expect(try history.head(branch).key.id == record.id) }
        #expect(try history.read { try $0.transactions() } == [])
    }

    @Test func aFinishThatFailsAppliesNothingAndKeepsTheRecord() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let record = try await history.startTransaction(as: History.user)
        let error = await #expect(throws: SpileError.self) {
            try await history.finishTransaction(record.id, as: History.user) { _, transaction in
                _ = try transaction.startCommit(on: a, parent: nil, description: "")
                _ = try transaction.startCommit(on: a.repo.branch("other"), parent: nil, description: "")
            }
        }
        #expect(error?.code == .alreadyExists)
        #expect(error?.message.hasPrefix("inconsistent dependencies: cannot create commit from") == true)
        #expect(try history.commits(a.repo) == [])
        #expect(try history.read { try $0.transaction(record.id) } == record)
    }

    @Test func transactionsAreListedNewestFirstAndDeleted() async throws {
        var records: [TransactionRecord] = []
        for _ in 0..<3 { records.append(try await history.startTransaction(as: History.user)) }
        #expect(try history.read { try $0.transactions() } == records.reversed())
        try await history.deleteTransaction(records[1].id, as: History.user)
        let error = await #expect(throws: SpileError.self) {
            try await history.deleteTransaction(records[1].id, as: History.user)
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "transactions \(records[1].id) not found")
        try await history.deleteTransactions(as: History.user)
        #expect(try history.read { try $0.transactions() } == [])
    }
}
