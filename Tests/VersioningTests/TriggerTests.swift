import Core
import Logging
import Testing
import Versioning

/// Branches that follow another one (`pfs.md` §4.3.5).
@Suite struct TriggerTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func repo(_ name: String = "a") async throws -> (source: BranchKey, follower: BranchKey) {
        let repo = try await history.makeRepo(name)
        try await history.branch(repo.branch("master"))
        return (repo.branch("master"), repo.branch("follower"))
    }

    private func follow(_ branch: BranchKey, _ trigger: BranchTrigger) async throws {
        try await history.branch(branch, BranchChange(trigger: trigger))
    }

    private func write(_ branch: BranchKey, at path: String = "/x", _ text: String) async throws -> CommitKey {
        try await history.modify(CommitHandle(branch)) { try $0.put(path, text) }
    }

    private func timer() -> TriggerTimer {
        TriggerTimer(history: history, sleep: { _ in }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func withAllAndNoConditionEveryCommitFires() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        let key = try await write(source, "1")
        #expect(try history.head(follower).key == key)
    }

    @Test func withoutAnyConditionNothingFires() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master"))
        let before = try history.head(follower)
        _ = try await write(source, "1")
        #expect(try history.head(follower) == before)
    }

    @Test func sizeCountsWhatCameSinceTheFollowersHead() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", size: "10"))
        _ = try await write(source, at: "/a", "123456789")
        #expect(try history.head(follower).root.isEmpty)
        let second = try await write(source, at: "/b", "1")
        #expect(try history.head(follower).key == second)
        _ = try await write(source, at: "/c", "123456789")
        #expect(try history.head(follower).key == second)
    }

    @Test func everyThirdCommitFires() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", commits: 3))
        var heads: [Bool] = []
        for index in 0..<7 {
            let key = try await write(source, "\(index)")
            heads.append(try history.head(follower).key == key)
        }
        #expect(heads == [false, false, true, false, false, true, false])
    }

    @Test func commitsAreCountedAlongTheLineageOfTheMoment() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", commits: 4))
        _ = try await write(source, "1")
        let second = try await write(source, "2")
        _ = try await write(source, "3")
        // What is counted so far is counted anew without the one that goes.
        try await history.transact(as: History.user) {
            try $0.remove(CommitHandle(second), by: .squash, recursive: false)
        }
        let before = try history.head(follower)
        _ = try await write(source, "4")
        #expect(try history.head(follower) == before)
        let open = try await history.start(source)
        try await history.finish(open)
        #expect(try history.head(follower).key == open)
    }

    @Test func aTriggerThatIsChangedCountsWhatCameBefore() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", size: "1GB"))
        for index in 0..<3 { _ = try await write(source, "\(index)") }
        try await follow(follower, BranchTrigger(branch: "master", commits: 4))
        let fourth = try await write(source, "4")
        #expect(try history.head(follower).key == fourth)
    }

    @Test func aRemovalThatIsTakenBackLeavesTheCountAsItWas() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", commits: 4))
        let first = try await write(source, "1")
        _ = try await write(source, "2")
        // A rehearsal does everything and takes it back.
        let rehearsal = try await history.startTransaction(as: History.user)
        try await history.rehearse(rehearsal.id, as: History.user) { record, transaction in
            try transaction.remove(CommitHandle(first), by: .squash, recursive: false)
            let open = try transaction.startCommit(on: source, parent: nil, description: "")
            _ = try transaction.finishCommit(CommitHandle(open.key), description: "", error: "", force: false)
            return (record, ())
        }
        let before = try history.head(follower)
        _ = try await write(source, "3")
        #expect(try history.head(follower) == before)
        let fourth = try await write(source, "4")
        #expect(try history.head(follower).key == fourth)
    }

    @Test func aRateLimitLetsOneThroughInEachPeriod() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", rateLimit: "@every 60s"))
        let zeroth = try await write(source, "0")
        #expect(try history.head(follower).key != zeroth)
        fixture.clock.advance(seconds: 100)
        let first = try await write(source, "1")
        #expect(try history.head(follower).key == first)
        _ = try await write(source, "2")
        #expect(try history.head(follower).key == first)
        fixture.clock.advance(seconds: 100)
        let third = try await write(source, "3")
        #expect(try history.head(follower).key == third)
    }

    @Test func allAsksForEveryCondition() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", all: true, size: "5", commits: 2))
        _ = try await write(source, at: "/a", "123456")
        #expect(try history.head(follower).root.isEmpty)
        let second = try await write(source, at: "/b", "1")
        #expect(try history.head(follower).key == second)
    }

    @Test func aChainFiresAtOnceAndWhatDerivesFromItGetsASetOfItsOwn() async throws {
        let (source, follower) = try await repo()
        let last = source.repo.branch("last")
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        try await follow(last, BranchTrigger(branch: "follower", all: true))
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [last]))
        let key = try await write(source, "1")
        #expect(try history.head(follower).key == key)
        #expect(try history.head(last).key == key)
        let derived = try history.head(down)
        #expect(derived.key.id != key.id)
        #expect(derived.provenance == [try history.head(last).sequence])
    }

    @Test func finishingFiresAndACommitInErrorDoesNot() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        let bad = try await history.start(source)
        try await history.finish(CommitHandle(bad), description: "", error: "bad", force: false, as: History.user)
        #expect(try history.head(follower).key != bad)
        let good = try await history.start(source)
        #expect(try history.head(follower).key != good)
        try await history.finish(good)
        #expect(try history.head(follower).key == good)
    }

    @Test func movingTheSourceByHandDoesNotFire() async throws {
        let (source, follower) = try await repo()
        let first = try await write(source, "1")
        _ = try await write(source, "2")
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        let before = try history.head(follower)
        try await history.branch(source, BranchChange(head: CommitHandle(first)))
        #expect(try history.head(follower) == before)
    }

    @Test(arguments: [
        (BranchTrigger(branch: ""), "triggers must specify a branch to trigger on"),
        (BranchTrigger(branch: "nowhere"), "branch \"nowhere\" not found in repo default/a"),
        (BranchTrigger(branch: "master", size: "much"), "invalid trigger size"),
        (BranchTrigger(branch: "master", commits: -1), "can't trigger on a negative number of commits"),
        (BranchTrigger(branch: "master", rateLimit: "x"), "invalid trigger rate limit spec"),
        (BranchTrigger(branch: "master", cron: "x"), "invalid trigger cron spec"),
        (BranchTrigger(branch: "follower"), "a branch cannot trigger on itself"),
    ])
    func whatCannotBeIsRefused(trigger: BranchTrigger, expected: String) async throws {
        let (_, follower) = try await repo()
        let error = await #expect(throws: SpileError.self) { try await follow(follower, trigger) }
        #expect(error?.message.hasPrefix(expected) == true, "\(error?.message ?? "")")
    }

    @Test func aLoopIsRefused() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master"))
        let error = await #expect(throws: SpileError.self) {
            try await follow(source, BranchTrigger(branch: "follower"))
        }
        #expect(error?.message.hasPrefix("triggers cannot form a loop") == true)
    }

    @Test func aBranchFollowsOneWayOrTheOther() async throws {
        let (source, follower) = try await repo()
        let other = try await history.makeRepo("other").branch("master")
        let both = BranchChange(provenance: [other], trigger: BranchTrigger(branch: "master"))
        await #expect(throws: SpileError.self) { try await history.branch(follower, both) }
        _ = source
    }

    @Test func aTriggerStaysWhereNoneIsGiven() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        try await history.branch(follower, BranchChange(head: CommitHandle(source)))
        try fixture.restart()
        #expect(
            try history.read { try $0.existingBranch(follower) }.trigger == BranchTrigger(branch: "master", all: true))
    }

    @Test func aBranchInUseByATriggerIsNotDeleted() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", all: true))
        for (branch, text) in [(source, "it triggers branches"), (follower, "it is triggered by branches")] {
            let error = await #expect(throws: SpileError.self) {
                try await history.transact(as: History.user) { try $0.deleteBranch(branch, force: false) }
            }
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
        try await history.transact(as: History.user) { try $0.deleteBranch(source, force: true) }
        #expect(try history.read { try $0.existingBranch(follower) }.trigger == nil)
    }

    // MARK: Schedules

    @Test func aScheduleMovesTheBranchWhenItIsDue() async throws {
        let (source, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", cron: "@every 60s"))
        let timer = timer()
        let key = try await write(source, "1")
        _ = try await timer.fireDue()
        #expect(try history.head(follower).key != key)
        fixture.clock.advance(seconds: 61)
        let next = try await timer.fireDue()
        #expect(try history.head(follower).key == key)
        #expect(try #require(next).seconds(since: history.clock.now()) > 55)
    }

    @Test func aScheduleOpensCommitsDownstreamEvenIfNothingIsNew() async throws {
        let (_, follower) = try await repo()
        try await follow(follower, BranchTrigger(branch: "master", cron: "@every 60s"))
        let down = try await history.makeRepo("down").branch("master")
        try await history.branch(down, BranchChange(provenance: [follower]))
        let timer = timer()
        let before = try history.commits(down.repo).count
        for round in 1...3 {
            fixture.clock.advance(seconds: 61)
            _ = try await timer.fireDue()
            _ = try await timer.fireDue()
            #expect(try history.commits(down.repo).count == before + round)
        }
    }
}
