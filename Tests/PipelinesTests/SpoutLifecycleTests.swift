import Core
import Pipelines
import Testing

@Suite struct SpoutLifecycleTests {
    private let start = Instant(seconds: 1000)
    private let handle = LaunchHandle("h")

    private func running(_ version: Int64 = 1, failures: Int64 = 0) -> SpoutLifecycle {
        var life = SpoutLifecycle(policy: RestartPolicy(), failures: failures)
        #expect(life.wanted(.run(version: version)) == [.launch(version: version, failures: failures)])
        _ = life.launched(handle, at: start)
        return life
    }

    private func reports(_ actions: [SpoutLifecycle.Action]) -> [StateReport] {
        actions.compactMap { if case .report(let report) = $0 { report } else { nil } }
    }

    @Test func aWantedSpoutIsLaunchedOnceAndThenRuns() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        #expect(life.wanted(.run(version: 1)) == [.launch(version: 1, failures: 0)])
        #expect(life.wanted(.run(version: 1)).isEmpty)
        #expect(
            life.launched(handle, at: start)
                == [.report(StateReport(version: 1, state: .running, reason: "", startedAt: start))])
        #expect(life.wanted(.run(version: 1)).isEmpty)
    }

    @Test func aSpoutThatExitsWithZeroIsStartedAgainAfterAPause() {
        var life = running()
        let actions = life.ended(.exited(code: 0), output: [], at: start.adding(seconds: 1), chance: 0.5)
        #expect(reports(actions).map(\.state) == [.restarting])
        #expect(actions.last == .wake(after: 0.5, ticket: 1))
        #expect(life.woke(ticket: 1) == [.launch(version: 1, failures: 1)])
    }

    @Test func shortRunsGrowThePauseAndEndInCrashingWithTheLastOutput() {
        var life = running()
        var pauses: [Double] = []
        for run in 1...9 {
            let actions = life.ended(
                .exited(code: 3), output: ["no broker", "giving up"], at: start.adding(seconds: 0.2), chance: 0.5)
            guard case .wake(let pause, let ticket)? = actions.last else {
                Issue.record("no pause")
                return
            }
            pauses.append(pause)
            let report = reports(actions)[0]
            #expect(report.state == (run < 3 ? .restarting : .crashing))
            #expect(report.reason.contains("exited with code 3 after 0.2 s"))
            #expect(report.reason.contains("no broker | giving up"))
            _ = life.woke(ticket: ticket)
            let shown = reports(life.launched(handle, at: start))[0]
            #expect(shown.state == (run < 3 ? .running : .crashing))
        }
        #expect(pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60])
    }

    @Test func chanceSpreadsPausesWithoutPassingTheLongest() {
        let policy = RestartPolicy()
        #expect(abs(policy.pause(failures: 1, chance: 0) - 0.4) < 1e-9)
        #expect(policy.pause(failures: 1, chance: 0.999) < 0.6)
        #expect(policy.pause(failures: 1000, chance: 0.999) == 60)
    }

    @Test func aHealthyRunClearsTheCount() {
        var life = running(failures: 7)
        let actions = life.ended(.exited(code: 1), output: [], at: start.adding(seconds: 60), chance: 0.5)
        #expect(actions.last == .wake(after: 0.5, ticket: 2))
        #expect(reports(actions).map(\.state) == [.restarting])
    }

    @Test func aCrashingSpoutIsRunningAgainOnceItHasBeenUpLongEnough() {
        var life = SpoutLifecycle(policy: RestartPolicy(), failures: 5)
        _ = life.wanted(.run(version: 1))
        #expect(life.launched(handle, at: start).last == .wake(after: 60, ticket: 1))
        #expect(
            life.woke(ticket: 1) == [.report(StateReport(version: 1, state: .running, reason: "", startedAt: start))])
    }

    @Test func stoppingEndsTheRunThenShowsPaused() {
        var life = running()
        #expect(life.wanted(.rest(version: 1)) == [.stop(handle)])
        #expect(life.wanted(.rest(version: 1)).isEmpty)
        let actions = life.ended(.signalled(number: 15), output: [], at: start, chance: 0)
        #expect(actions == [.revoke, .report(StateReport(version: 1, state: .paused, reason: ""))])
    }

    @Test func aSpoutStartedAgainWhileItStopsIsLaunchedAfterItsEnd() {
        var life = running()
        _ = life.wanted(.rest(version: 1))
        #expect(life.wanted(.run(version: 1)).isEmpty)
        #expect(
            life.ended(.signalled(number: 9), output: [], at: start, chance: 0) == [.launch(version: 1, failures: 0)])
    }

    @Test func aNewVersionTakesTheOldOnesPlaceAtOnce() {
        var life = running()
        let actions = life.wanted(.run(version: 2))
        #expect(actions.first == .stop(handle))
        #expect(reports(actions).map(\.state) == [.restarting])
        #expect(life.ended(.exited(code: 0), output: [], at: start, chance: 0) == [.launch(version: 2, failures: 0)])
    }

    @Test func aNewVersionDoesNotWaitForThePauseOfTheOldOne() {
        var life = running()
        _ = life.ended(.exited(code: 1), output: [], at: start, chance: 0)
        #expect(life.wanted(.run(version: 2)) == [.launch(version: 2, failures: 0)])
        #expect(life.woke(ticket: 1).isEmpty)
    }

    @Test func aVersionReplacedWhileItWasLaunchedIsStopped() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        _ = life.wanted(.run(version: 1))
        #expect(life.wanted(.run(version: 2)) == [.abandon])
        #expect(life.launched(handle, at: start) == [.stop(handle)])
        #expect(
            life.ended(.signalled(number: 15), output: [], at: start, chance: 0) == [.launch(version: 2, failures: 0)])
    }

    @Test func aDeletedSpoutIsStoppedThenForgotten() {
        var life = running()
        #expect(life.wanted(.nothing) == [.stop(handle)])
        #expect(life.ended(.signalled(number: 15), output: [], at: start, chance: 0) == [.forget(keepsLogs: false)])
    }

    @Test func aSpoutThatCannotRunFails() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        #expect(
            life.wanted(.fail(version: 1, reason: "no cmd"))
                == [.revoke, .report(StateReport(version: 1, state: .failure, reason: "no cmd"))])
        #expect(life.wanted(.run(version: 2)) == [.launch(version: 2, failures: 0)])
    }

    @Test func aLaunchThatFailsIsTriedAgain() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        _ = life.wanted(.run(version: 1))
        let actions = life.launchFailed("no program", chance: 0.5)
        #expect(reports(actions).map(\.reason) == ["could not be started: no program; next start in 0.5 s"])
        #expect(life.woke(ticket: 1) == [.launch(version: 1, failures: 1)])
    }

    @Test func shuttingDownEndsTheRunAndStartsNoOther() {
        var life = running()
        #expect(life.shutDown() == [.stop(handle)])
        #expect(!life.isQuiet)
        #expect(life.ended(.signalled(number: 15), output: [], at: start, chance: 0).isEmpty)
        #expect(life.isQuiet)
        #expect(life.wanted(.run(version: 2)).isEmpty)
    }

    @Test func aRunThatStartsDuringShutdownIsStopped() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        _ = life.wanted(.run(version: 1))
        #expect(life.shutDown() == [.abandon])
        #expect(life.launched(handle, at: start) == [.stop(handle)])
    }

    @Test func whatIsBeingStartedIsGivenUpOnceItIsNotWanted() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        _ = life.wanted(.run(version: 1))
        #expect(life.wanted(.run(version: 1)) == [])
        #expect(life.wanted(.rest(version: 1)) == [.abandon])
        #expect(life.wanted(.rest(version: 1)) == [], "once is enough")
        // Given up is no failure, whatever is wanted by then.
        #expect(life.wanted(.run(version: 1)) == [])
        #expect(life.launchFailed("given up", chance: 0) == [.launch(version: 1, failures: 0)])
        #expect(life.wanted(.nothing) == [.abandon])
        #expect(life.launchFailed("given up", chance: 0) == [.forget(keepsLogs: false)])
    }

    @Test func aStartThatWentTooFarIsStopped() {
        var life = SpoutLifecycle(policy: RestartPolicy())
        _ = life.wanted(.run(version: 1))
        #expect(life.shutDown() == [.abandon])
        let handle = LaunchHandle("h")
        #expect(life.launched(handle, at: Instant(seconds: 0)) == [.stop(handle)])
        #expect(!life.isQuiet)
    }
}
