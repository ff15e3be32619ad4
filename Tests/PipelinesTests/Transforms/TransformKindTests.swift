import Core
import Pipelines
import Simulation
import Testing

@testable import Versioning

/// Pipelines that become something else, or cannot run.
@Suite(.timeLimit(.minutes(15))) struct TransformKindTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private let key = PipelineKey(name: "p")
    private let service = TransformScene.spec(
        "p", glob: "/", "\"service\": {\"internalPort\": 8000, \"externalPort\": 30800}")

    private func begin(_ spec: String = TransformScene.spec("p")) async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.makeRepo("data")
        try await scene.commit(["/a": "1"])
        try await scene.create(spec)
    }

    @Test func aTransformThatBecomesAServiceInTheMiddleEndsItsCodeAndLeavesNothingOpen() async throws {
        try await begin()
        scene.launcher.play { _ in nil }
        try await scene.run {
            let handle = await scene.launcher.starts.next().handle
            try await scene.create(service, update: true)
            #expect(await scene.launcher.stops.next().handle == handle)
            #expect(try scene.states("p") == [.killed, .created])
            let open = try scene.commits(key.repo(.meta))?.filter { !$0.isFinished }
            #expect(open?.isEmpty == true)
            try await scene.jobs.stop(try #require(try scene.list(key).last).key, reason: "", as: scene.user)
        }
    }

    @Test func aServiceThatBecomesATransformBeginsFromNothing() async throws {
        try await begin(service)
        try await scene.run {
            #expect(try scene.states("p") == [.created], "services are run by others")
            scene.launcher.play(ScriptedLauncher.marking)
            try await scene.create(TransformScene.spec("p"), update: true)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 1, processed: 1))
            let next = try await scene.over("p", try await scene.commit(["/b": "2"]))
            #expect(next.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
        }
    }

    @Test func aSpecThatCanNeverRunFailsThePipelineAndItsJobsUntilItIsMended() async throws {
        try await begin(TransformScene.spec("p").replacing("\"cmd\": [\"code\"]", with: "\"cmd\": []"))
        try await scene.run {
            let job = try await scene.last("p")
            #expect(job.state == .killed && job.reason == "nothing to run: no transform.cmd")
            #expect(try scene.pipeline("p")?.state == .failure)
            try await scene.create(TransformScene.spec("p"), update: true)
            #expect(try await scene.last("p").state == .success)
        }
        #expect(try scene.pipeline("p")?.state == .running)
        #expect(try await scene.files("p") == ["/a": "p:1"])
    }

    @Test func whatAnInputThatWasForgottenLeftIsFoundByItsRecords() async throws {
        try await begin(TransformScene.spec("a"))
        try await scene.create(TransformScene.spec("b", of: "a"))
        try await scene.run {
            let first = try await scene.commit(["/b": "2"])
            try await scene.over("b", first)
            // The base of the next job of b reads what is given up before that job runs.
            let open = try await scene.open()
            let upload = try Upload(to: CommitHandle(open), in: scene.history, as: scene.user)
            try upload.delete(path: "/a", datum: "")
            try Array("3".utf8).withUnsafeBytes { try upload.add(path: "/c", datum: "", bytes: $0) }
            _ = try await upload.finish()
            try await scene.finish(open)
            try await scene.over("a", open.id)
            try await scene.over("b", open.id)
            let output = PipelineKey(name: "a").repo(.user).commit(first)
            try await scene.history.transact(as: scene.user) {
                try $0.forgetCommit(CommitPicker(.id(output)))
            }
            let job = try await scene.over("b", try await scene.commit(["/c": "4"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
            #expect(try await scene.files("b") == ["/b": "b:a:2", "/c": "b:a:4"])
        }
    }

    @Test func aServerThatClosesItsEventsFirstStillEndsItsCode() async throws {
        try await begin()
        scene.launcher.play { _ in nil }
        try await scene.run {
            let handle = await scene.launcher.starts.next().handle
            scene.history.events.close()
            scene.launcher.end(handle, .exited(code: 0))
        }
    }
}
