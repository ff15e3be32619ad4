import Core
import Pipelines
import Simulation
import Synchronization
import Testing

@testable import Versioning

/// Jobs whose output leaves for an object store before they are over.
@Suite(.timeLimit(.minutes(15))) struct JobEgressTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private let key = PipelineKey(name: "p")
    private let runs = RunCount()

    /// How often code was run.
    private final class RunCount: Sendable {
        private let counter = Atomic(0)
        func add() { counter.wrappingAdd(1, ordering: .relaxed) }
        var value: Int { counter.load(ordering: .relaxed) }
    }

    private static let egress = #""egress": {"URL": "s3://bucket/out"}"#

    private func begin(_ egress: String = Self.egress) async throws {
        scene.launcher.play { [runs] run in
            runs.add()
            return try ScriptedLauncher.marking(run)
        }
        try await scene.makeRepo("data")
        try await scene.create(TransformScene.spec("p", egress))
    }

    private func state(_ id: CommitID) throws -> JobState? {
        try scene.list(key).first { $0.key.id == id }?.state
    }

    /// Returns when a sleep of the runner's has begun.
    private func pause() async { _ = await scene.time.sleeps.next() }

    private static let down = SpileError(.unavailable, "nobody answers")

    @Test func allFilesOfTheOutputAreThereWhenTheJobIsOver() async throws {
        try await begin()
        try await scene.run {
            try await scene.over("p", try await scene.commit(["/a": "1", "/d/b": "2"]))
            #expect(scene.egress.objects == ["s3://bucket/out/a": "p:1", "s3://bucket/out/d/b": "p:2"])
            // What has not changed leaves again, and what is gone stays where it was brought.
            scene.egress.forget()
            let job = try await scene.over("p", try await scene.commit(["/a": nil, "/c": "3"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
            #expect(scene.egress.objects == ["s3://bucket/out/d/b": "p:2", "s3://bucket/out/c": "p:3"])
        }
    }

    @Test(arguments: [
        #""egress": {"object_storage": {"url": "s3://bucket/out/"}}"#, #""egress": {"URL": "s3://bucket/out/"}"#,
    ])
    func bothFormsOfTheSpecNameThePlace(spec: String) async throws {
        try await begin(spec)
        try await scene.run {
            try await scene.over("p", try await scene.commit(["/a": "1"]))
            #expect(scene.egress.objects.values.sorted() == ["p:1"])
        }
    }

    @Test func anOutputWithoutFilesIsBroughtAtOnce() async throws {
        try await begin()
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.state == .success && scene.egress.puts == 0)
        }
    }

    @Test func aStoreThatIsAwayIsTriedAgainUntilItIsBackAndTheDatumsAreNot() async throws {
        try await begin()
        scene.egress.answer { _, number in number <= 3 ? .fails(Self.down) : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            for _ in 0..<3 {
                await pause()
                #expect(try state(id) == .egressing)
                let pipeline = try scene.pipeline("p")
                #expect(pipeline?.state == .crashing)
                #expect(pipeline?.reason.contains("egress to \"s3://bucket/out\": nobody answers") == true)
                scene.time.advance(by: 1000)
            }
            let job = try await scene.over("p", id)
            #expect(job.state == .success && job.restarts == 0 && job.counts.processed == 1)
            #expect(scene.egress.objects == ["s3://bucket/out/a": "p:1"])
        }
        #expect(runs.value == 1)
    }

    @Test(arguments: [SpileError.Code.permissionDenied, .failedPrecondition, .notFound, .resourceExhausted, .aborted])
    func whatSomebodyMayMendOutsideIsWaitedFor(code: SpileError.Code) async throws {
        try await begin()
        scene.egress.answer { _, number in number == 1 ? .fails(SpileError(code, "not now")) : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            await pause()
            #expect(try state(id) == .egressing)
            scene.time.advance(by: 1000)
            #expect(try await scene.over("p", id).state == .success)
        }
    }

    @Test func whatNoTryCanChangeFailsTheJobAndTheNextOneGoesOn() async throws {
        try await begin()
        scene.egress.answer { path, _ in path == "/bad" ? .fails(.invalid("too long")) : .takes }
        try await scene.run {
            let job = try await scene.over("p", try await scene.commit(["/a": "1", "/bad": "2"]))
            #expect(job.state == .failure && job.reason.contains("egress to \"s3://bucket/out\": too long"))
            let next = try await scene.over("p", try await scene.commit(["/bad": nil]))
            #expect(next.state == .success)
            #expect(try await scene.files("p") == ["/a": "p:1"])
        }
    }

    @Test func whoeverReadsTheOutputWaitsUntilItHasLeft() async throws {
        try await begin()
        try await scene.create(TransformScene.spec("q", of: "p"))
        scene.egress.answer { _, number in number == 1 ? .hangs : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            _ = await scene.egress.begun.next()
            #expect(try state(id) == .egressing)
            let followers = try scene.list(PipelineKey(name: "q"))
            #expect(followers.last?.state == .created)
            try await scene.jobs.stop(JobKey(pipeline: key, id: id), reason: "", as: scene.user)
            #expect(try await scene.over("q", id).state == .unrunnable)
        }
    }

    @Test func aJobThatIsStoppedMeanwhileIsKilledAndTheNextBeginsWithTheOneBefore() async throws {
        try await begin()
        try await scene.run {
            let good = try await scene.commit(["/a": "1"])
            try await scene.over("p", good)
            scene.egress.answer { path, _ in path == "/b" ? .hangs : .takes }
            let stopped = try await scene.commit(["/b": "2"])
            while await scene.egress.begun.next() != "/b" {}
            try await scene.jobs.stop(JobKey(pipeline: key, id: stopped), reason: "", as: scene.user)
            scene.egress.answer { _, _ in .takes }
            let job = try await scene.over("p", try await scene.commit(["/c": "3"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 3, processed: 2, skipped: 1))
            #expect(try scene.states("p") == [.success, .success, .killed, .success])
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2", "/c": "p:3"])
        }
    }

    @Test func aJobsTimeGoesOnWhileItsOutputLeaves() async throws {
        try await begin(Self.egress + #", "job_timeout": "100s""#)
        scene.egress.answer { _, _ in .hangs }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            _ = await scene.egress.begun.next()
            scene.time.advance(by: 101)
            #expect(try await scene.over("p", id).state == .killed)
        }
    }

    @Test func anUpdateMeanwhileEndsTheJobAndTheNewVersionBringsItsOutput() async throws {
        try await begin()
        scene.egress.answer { _, number in number == 1 ? .hangs : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            _ = await scene.egress.begun.next()
            try await scene.create(
                TransformScene.spec("p", #""egress": {"URL": "s3://bucket/new"}"#), update: true)
            #expect(try state(id) == .killed)
            #expect(try await scene.last("p").state == .success)
            #expect(scene.egress.objects == ["s3://bucket/new/a": "p:1"])
        }
    }

    @Test func aServerThatEndsMeanwhileLeavesTheRestToTheNextOneAndNoDatumRunsAgain() async throws {
        try await begin()
        scene.egress.answer { path, _ in path == "/b" ? .hangs : .takes }
        let box = ScriptedMailbox<CommitID>()
        try await scene.run {
            box.put(try await scene.commit(["/a": "1", "/b": "2"]))
            while await scene.egress.begun.next() != "/b" {}
        }
        let id = await box.next()
        #expect(try state(id) == .egressing)
        #expect(runs.value == 2)
        scene.egress.answer { _, _ in .takes }
        try await scene.run {
            let job = try await scene.over("p", id)
            #expect(job.state == .success && job.counts.processed == 2)
            #expect(scene.egress.objects == ["s3://bucket/out/a": "p:1", "s3://bucket/out/b": "p:2"])
            #expect(try await scene.records("p", id).count == 2)
            // It is as good a base as any.
            let next = try await scene.over("p", try await scene.commit(["/c": "3"]))
            #expect(next.counts == DatumCounts(total: 3, processed: 1, skipped: 2))
        }
        #expect(runs.value == 3)
    }

    @Test func aDatumThatFailsLetsNothingLeave() async throws {
        try await begin()
        scene.launcher.play { _ in .exited(code: 1) }
        try await scene.run {
            let job = try await scene.over("p", try await scene.commit(["/a": "1"]))
            #expect(job.state == .failure)
        }
        #expect(scene.egress.puts == 0)
    }

    @Test func anOutputThatNoCommitMayHoldLeavesNowhere() async throws {
        try await begin()
        scene.launcher.play { run in
            try run.put("same", run.datum)
            return .exited(code: 0)
        }
        try await scene.run {
            let job = try await scene.over("p", try await scene.commit(["/a": "1", "/b": "2"]))
            #expect(job.state == .failure && job.reason.contains("duplicate path"))
        }
        #expect(scene.egress.puts == 0)
    }

    @Test func nobodyChangesWhatIsLeaving() async throws {
        try await begin()
        scene.egress.answer { _, number in number == 1 ? .fails(Self.down) : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            await pause()
            for type in [RepoType.user, .meta] {
                let output = CommitHandle(key.repo(type).commit(id))
                let clearing = await #expect(throws: SpileError.self) {
                    try await scene.history.transact(as: scene.user) { try $0.clearCommit(output) }
                }
                #expect(clearing?.message.contains("cannot be changed") == true)
                let upload = try Upload(to: output, in: scene.history, as: scene.user)
                try upload.delete(path: "/a", datum: "")
                await #expect(throws: SpileError.self) { _ = try await upload.finish() }
            }
            scene.time.advance(by: 1000)
            #expect(try await scene.over("p", id).state == .success)
            #expect(try await scene.files("p", id) == ["/a": "p:1"])
        }
    }

    @Test func whoClosesTheOutputByForceEndsTheJob() async throws {
        try await begin()
        scene.egress.answer { _, number in number == 1 ? .hangs : .takes }
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            _ = await scene.egress.begun.next()
            try await scene.finish(key.repo(.user).commit(id), force: true)
            #expect(try await scene.over("p", id).state == .success)
            let next = try await scene.over("p", try await scene.commit(["/b": "2"]))
            #expect(next.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2"])
        }
    }
}
