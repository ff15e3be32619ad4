import Core
import Pipelines
import Simulation
import Testing

@testable import Versioning

/// What ends, stops and outlives a job under way. The code goes on until the test ends it.
@Suite(.timeLimit(.minutes(5))) struct TransformLifeTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private let key = PipelineKey(name: "p")

    /// Code that copies, but goes on for ever where a file says so.
    private func begin(_ spec: String = TransformScene.spec("p")) async throws {
        scene.launcher.play { run in
            try run.inputs().values.contains("wait") ? nil : try ScriptedLauncher.marking(run)
        }
        try await scene.makeRepo("data")
        try await scene.create(spec)
    }

    /// Makes a commit whose job does not end by itself, and returns when its code runs.
    private func hang(_ files: [String: String?] = ["/w": "wait"]) async throws -> (CommitID, LaunchHandle) {
        let id = try await scene.commit(files)
        while true {
            let start = await scene.launcher.starts.next()
            let run = ScriptedRun(order: start.order)
            // The folder of one that has ended is gone.
            if run.variables["PACH_JOB_ID"] == "\(id)", (try? run.inputs())?.values.contains("wait") == true {
                return (id, start.handle)
            }
        }
    }

    @Test func aJobThatIsStoppedEndsItsCodeAndTheNextBeginsWithTheOneBefore() async throws {
        try await begin()
        try await scene.run {
            let good = try await scene.commit(["/a": "1"])
            try await scene.over("p", good)
            let (stopped, _) = try await hang(["/w": "wait", "/b": "2"])
            let next = try await scene.commit(["/w": "go"])
            try await scene.jobs.stop(JobKey(pipeline: key, id: stopped), reason: "", as: scene.user)
            let job = try await scene.over("p", next)
            #expect(job.state == .success && job.counts == DatumCounts(total: 3, processed: 2, skipped: 1))
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2", "/w": "p:go"])
            #expect(try scene.states("p") == [.success, .success, .killed, .success])
            let records = try await scene.records("p", next)
            #expect(Set(records.values.map(\.job.id)) == [good, next])
        }
    }

    @Test func anUpdateInTheMiddleEndsTheJobAndTheNewVersionDoesTheWork() async throws {
        try await begin()
        try await scene.run {
            _ = try await hang()
            scene.launcher.play(ScriptedLauncher.marking)
            try await scene.create(TransformScene.spec("p"), update: true)
            let job = try await scene.last("p")
            #expect(job.version == 2 && job.state == .success && job.counts.processed == 1)
            #expect(try scene.states("p") == [.success, .killed, .success])
        }
        #expect(try scene.pipeline("p")?.state == .running)
    }

    @Test func aPipelineThatIsStoppedInTheMiddlePausesAndDoesTheWorkOnceItIsStarted() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang()
            try await scene.manager.stop(key, mustExist: true, as: scene.user)
            #expect(await scene.launcher.stops.next().handle == handle)
            #expect(try await scene.over("p", id).state == .killed)
            try await scene.commit(["/w": "go"])
            #expect(try scene.list(key).count == 2, "a pipeline that is stopped gets no jobs")
            try await scene.manager.start(key, as: scene.user)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts.processed == 1)
            #expect(try await scene.files("p") == ["/w": "p:go"])
        }
    }

    @Test func aPipelineThatIsDeletedInTheMiddleEndsAndItsNameCanBeUsedAgain() async throws {
        try await begin()
        try await scene.run {
            let (_, handle) = try await hang()
            scene.launcher.play(ScriptedLauncher.marking)
            try await scene.manager.delete(key, .init(), as: scene.user)
            try await scene.create(TransformScene.spec("p"))
            #expect(await scene.launcher.stops.next().handle == handle)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts.processed == 1)
            #expect(try scene.states("p") == [.success])
        }
        #expect(try scene.pipeline("p")?.state == .running)
    }

    @Test func aJobThatIsDeletedInTheMiddleLeavesNothing() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang()
            try await scene.jobs.delete(JobKey(pipeline: key, id: id), as: scene.user)
            #expect(await scene.launcher.stops.next().handle == handle)
            let job = try await scene.over("p", try await scene.commit(["/w": "go"]))
            #expect(job.state == .success)
            #expect(try scene.states("p") == [.success, .success])
        }
    }

    @Test func aServerThatEndsInTheMiddleLeavesTheJobToTheNextOne() async throws {
        try await begin()
        let (id, _) = try await {
            var found: (CommitID, LaunchHandle)?
            try await scene.run { found = try await hang(["/w": "wait", "/a": "1"]) }
            return try #require(found)
        }()
        #expect(try scene.list(key).last?.state == .running)
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.run {
            let job = try await scene.over("p", id)
            #expect(job.state == .success && job.restarts == 1)
            #expect(job.counts == DatumCounts(total: 2, processed: 2))
        }
    }

    @Test func aCommitSetThatIsDroppedInTheMiddleTakesItsJobWithIt() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang()
            try await scene.history.transact(as: scene.user) { try $0.remove(set: id, by: .drop) }
            #expect(await scene.launcher.stops.next().handle == handle)
            #expect(try await scene.over("p", id).reason == "output commit removed")
            #expect(try await scene.over("p", try await scene.commit(["/a": "1"])).state == .success)
            #expect(try await scene.files("p") == ["/a": "p:1"])
        }
    }

    @Test func anOutputCommitThatIsDroppedAloneLeavesNoMetaCommitOpen() async throws {
        try await begin()
        try await scene.run {
            let (id, _) = try await hang()
            let output = CommitHandle(key.repo(.user).commit(id))
            try await scene.history.transact(as: scene.user) { try $0.remove(output, by: .drop, recursive: true) }
            #expect(try await scene.over("p", id).state == .killed)
            let next = try await scene.over("p", try await scene.commit(["/w": "go"]))
            #expect(next.state == .success)
            let last = try await scene.over("p", try await scene.commit(["/a": "1"]))
            #expect(last.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
        }
    }

    @Test func aMetaCommitThatIsDroppedAloneCostsTheNextJobItsBase() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang(["/w": "wait", "/a": "1"])
            let meta = CommitHandle(key.repo(.meta).commit(id))
            try await scene.history.transact(as: scene.user) { try $0.remove(meta, by: .drop, recursive: true) }
            scene.launcher.end(handle, .exited(code: 0))
            #expect(try await scene.over("p", id).state == .success)
            let next = try await scene.over("p", try await scene.commit(["/w": "go"]))
            #expect(next.counts == DatumCounts(total: 2, processed: 2))
            #expect(try await scene.files("p") == ["/a": "p:1", "/w": "p:go"])
        }
    }

    @Test func anOutputCommitThatSomebodyFinishesIsNoBaseForTheNextJob() async throws {
        try await begin()
        try await scene.run {
            try await scene.over("p", try await scene.commit(["/a": "1", "/b": "2"]))
            let (id, handle) = try await hang(["/w": "wait", "/a": "3", "/b": nil])
            try await scene.finish(key.repo(.user).commit(id), force: true)
            #expect(await scene.launcher.stops.next().handle == handle)
            #expect(try await scene.over("p", id).state == .success)
            let next = try await scene.over("p", try await scene.commit(["/c": "4", "/w": "go"]))
            #expect(next.state == .success)
            #expect(try await scene.files("p") == ["/a": "p:3", "/c": "p:4", "/w": "p:go"])
        }
    }

    @Test func aMetaCommitIsFinishedByItsJobAlone() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang()
            let meta = key.repo(.meta).commit(id)
            let error = await #expect(throws: SpileError.self) { try await scene.finish(meta, force: true) }
            #expect(error?.message.contains("stop job") == true)
            scene.launcher.end(handle, .exited(code: 0))
            #expect(try await scene.over("p", id).state == .success)
            #expect(try await scene.records("p", id).count == 1)
        }
    }

    @Test func theTokenOfALaunchWritesNothing() async throws {
        try await begin()
        try await scene.run {
            let (id, handle) = try await hang()
            let launch = try #require(try scene.history.read { try $0.launch(key) })
            #expect(launch.isOfTransform)
            let code = Principal.launch(key, epoch: launch.epoch)
            for target in [CommitHandle(key.repo(.user).commit(id)), CommitHandle(key.repo(.user).branch("other"))] {
                let error = await #expect(throws: SpileError.self) {
                    let upload = try Upload(to: target, in: scene.history, as: code)
                    try Array("x".utf8).withUnsafeBytes { try upload.add(path: "/x", datum: "", bytes: $0) }
                    _ = try await upload.finish()
                }
                #expect(error?.code == .permissionDenied)
            }
            scene.launcher.end(handle, .exited(code: 0))
            #expect(try await scene.over("p", id).state == .success)
            #expect(try await scene.files("p") == [:])
        }
    }
}
