import Core
import Testing
import Versioning

/// What derives from what, and how a commit travels downstream (`pfs.md` §2.3, §2.4, §4.3).
@Suite struct ProvenanceTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func derive(_ branch: BranchKey, from upstream: BranchKey...) async throws {
        try await history.branch(branch, BranchChange(provenance: upstream))
    }

    /// Repos a, b and c, their branches `master` a chain.
    private func chain() async throws -> (a: BranchKey, b: BranchKey, c: BranchKey) {
        let names = ["a", "b", "c"]
        var branches: [BranchKey] = []
        for name in names { branches.append(try await history.makeRepo(name).branch("master")) }
        try await derive(branches[1], from: branches[0])
        try await derive(branches[2], from: branches[1])
        return (branches[0], branches[1], branches[2])
    }

    @Test func aDerivedBranchBeginsWithAnOpenCommit() async throws {
        let (a, b, _) = try await chain()
        let head = try history.head(b)
        #expect(head.isOpen && head.origin == .auto)
        #expect(head.provenance == [try history.head(a).sequence])
        #expect(try history.head(a).finished != nil)
    }

    @Test func startingACommitOpensOneOnEveryBranchDownstream() async throws {
        let (a, b, c) = try await chain()
        let before = try history.head(b)
        let key = try await history.start(a)
        for branch in [b, c] {
            let head = try history.head(branch)
            #expect(head.key.id == key.id)
            #expect(head.isOpen && head.origin == .auto)
        }
        #expect(try history.head(b).parent == before.sequence)
        #expect(try history.head(b).provenance == [history.head(a).sequence])
        #expect(try history.head(c).provenance == [history.head(b).sequence])
    }

    @Test func aWriteTravelsDownstreamInItsOwnTransaction() async throws {
        let (a, b, c) = try await chain()
        let key = try await history.modify(CommitHandle(a)) { try $0.put("/x", "1") }
        #expect(try history.head(b).key.id == key.id)
        #expect(try history.head(c).key.id == key.id)
        #expect(try history.findings() == [])
    }

    @Test func manyWritesInOneBatchEachTravelDownstream() async throws {
        let (a, b, _) = try await chain()
        let history = history
        let before = try history.commits(b.repo).count
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                group.addTask { _ = try await history.modify(CommitHandle(a)) { try $0.put("/\(index)", "x") } }
            }
            try await group.waitForAll()
        }
        #expect(try history.commits(b.repo).count == before + 20)
    }

    @Test func aBranchThatWasWrittenBeforeSomethingDerivedFromItHasConsequencesFromThenOn() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        for index in 0..<3 { try await history.modify(CommitHandle(a)) { try $0.put("/\(index)", "x") } }
        try await derive(b, from: a)
        let key = try await history.modify(CommitHandle(a)) { try $0.put("/y", "1") }
        #expect(try history.head(b).key.id == key.id)
    }

    @Test func aQuietEdgeIsProvenanceButOpensNothing() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        try await history.branch(b, BranchChange(provenance: [a], quiet: [a]))
        let before = try history.head(b)
        try await history.modify(CommitHandle(a)) { try $0.put("/x", "1") }
        #expect(try history.head(b) == before)
        #expect(try history.read { try $0.view($0.existingBranch(b)).quiet } == [a])
    }

    @Test func aQuietEdgeHasToBeProvenance() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        await #expect(throws: SpileError.self) { try await history.branch(b, BranchChange(quiet: [a])) }
    }

    @Test func movingAHeadMakesANewSetDownstream() async throws {
        let (a, b, _) = try await chain()
        let first = try await history.modify(CommitHandle(a)) { try $0.put("/x", "1") }
        try await history.modify(CommitHandle(a)) { try $0.put("/x", "2") }
        try await history.branch(a, BranchChange(head: CommitHandle(first)))
        let head = try history.head(b)
        #expect(head.key.id != first.id)
        #expect(head.provenance == [try history.read { try $0.existingCommit(CommitHandle(first)) }.sequence])
        #expect(try history.head(a).key == first)
    }

    @Test func takingProvenanceAwayAddsNoCommit() async throws {
        let (_, b, _) = try await chain()
        let before = try history.head(b)
        try await history.branch(b)
        #expect(try history.head(b) == before)
        let view = try history.read { try $0.view($0.existingBranch(b)) }
        #expect(view.directProvenance == [])
    }

    @Test func theSameRequestAgainChangesNothing() async throws {
        let (a, b, _) = try await chain()
        let before = try history.commits(b.repo)
        try await derive(b, from: a)
        #expect(try history.commits(b.repo) == before)
    }

    @Test func aCycleIsRefused() async throws {
        let (a, _, c) = try await chain()
        let error = await #expect(throws: SpileError.self) { try await derive(a, from: c) }
        #expect(error?.message == "cycle detected because \(c) is already in the subvenance of \(a)")
        #expect(error?.code == .internal)
    }

    @Test func twoBranchesOfOneRepoCannotMeet() async throws {
        let (a, b, c) = try await chain()
        let side = a.repo.branch("side")
        try await history.branch(side)
        let error = await #expect(throws: SpileError.self) { try await derive(c, from: b, side) }
        #expect(
            error?.message == "multiple branches from the same repo, \"default/a\", cannot participate in a DAG")
        #expect(try history.read { try $0.view($0.existingBranch(c)).directProvenance } == [b])
        await #expect(throws: SpileError.self) { try await derive(a, from: a.repo.branch("other")) }
    }

    @Test func aMissingUpstreamBranchIsMade() async throws {
        let a = try await history.makeRepo("a").branch("fresh")
        let b = try await history.makeRepo("b").branch("master")
        try await derive(b, from: a)
        let head = try history.head(a)
        #expect(head.origin == .auto && head.finished != nil)
    }

    @Test func oneTransactionOpensOneCommitDownstreamWithAllItsNewInputs() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        let c = try await history.makeRepo("c").branch("master")
        try await derive(c, from: a, b)
        let before = try history.commits(c.repo).count
        try await history.transact(as: History.user) { transaction in
            _ = try transaction.startCommit(on: a, parent: nil, description: "")
            _ = try transaction.startCommit(on: b, parent: nil, description: "")
        }
        #expect(try history.commits(c.repo).count == before + 1)
        #expect(try history.head(c).provenance == [history.head(a).sequence, history.head(b).sequence])
    }

    @Test func aBranchDerivedInATransactionSeesWhatStartsLaterInIt() async throws {
        let a = try await history.makeRepo("a").branch("master")
        let b = try await history.makeRepo("b").branch("master")
        try await history.branch(a)
        try await history.transact(as: History.user) { transaction in
            try transaction.createBranch(b, BranchChange(provenance: [a]))
            _ = try transaction.startCommit(on: a, parent: nil, description: "")
        }
        #expect(try history.head(b).provenance == [history.head(a).sequence])
    }

    @Test func anOpenChildGetsWhatItsParentHasInTheEnd() async throws {
        let (a, b, _) = try await chain()
        let parent = try history.head(b).key
        try await history.modify(CommitHandle(a)) { try $0.put("/x", "1") }
        let child = try history.head(b).key
        #expect(child != parent)
        try await history.modify(CommitHandle(parent)) { try $0.put("/from-parent", "p") }
        try await history.modify(CommitHandle(child)) { try $0.put("/from-child", "c") }
        try await history.finish(parent)
        #expect(try await history.paths(CommitHandle(child)) == ["/", "/from-child", "/from-parent"])
        try await history.finish(child)
        #expect(try await history.paths(CommitHandle(child)) == ["/", "/from-child", "/from-parent"])
        #expect(try history.findings() == [])
    }

    @Test func aParentInErrorLeavesItsChildWhatCameBefore() async throws {
        let (a, b, _) = try await chain()
        let parent = try history.head(b).key
        try await history.modify(CommitHandle(parent)) { try $0.put("/bad", "p") }
        try await history.modify(CommitHandle(a)) { try $0.put("/x", "1") }
        let child = try history.head(b).key
        try await history.finish(
            CommitHandle(parent), description: "", error: "no good", force: false, as: History.user)
        #expect(try await history.paths(CommitHandle(child)) == [])
    }
}
