import Core
import Pipelines
import Simulation
import Testing

/// Transforms from a commit of their input to the end of its job (`pps.md` §9, §10).
@Suite(.timeLimit(.minutes(5))) struct TransformTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private func begin(_ spec: String = TransformScene.spec("mark")) async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.makeRepo("data")
        try await scene.create(spec)
    }

    @Test func eachCommitOfTheInputMakesAJobAndItsOutput() async throws {
        try await begin()
        try await scene.run {
            try await scene.last("mark")
            let first = try await scene.commit(["/a": "1", "/b": "2"])
            var job = try await scene.over("mark", first)
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 2))
            #expect(try await scene.files("mark", first) == ["/a": "mark:1", "/b": "mark:2"])

            let second = try await scene.commit(["/a": "3", "/c": "4"])
            job = try await scene.over("mark", second)
            #expect(job.state == .success && job.counts == DatumCounts(total: 3, processed: 2, skipped: 1))
            #expect(try await scene.files("mark", second) == ["/a": "mark:3", "/b": "mark:2", "/c": "mark:4"])

            let third = try await scene.commit(["/b": nil])
            job = try await scene.over("mark", third)
            #expect(job.counts == DatumCounts(total: 2, skipped: 2))
            #expect(try await scene.files("mark", third) == ["/a": "mark:3", "/c": "mark:4"])
            let records = try await scene.records("mark", third)
            #expect(records.count == 2 && records.values.allSatisfy { $0.job.id == second && $0.state == .processed })
        }
        #expect(try scene.pipeline("mark")?.state == .running)
    }

    @Test func whatIsToldOfADatumIsWhatItsCodeSawAndLeft() async throws {
        try await begin()
        try await scene.run {
            let id = try await scene.commit(["/a": "1"])
            try await scene.over("mark", id)
            let (datum, record) = try #require(try await scene.records("mark", id).first)
            #expect(record.inputs.map(\.path) == ["/a"] && record.inputs.map(\.commit) == [id])
            #expect(record.stats.downloadBytes == 1 && record.stats.uploadBytes == 6)
            let files = try await scene.files("mark", id, type: .meta)
            let folder = "/pfs/\(datum)/"
            #expect(files.keys.sorted() == [
                "/meta/\(datum)/meta", folder + ".env", folder + "data/a", folder + "out/a",
            ].sorted())
            #expect(files[folder + "data/a"] == "1" && files[folder + "out/a"] == "mark:1")
            #expect(files[folder + ".env"]?.contains("PACH_DATUM_ID=\(datum)\n") == true)
        }
    }

    @Test func twoDatumsThatWriteOnePathFailTheJobAlsoWhenOneOfThemIsSkipped() async throws {
        scene.launcher.play { run in
            for text in try run.inputs().values { try run.put(text, run.datum) }
            return .exited(code: 0)
        }
        try await scene.makeRepo("data")
        try await scene.create(TransformScene.spec("p"))
        try await scene.run {
            var job = try await scene.over("p", try await scene.commit(["/a": "same", "/b": "same"]))
            #expect(job.state == .failure)
            #expect(job.reason.contains("duplicate path output by different datums (/same"))
            job = try await scene.over("p", try await scene.commit(["/b": "other"]))
            #expect(job.state == .success)
            job = try await scene.over("p", try await scene.commit(["/c": "same"]))
            #expect(job.state == .failure && job.reason.contains("duplicate path"), "the datum of /a is skipped")
            job = try await scene.over("p", try await scene.commit(["/c": "third"]))
            #expect(job.state == .success)
            #expect(try await scene.files("p").keys.sorted() == ["/other", "/same", "/third"])
        }
    }

    @Test func aPathThatOneDatumGivesUpMayBecomeAnothersInOneJob() async throws {
        scene.launcher.play { run in
            for text in try run.inputs().values where !text.isEmpty { try run.put(text, run.datum) }
            return .exited(code: 0)
        }
        try await scene.makeRepo("data")
        try await scene.create(TransformScene.spec("p"))
        try await scene.run {
            try await scene.over("p", try await scene.commit(["/a": "x", "/b": "y"]))
            let before = try await scene.files("p")
            try await scene.over("p", try await scene.commit(["/a": "y", "/b": "x"]))
            let after = try await scene.files("p")
            #expect(after == ["/x": before["/y"], "/y": before["/x"]].compactMapValues { $0 })
            let job = try await scene.over("p", try await scene.commit(["/a": nil, "/b": "y", "/c": "x"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 2))
            #expect(try await scene.files("p").keys.sorted() == ["/x", "/y"])
        }
    }
}
