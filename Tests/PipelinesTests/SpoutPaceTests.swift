import Core
import Testing

@testable import Pipelines

@Suite struct SpoutPaceTests {
    private let start = Instant(seconds: 1000)

    /// A pace of commits `gap` seconds apart, the first one right at the start of launch 1; and when the last one was.
    private func pace(gap: Double, commits: Int) -> (SpoutPace, last: Instant) {
        var pace = SpoutPace()
        var now = start
        for number in 0..<commits {
            if number > 0 { now = now.adding(seconds: gap) }
            pace.committed(at: now, epoch: 1)
        }
        return (pace, now)
    }

    private func stall(_ pace: SpoutPace, at now: Instant, open: Instant? = nil) -> SpoutStall? {
        pace.stall(upSince: start, at: now) { open }
    }

    @Test func aSpoutIsSilentForTooLongAfterTenTimesItsUsualGap() {
        let (pace, last) = pace(gap: 30, commits: 6)
        #expect(stall(pace, at: last.adding(seconds: 300)) == nil)
        #expect(
            stall(pace, at: last.adding(seconds: 301)) == SpoutStall(seconds: 301, usualGap: 30, cause: .waits))
    }

    @Test func aFastSpoutGetsAMinute() {
        let (pace, last) = pace(gap: 0.5, commits: 6)
        #expect(stall(pace, at: last.adding(seconds: 60)) == nil)
        let found = stall(pace, at: last.adding(seconds: 61))
        #expect(
            found?.reason == "nothing committed for 61 s (usually every 0.5 s): "
                + "the code sends nothing: it waits for its source, or hangs")
    }

    @Test func withoutAHabitItGetsFiveMinutes() {
        let (pace, last) = pace(gap: 0.5, commits: 3)
        #expect(stall(pace, at: last.adding(seconds: 300)) == nil)
        #expect(stall(pace, at: last.adding(seconds: 301))?.usualGap == nil)
    }

    @Test func oneThatNeverCommittedSaysSo() {
        #expect(stall(SpoutPace(), at: start.adding(seconds: 300)) == nil)
        let found = stall(SpoutPace(), at: start.adding(seconds: 400))
        #expect(found == SpoutStall(seconds: 400, usualGap: nil, cause: .neverCommitted))
        #expect(found?.reason == "nothing committed for 400 s: the code has committed nothing since it was started")
    }

    @Test func anOpenCommitIsNamedWithItsAge() {
        let (pace, last) = pace(gap: 1, commits: 6)
        let found = stall(pace, at: last.adding(seconds: 100), open: last.adding(seconds: 1))
        #expect(found?.cause == .holdsCommit(seconds: 99))
        #expect(found?.reason.hasSuffix("a commit is open for 99 s") == true)
    }

    @Test func theCatalogIsNotAskedWhileThePaceIsUsual() {
        let (pace, last) = pace(gap: 1, commits: 6)
        var asked = 0
        _ = pace.stall(upSince: start, at: last.adding(seconds: 5)) {
            asked += 1
            return nil
        }
        #expect(asked == 0)
    }

    @Test func aRefusedWriteGoesBeforeAllOtherCauses() {
        var (pace, last) = pace(gap: 1, commits: 6)
        pace.refused("disk full", at: last.adding(seconds: 2), epoch: 1)
        let found = stall(pace, at: last.adding(seconds: 100), open: last)
        #expect(found?.cause == .refused("disk full"))
        #expect(found?.reason.hasSuffix("its last write was refused: disk full") == true)
    }

    @Test func aRefusalOfAnOlderLaunchIsNoCauseForTheNewOne() {
        var pace = SpoutPace()
        pace.refused("disk full", at: start, epoch: 1)
        pace.began(epoch: 2)
        #expect(stall(pace, at: start.adding(seconds: 400))?.cause == .neverCommitted)
        pace.refused("fenced", at: start.adding(seconds: 1), epoch: 1)
        #expect(stall(pace, at: start.adding(seconds: 400))?.cause == .neverCommitted)
        pace.refused("no such path", at: start.adding(seconds: 2), epoch: 2)
        #expect(stall(pace, at: start.adding(seconds: 400))?.cause == .refused("no such path"))
    }

    @Test func theNextCommitClearsStallAndRefusal() {
        var (pace, last) = pace(gap: 1, commits: 6)
        pace.refused("disk full", at: last.adding(seconds: 2), epoch: 1)
        let now = last.adding(seconds: 100)
        pace.committed(at: now, epoch: 1)
        #expect(stall(pace, at: now.adding(seconds: 1)) == nil)
        #expect(stall(pace, at: now.adding(seconds: 1000))?.cause == .waits)
    }

    @Test func timeWithoutCodeIsNobodysGap() {
        var (pace, last) = pace(gap: 1, commits: 6)
        let again = last.adding(seconds: 10_000)
        for number in 0..<2 { pace.committed(at: again.adding(seconds: Double(number)), epoch: 2) }
        #expect(pace.usualGap == 1)
    }

    @Test func aNewLaunchIsSilentSinceItsOwnStart() {
        let (pace, last) = pace(gap: 1, commits: 6)
        let restart = last.adding(seconds: 10_000)
        #expect(pace.stall(upSince: restart, at: restart.adding(seconds: 59)) { nil } == nil)
        let found = pace.stall(upSince: restart, at: restart.adding(seconds: 61)) { nil }
        #expect(found?.cause == .neverCommitted)
        #expect(found?.seconds == 61)
    }

    @Test func onlyTheNewestTwentyGapsCountAndOneLongOneChangesNothing() {
        var (pace, now) = pace(gap: 1, commits: 40)
        now = now.adding(seconds: 500)
        pace.committed(at: now, epoch: 1)
        #expect(pace.usualGap == 1)
        for _ in 0..<20 {
            now = now.adding(seconds: 8)
            pace.committed(at: now, epoch: 1)
        }
        #expect(pace.usualGap == 8)
    }
}
