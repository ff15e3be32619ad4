import Core
import Pipelines
import Simulation
import Testing

@testable import Versioning

/// Pipelines that read each other's output.
@Suite(.timeLimit(.minutes(15))) struct TransformGraphTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private func begin(_ specs: [String]) async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.makeRepo("data")
        for spec in specs { try await scene.create(spec) }
    }

    private static let diamond = [
        TransformScene.spec("a"), TransformScene.spec("b", of: "a"), TransformScene.spec("c", of: "a"),
        """
        {"pipeline": {"name": "d"}, "transform": {"cmd": ["code"]}, "input": {"cross": [
          {"pfs": {"repo": "b", "glob": "/*"}}, {"pfs": {"repo": "c", "glob": "/*"}}]}}
        """,
    ]

    @Test func aDiamondMakesOneJobEachPerCommitSet() async throws {
        try await begin(Self.diamond)
        scene.launcher.play { run in
            let inputs = try run.inputs().sorted { $0.key < $1.key }
            try run.put(
                inputs.map { $0.key.replacing("/", with: "-") }.joined(separator: "_"),
                inputs.map(\.value).joined(separator: "+"))
            return .exited(code: 0)
        }
        try await scene.run {
            let id = try await scene.commit(["/x": "1", "/y": "2"])
            let job = try await scene.over("d", id)
            #expect(job.counts == DatumCounts(total: 4, processed: 4), "\(job.state): \(job.reason)")
            let made = try scene.history.read {
                try $0.jobs(JobFilter(set: id), order: .oldestFirst, beyond: nil, limit: 9).map(\.createdAt.nanoseconds)
            }
            // Pages of a list can end between any two of them.
            #expect(made.count == 4 && made == Set(made).sorted() && made.allSatisfy { $0 % 1_000 == 0 })
            let next = try await scene.commit(["/y": "3"])
            #expect(try await scene.over("d", next).counts == DatumCounts(total: 4, processed: 3, skipped: 1))
            for name in ["a", "b", "c", "d"] {
                let jobs = try scene.list(PipelineKey(name: name))
                #expect(jobs.suffix(2).map(\.key.id) == [id, next])
                #expect(jobs.allSatisfy { $0.state == .success })
                #expect(Set(jobs.map(\.key.id)).count == jobs.count)
            }
            #expect(try await scene.files("d").values.sorted() == ["1+1", "1+3", "3+1", "3+3"])
        }
    }

    @Test func whatReadsAJobThatFailedCannotRun() async throws {
        try await begin([TransformScene.spec("a", "\"datumTries\": 1"), TransformScene.spec("b", of: "a")])
        scene.launcher.play { run in
            try run.inputs().values.contains("bad") ? .exited(code: 1) : try ScriptedLauncher.marking(run)
        }
        try await scene.run {
            let good = try await scene.commit(["/x": "1"])
            #expect(try await scene.over("b", good).state == .success)
            let bad = try await scene.commit(["/y": "bad"])
            let job = try await scene.over("b", bad)
            #expect(job.state == .unrunnable)
            #expect(job.reason == "unrunnable because the following upstream pipelines failed: a")
            let mended = try await scene.commit(["/y": "2"])
            let last = try await scene.over("b", mended)
            #expect(last.state == .success && last.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
            #expect(try await scene.files("b") == ["/x": "b:a:1", "/y": "b:a:2"])
        }
    }

    @Test func anInputThatStaysOpenHoldsUpItsJobAndThoseBehindIt() async throws {
        try await begin([TransformScene.spec("a"), TransformScene.spec("b", of: "a")])
        try await scene.run {
            try await scene.over("b", try await scene.commit(["/x": "1"]))
            let open = try await scene.open()
            #expect(try scene.states("b").last == .created)
            let upload = try Upload(to: CommitHandle(open), in: scene.history, as: scene.user)
            try Array("2".utf8).withUnsafeBytes { try upload.add(path: "/y", datum: "", bytes: $0) }
            _ = try await upload.finish()
            try await scene.finish(open)
            #expect(try await scene.over("b", open.id).state == .success)
            #expect(try await scene.files("b") == ["/x": "b:a:1", "/y": "b:a:2"])
        }
    }

    @Test func commitsThatComeFasterThanJobsAreDoneOneAfterTheOther() async throws {
        try await begin([TransformScene.spec("a"), TransformScene.spec("b", of: "a")])
        var ids: [CommitID] = []
        for index in 0..<8 { ids.append(try await scene.commit(["/\(index % 5)": "\(index)"])) }
        try await scene.run {
            for id in ids { #expect(try await scene.over("b", id).state == .success) }
            for (index, id) in ids.enumerated() {
                let files = try await scene.files("b", id)
                #expect(files.count == min(5, index + 1) && files["/\(index % 5)"] == "b:a:\(index)")
            }
        }
    }

    @Test func aJobInTheMiddleOfThoseThatWaitMayBeStopped() async throws {
        try await begin([TransformScene.spec("a"), TransformScene.spec("b", of: "a")])
        var ids: [CommitID] = []
        for index in 0..<4 { ids.append(try await scene.commit(["/\(index)": "\(index)"])) }
        try await scene.jobs.stop(JobKey(pipeline: PipelineKey(name: "a"), id: ids[1]), reason: "", as: scene.user)
        try await scene.jobs.stop(JobKey(pipeline: PipelineKey(name: "b"), id: ids[2]), reason: "", as: scene.user)
        try await scene.run {
            try await scene.over("b", ids[3])
            #expect(Array(try scene.states("a").suffix(4)) == [.success, .killed, .success, .success])
            #expect(Array(try scene.states("b").suffix(4)) == [.success, .unrunnable, .killed, .success])
            #expect(try await scene.files("b") == [
                "/0": "b:a:0", "/1": "b:a:1", "/2": "b:a:2", "/3": "b:a:3",
            ])
        }
    }

    @Test func aPipelineInTheMiddleThatIsUpdatedIsFollowedByWhatReadsIt() async throws {
        try await begin([TransformScene.spec("a"), TransformScene.spec("b", of: "a")])
        try await scene.run {
            try await scene.over("b", try await scene.commit(["/x": "1", "/y": "2"]))
            try await scene.create(TransformScene.spec("a", glob: "/x"), update: true)
            let job = try await scene.last("b")
            #expect(job.state == .success && job.counts == DatumCounts(total: 1, skipped: 1))
            #expect(try await scene.files("b") == ["/x": "b:a:1"])
        }
    }
}
