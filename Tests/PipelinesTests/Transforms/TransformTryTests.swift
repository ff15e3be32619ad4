import Core
import Pipelines
import Simulation
import Testing

/// How a datum is tried, and what becomes of a job whose datums or whose server fail (`pps.md` §9.4, §10).
@Suite(.timeLimit(.minutes(15))) struct TransformTryTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private let key = PipelineKey(name: "p")

    private func begin(_ transform: String = "", _ more: String = "") async throws {
        try await scene.makeRepo("data")
        try await scene.commit(["/a": "1"])
        try await scene.create(
            TransformScene.spec("p", more).replacing(
                "\"cmd\": [\"code\"]", with: "\"cmd\": [\"code\"]" + (transform.isEmpty ? "" : ", " + transform)))
    }

    @Test func aDatumIsTriedSoOftenAndFromTheBeginningEachTime() async throws {
        scene.launcher.play { run in
            try run.put("left by a try", "x")
            return .exited(code: 1)
        }
        try await begin("", "\"datumTries\": 2")
        try await scene.run {
            let first = await scene.launcher.starts.next().order
            let second = await scene.launcher.starts.next().order
            #expect(first.pfsFolder != second.pfsFolder && first.run != second.run)
            let job = try await scene.last("p")
            #expect(job.state == .failure && job.counts == DatumCounts(total: 1, failed: 1))
            #expect(scene.launcher.starts.untaken.isEmpty)
            #expect(try await scene.files("p", job.key.id) == [:])
            let record = try #require(try await scene.records("p", job.key.id).values.first)
            #expect(record.state == .failed && record.reason == "exited with code 1")
        }
    }

    @Test func aTryThatSucceedsCountsAloneWhateverTheOnesBeforeLeft() async throws {
        let first = FirstTime()
        scene.launcher.play { run in
            let isFirst = first.take()
            try run.put(isFirst ? "bad" : "good", "x")
            return .exited(code: isFirst ? 1 : 0)
        }
        try await begin()
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 1, processed: 1))
            #expect(try await scene.files("p") == ["/good": "x"])
            let record = try #require(try await scene.records("p", job.key.id).values.first)
            #expect(record.state == .processed && record.reason == "")
        }
    }

    @Test func codesThatAreAcceptedAreNoFailure() async throws {
        scene.launcher.play { _ in .exited(code: 7) }
        try await begin("\"acceptReturnCode\": [7]")
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.state == .success)
        }
    }

    @Test(arguments: [
        (LaunchExit.signalled(number: 9), "was ended by signal 9"), (.exited(code: 2), "exited with code 2"),
        (.unknown, "ended unseen"),
    ])
    func theReasonSaysHowTheCodeEnded(_ exit: LaunchExit, _ text: String) async throws {
        scene.launcher.play { _ in exit }
        try await begin("\"acceptReturnCode\": [7]", "\"datumTries\": 1")
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.reason.contains(text))
        }
    }

    @Test func codeThatCannotBeStartedFailsTheDatum() async throws {
        try await begin("", "\"datumTries\": 1")
        scene.launcher.refuseNextStart(SpileError(.failedPrecondition, "no such program"))
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.state == .failure && job.reason.contains("no such program"))
        }
    }

    @Test func aDatumThatTakesTooLongIsEndedAndTriedAgain() async throws {
        let first = FirstTime()
        scene.launcher.play { first.take() ? nil : try ScriptedLauncher.marking($0) }
        try await begin("", "\"datumTimeout\": \"20s\"")
        try await scene.run {
            let handle = await scene.launcher.starts.next().handle
            #expect(await scene.time.sleeps.next() == 20)
            scene.time.advance(by: 20)
            #expect(await scene.launcher.stops.next().handle == handle)
            let job = try await scene.last("p")
            #expect(job.state == .success)
            #expect(job.stats.processSeconds == 20)
        }
    }

    @Test func aDatumThatTakesTooLongEachTimeSaysSo() async throws {
        try await begin("", "\"datumTimeout\": \"20s\", \"datumTries\": 1")
        try await scene.run {
            _ = await scene.time.sleeps.next()
            scene.time.advance(by: 20)
            let job = try await scene.last("p")
            #expect(job.reason.contains("it ran longer than datum_timeout, 20.0 s"))
        }
    }

    @Test func aJobWhoseTimeIsOverIsKilledAndTheNextRuns() async throws {
        scene.launcher.play { try $0.inputs().values.contains("1") ? nil : try ScriptedLauncher.marking($0) }
        try await begin("", "\"jobTimeout\": \"60s\"")
        try await scene.run {
            _ = await scene.launcher.starts.next()
            let next = try await scene.commit(["/a": "2"])
            #expect(await scene.time.sleeps.next() == 60)
            scene.time.advance(by: 61)
            let job = try await scene.over("p", try #require(try scene.list(key).first).key.id)
            #expect(job.state == .killed && job.reason == " jobtimed out")
            #expect(try await scene.over("p", next).state == .success)
        }
    }

    @Test func whatMayPassMakesThePipelineCrashingAndIsTriedAgainLater() async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        scene.launcher.refuseNextStart(SpileError(.unavailable, "the engine is away"))
        try await begin()
        try await scene.run {
            let pause = await scene.time.sleeps.next()
            #expect(try scene.pipeline("p")?.state == .crashing)
            #expect(try scene.pipeline("p")?.reason == "the engine is away")
            #expect(try scene.states("p") == [.running])
            scene.time.advance(by: pause)
            #expect(try await scene.last("p").state == .success)
            // The state is settled when the next job is taken up.
            try await scene.over("p", try await scene.commit(["/b": "2"]))
        }
        #expect(try scene.pipeline("p")?.state == .running)
        #expect(try scene.list(key).first?.restarts == 1)
    }

    @Test func aPipelineThatRestsAfterAFailureHearsOfAStopAndOfAnUpdate() async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await begin()
        scene.launcher.refuseNextStart(SpileError(.unavailable, "the engine is away"))
        try await scene.run {
            _ = await scene.time.sleeps.next()
            try await scene.create(TransformScene.spec("p"), update: true)
            #expect(try await scene.last("p").state == .success, "no time has passed")
            scene.launcher.refuseNextStart(SpileError(.unavailable, "the engine is away"))
            try await scene.commit(["/a": "2"])
            _ = await scene.time.sleeps.next()
            try await scene.manager.stop(key, mustExist: true, as: scene.user)
            try await scene.manager.start(key, as: scene.user)
            #expect(try await scene.last("p").state == .success)
            #expect(try await scene.files("p") == ["/a": "p:2"])
        }
    }

    @Test func aDiskThatIsFullIsWaitedFor() async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        scene.launcher.refuseNextStart(SpileError(.resourceExhausted, "no space left"))
        try await begin()
        try await scene.run {
            scene.time.advance(by: await scene.time.sleeps.next())
            let job = try await scene.last("p")
            #expect(job.state == .success)
        }
    }

    @Test func severalWorkersShareTheDatums() async throws {
        try await begin("", "\"parallelismSpec\": {\"constant\": 3}")
        try await scene.commit(["/b": "2", "/c": "3", "/d": "4"])
        try await scene.run {
            let first = await scene.launcher.starts.next().handle
            scene.launcher.end(first, .exited(code: 0))
            // The first job had one datum; of the second three run at once.
            var handles: [LaunchHandle] = []
            for _ in 0..<3 { handles.append(await scene.launcher.starts.next().handle) }
            #expect(scene.launcher.liveRuns == 3)
            for handle in handles { scene.launcher.end(handle, .exited(code: 0)) }
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 4, processed: 3, skipped: 1))
        }
    }

    @Test func aDatumThatFailsLetsTheOthersEndAndNoMoreBegin() async throws {
        try await begin("", "\"parallelismSpec\": {\"constant\": 2}, \"datumTries\": 1")
        try await scene.commit(["/b": "2", "/c": "3", "/d": "4", "/e": "5", "/f": "6"])
        try await scene.run {
            scene.launcher.end(await scene.launcher.starts.next().handle, .exited(code: 0))
            let one = await scene.launcher.starts.next().handle
            let other = await scene.launcher.starts.next().handle
            scene.launcher.end(one, .exited(code: 1))
            // Whoever failed takes no more; nobody else may begin either.
            scene.launcher.end(other, .exited(code: 0))
            let job = try await scene.last("p")
            #expect(job.state == .failure && job.counts.failed == 1 && job.counts.total == 6)
            #expect(job.counts.processed <= 2 && job.counts.skipped == 0)
        }
    }
}
