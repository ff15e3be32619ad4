import Core
import Testing
import Versioning

/// Commits that are squashed, dropped, forgotten or cleared (`pfs.md` §4.4, §4.5).
@Suite struct RemovalTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    /// `count` commits on `master` of a new repo, the n-th of which puts `/n`.
    private func commits(_ count: Int, _ name: String = "a") async throws -> (branch: BranchKey, keys: [CommitKey]) {
        let branch = try await history.makeRepo(name).branch("master")
        var keys: [CommitKey] = []
        for index in 0..<count {
            keys.append(try await history.modify(CommitHandle(branch)) { try $0.put("/\(index)", "text \(index)") })
        }
        return (branch, keys)
    }

    private func remove(_ key: CommitKey, by removal: HistoryTransaction.Removal, recursive: Bool = false) async throws
    {
        try await history.transact(as: History.user) {
            try $0.remove(CommitHandle(key), by: removal, recursive: recursive)
        }
    }

    private func remove(set id: CommitID, by removal: HistoryTransaction.Removal) async throws {
        try await history.transact(as: History.user) { try $0.remove(set: id, by: removal) }
    }

    @Test func squashingKeepsTheFilesInTheCommitAfter() async throws {
        let (branch, keys) = try await commits(3)
        try await remove(keys[1], by: .squash)
        #expect(try history.commits(branch.repo).map(\.key) == [keys[0], keys[2]])
        #expect(try history.head(branch).parent == history.commits(branch.repo)[0].sequence)
        #expect(try await history.paths(CommitHandle(branch)) == ["/", "/0", "/1", "/2"])
        #expect(try history.findings() == [])
    }

    @Test func squashingTheRootLeavesNoParent() async throws {
        let (branch, keys) = try await commits(2)
        try await remove(set: keys[0].id, by: .squash)
        #expect(try history.head(branch).parent == nil)
        #expect(try await history.paths(CommitHandle(branch)) == ["/", "/0", "/1"])
    }

    @Test func theLastCommitCannotBeSquashed() async throws {
        let (_, keys) = try await commits(2)
        let error = await #expect(throws: SpileError.self) { try await remove(keys[1], by: .squash) }
        #expect(error?.message.hasPrefix("cannot squash a commit that has no children") == true)
    }

    @Test func aCommitWithAnOpenChildIsNotSquashed() async throws {
        let (branch, keys) = try await commits(1)
        _ = try await history.start(branch)
        let error = await #expect(throws: SpileError.self) { try await remove(keys[0], by: .squash) }
        #expect(error?.message.hasPrefix("cannot squash until child commit") == true)
    }

    @Test func droppingTheHeadMovesItBack() async throws {
        let (branch, keys) = try await commits(2)
        try await remove(set: keys[1].id, by: .drop)
        #expect(try history.head(branch).key == keys[0])
        #expect(try await history.paths(CommitHandle(branch)) == ["/", "/0"])
        let next = try await history.modify(CommitHandle(branch)) { try $0.put("/next", "x") }
        #expect(try await history.paths(CommitHandle(next)) == ["/", "/0", "/next"])
    }

    @Test func aCommitWithChildrenIsNotDropped() async throws {
        let (_, keys) = try await commits(2)
        let error = await #expect(throws: SpileError.self) { try await remove(set: keys[0].id, by: .drop) }
        #expect(error?.message.hasPrefix("cannot drop a commit that has children") == true)
    }

    @Test func droppingTheOnlyCommitLeavesAnEmptyHeadForEveryBranchAtIt() async throws {
        let (branch, keys) = try await commits(1)
        let fork = branch.repo.branch("fork")
        try await history.branch(fork, BranchChange(head: CommitHandle(keys[0])))
        let down = try await history.makeRepo("down").branch("master")
        try await remove(keys[0], by: .drop)
        for branch in [branch, fork] {
            let head = try history.head(branch)
            #expect(head.origin == .auto && head.finished != nil && head.root.isEmpty)
        }
        #expect(throws: SpileError.self) { try history.head(down) }
    }

    @Test func aHeadThatIsReplacedTellsNothingDownstream() async throws {
        let (branch, keys) = try await commits(1)
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [branch]))
        try await remove(keys[0], by: .drop, recursive: true)
        #expect(try history.commits(down.repo).count == 1)
        #expect(try history.head(down).isOpen)
        #expect(try history.findings() == [])
    }

    @Test(arguments: [HistoryTransaction.Removal.squash, .drop])
    func whatDerivesFromACommitHoldsItUnlessItGoesAsWell(removal: HistoryTransaction.Removal) async throws {
        let (branch, keys) = try await commits(2)
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [branch]))
        let error = await #expect(throws: SpileError.self) { try await remove(keys[1], by: removal) }
        #expect(
            error?.message == "cannot \(removal.rawValue) commit (\(keys[1])) with subvenance without recursive")
        let other = await #expect(throws: SpileError.self) { try await remove(set: keys[1].id, by: removal) }
        #expect(
            other?.message.hasPrefix(
                "commit set \"\(keys[1].id)\" cannot be dropped because it has subvenant commit sets: [") == true)
    }

    @Test func aSetGoesAsAWhole() async throws {
        let (branch, _) = try await commits(1)
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [branch]))
        try await history.finish(history.head(down).key)
        let key = try await history.modify(CommitHandle(branch)) { try $0.put("/x", "1") }
        let before = try history.commits(down.repo).count
        try await remove(set: key.id, by: .drop)
        #expect(try history.commits(down.repo).count == before - 1)
        #expect(try history.head(branch).key != key)
        #expect(try history.findings() == [])
    }

    @Test func anUnknownSetIsNoError() async throws {
        try await remove(set: CommitID(fixture.randomness), by: .squash)
        try await remove(set: CommitID(fixture.randomness), by: .drop)
    }

    @Test func aSpecCommitStaysWhileItsPipelineDoes() async throws {
        _ = try await history.makeRepo("p")
        let spec = RepoKey(name: "p", type: .spec)
        try await history.transact(as: History.user) { try $0.createRepo(spec, description: "", update: false) }
        let key = try await history.start(spec.branch("master"))
        try await history.finish(key)
        let error = await #expect(throws: SpileError.self) { try await remove(set: key.id, by: .drop) }
        #expect(error?.message.hasSuffix("because it updated a pipeline") == true)
    }

    @Test func waitersHearThatTheirCommitIsGone() async throws {
        let (branch, _) = try await commits(1)
        let open = try await history.start(branch)
        let history = history
        let waiting = Task { try await history.commit(CommitHandle(open), at: .finished) }
        try await remove(open, by: .drop)
        let error = await #expect(throws: SpileError.self) { _ = try await waiting.value }
        #expect(error?.message == "commit \(open) was deleted" || error?.code == .notFound)
    }

    // MARK: Forget and clear

    @Test func aForgottenCommitKeepsItsPlaceAndLosesItsFiles() async throws {
        let (branch, _) = try await commits(1)
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [branch]))
        let key = try history.head(down).key
        try await history.modify(CommitHandle(key)) { try $0.put("/out", "1") }
        try await history.finish(key)
        try await history.modify(CommitHandle(branch)) { try $0.put("/x", "1") }
        try await history.finish(history.head(down).key)
        try await history.transact(as: History.user) { try $0.forgetCommit(CommitPicker(CommitHandle(key))) }
        let error = #expect(throws: SpileError.self) { try history.files(CommitHandle(key)) }
        #expect(error?.message.hasPrefix("the commit is forgotten") == true)
        #expect(try await history.paths(CommitHandle(down)) == ["/", "/out"])
        #expect(try history.commits(down.repo).contains { $0.key == key && $0.isForgotten })
        #expect(try history.findings() == [])
    }

    @Test func onlyClosedCommitsInTheMiddleOfAnOutputCanBeForgotten() async throws {
        let (branch, keys) = try await commits(2)
        func refusal(_ key: CommitKey) async -> String? {
            await #expect(throws: SpileError.self) {
                try await history.transact(as: History.user) { try $0.forgetCommit(CommitPicker(CommitHandle(key))) }
            }?.message
        }
        #expect(await refusal(keys[0])?.contains("must be in an output repo") == true)
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [branch]))
        let key = try history.head(down).key
        try await history.finish(key)
        #expect(await refusal(key)?.contains("the branch head cannot be a forgotten commit") == true)
        try await history.modify(CommitHandle(branch)) { try $0.put("/x", "1") }
        #expect(await refusal(key)?.contains("direct descendants must be closed") == true)
    }

    @Test func clearingTakesBackWhatWasWrittenToAnOpenCommit() async throws {
        let (branch, keys) = try await commits(1)
        let open = try await history.start(branch)
        try await history.modify(CommitHandle(open)) { try $0.put("/y", "1") }
        try await history.transact(as: History.user) { try $0.clearCommit(CommitHandle(open)) }
        #expect(try await history.paths(CommitHandle(open)) == ["/", "/0"])
        let error = await #expect(throws: SpileError.self) {
            try await history.transact(as: History.user) { try $0.clearCommit(CommitHandle(keys[0])) }
        }
        #expect(error?.message.hasPrefix("cannot clear finished commit") == true)
    }
}
