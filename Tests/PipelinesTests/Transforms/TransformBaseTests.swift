import Core
import Pipelines
import Simulation
import Testing

@testable import Versioning

/// What a job begins with, and what it therefore need not do (`pps.md` §9.3).
@Suite(.timeLimit(.minutes(15))) struct TransformBaseTests {
    private let scene: TransformScene
    init() throws { scene = try TransformScene() }

    private let key = PipelineKey(name: "p")

    /// A pipeline with one good job over `/a` and `/b`.
    private func begin(_ more: String = "") async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.makeRepo("data")
        try await scene.commit(["/a": "1", "/b": "2"])
        try await scene.create(TransformScene.spec("p", more))
    }

    /// Writes as the code of a spout does.
    private func spout(_ files: [String: String?], version: Int64) async throws {
        let (_, epoch) = try await HistoryLedger(history: scene.history).beginLaunch(
            of: key, version: version, job: nil, tokenHash: .zero, failures: 0)
        try await scene.commit(files, to: "p", as: .launch(key, epoch: epoch))
    }

    private func spec(glob: String = "/*", _ more: String = "") -> String {
        TransformScene.spec("p", glob: glob, more)
    }

    @Test func anUpdateOfTheCodeAloneSkipsAll() async throws {
        try await begin()
        try await scene.run {
            let first = try await scene.last("p")
            scene.launcher.play { _ in .exited(code: 1) }
            try await scene.create(spec(), update: true)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, skipped: 2))
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2"])
            let records = try await scene.records("p", job.key.id)
            #expect(records.values.allSatisfy { $0.job == first.key })
        }
    }

    @Test func reprocessingDoesAllAnew() async throws {
        try await begin()
        try await scene.run {
            try await scene.last("p")
            scene.launcher.play { run in
                try run.put(run.datum, "new")
                return .exited(code: 0)
            }
            try await scene.create(spec(), update: true, reprocess: true)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 2))
            #expect(Set(try await scene.files("p").values) == ["new"])
            let records = try await scene.records("p", job.key.id)
            #expect(records.values.allSatisfy { $0.job == job.key })
        }
    }

    @Test func aPipelineOfEveryJobDoesAllEachTime() async throws {
        try await begin("\"reprocessSpec\": \"every_job\"")
        try await scene.run {
            try await scene.last("p")
            let job = try await scene.over("p", try await scene.commit(["/b": nil, "/c": "3"]))
            #expect(job.counts == DatumCounts(total: 2, processed: 2))
            #expect(try await scene.files("p") == ["/a": "p:1", "/c": "p:3"])
        }
    }

    @Test func anotherGlobKeepsTheDatumsThatAreTheSameAndDropsTheRest() async throws {
        try await begin()
        try await scene.run {
            try await scene.last("p")
            try await scene.create(spec(glob: "/a"), update: true)
            var job = try await scene.last("p")
            #expect(job.counts == DatumCounts(total: 1, skipped: 1))
            #expect(try await scene.files("p") == ["/a": "p:1"])
            try await scene.create(spec(glob: "/"), update: true)
            job = try await scene.last("p")
            #expect(job.counts == DatumCounts(total: 1, processed: 1))
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2"])
            #expect(try await scene.records("p", job.key.id).count == 1)
        }
    }

    @Test func aJobAfterOneThatFailedBeginsWithTheLastGoodOne() async throws {
        try await begin("\"datumTries\": 1")
        try await scene.run {
            let good = try await scene.last("p")
            scene.launcher.play { run in
                try run.inputs().values.contains("bad") ? .exited(code: 3) : try ScriptedLauncher.marking(run)
            }
            let bad = try await scene.over("p", try await scene.commit(["/a": nil, "/b": "bad", "/c": "3"]))
            #expect(bad.state == .failure && bad.counts.failed == 1)
            #expect(bad.reason.hasPrefix("datum ") && bad.reason.contains(" failed: exited with code 3"))
            let job = try await scene.over("p", try await scene.commit(["/b": "2"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 1, skipped: 1))
            #expect(try await scene.files("p") == ["/b": "p:2", "/c": "p:3"])
            let records = try await scene.records("p", job.key.id)
            #expect(records.values.filter { $0.job == good.key }.map { $0.inputs[0].path } == ["/b"])
        }
    }

    @Test func whatWasRecoveredIsTriedAgainByTheNextJob() async throws {
        scene.launcher.play { run in
            if run.order.command == ["mend"] { return .exited(code: 0) }
            return try run.inputs().values.contains("2") ? .exited(code: 1) : try ScriptedLauncher.marking(run)
        }
        try await scene.makeRepo("data")
        try await scene.commit(["/a": "1", "/b": "2"])
        try await scene.create(
            spec().replacing("\"cmd\": [\"code\"]", with: "\"cmd\": [\"code\"], \"errCmd\": [\"mend\"]"))
        try await scene.run {
            let first = try await scene.last("p")
            #expect(first.state == .success && first.counts == DatumCounts(total: 2, processed: 1, recovered: 1))
            #expect(try await scene.files("p") == ["/a": "p:1"])
            let records = try await scene.records("p", first.key.id).values
            #expect(records.filter { $0.state == .recovered }.map(\.reason) == ["exited with code 1"])
            let second = try await scene.over("p", try await scene.commit(["/c": "3"]))
            #expect(second.counts == DatumCounts(total: 3, processed: 1, skipped: 1, recovered: 1))
            scene.launcher.play(ScriptedLauncher.marking)
            let third = try await scene.over("p", try await scene.commit(["/c": "4"]))
            #expect(third.counts == DatumCounts(total: 3, processed: 2, skipped: 1))
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2", "/c": "p:4"])
        }
    }

    @Test func aBaseWhoseJobIsForgottenIsNone() async throws {
        try await begin()
        try await scene.run {
            let first = try await scene.last("p")
            try await scene.jobs.delete(first.key, as: scene.user)
            let job = try await scene.over("p", try await scene.commit(["/a": nil]))
            #expect(job.counts == DatumCounts(total: 1, processed: 1))
            #expect(try await scene.files("p") == ["/b": "p:2"])
        }
    }

    @Test func aBaseWhoseSetWasSquashedGivesWayToTheOneBefore() async throws {
        try await begin()
        try await scene.run {
            let first = try await scene.last("p")
            let second = try await scene.commit(["/c": "3"])
            try await scene.over("p", second)
            let third = try await scene.commit(["/d": "4"])
            try await scene.over("p", third)
            try await scene.history.transact(as: scene.user) { try $0.remove(set: second, by: .squash) }
            let job = try await scene.over("p", try await scene.commit(["/a": "5"]))
            #expect(job.state == .success && job.counts == DatumCounts(total: 4, processed: 1, skipped: 3))
            #expect(try await scene.files("p") == ["/a": "p:5", "/b": "p:2", "/c": "p:3", "/d": "p:4"])
            let jobs = Set(try await scene.records("p", job.key.id).values.map(\.job.id))
            #expect(jobs == [first.key.id, second, third, job.key.id])
        }
    }

    @Test func aBaseThatIsSquashedWhileTheJobRunsMakesItBeginAnew() async throws {
        try await begin()
        let slow = FirstTime()
        scene.launcher.play { run in
            let texts = try run.inputs().values
            if texts.contains("bad") { return .exited(code: 1) }
            if texts.contains("slow"), slow.take() { return nil }
            return try ScriptedLauncher.marking(run)
        }
        try await scene.run {
            try await scene.last("p")
            let base = try await scene.commit(["/d": "4"])
            #expect(try await scene.over("p", base).state == .success)
            let failed = try await scene.commit(["/c": "bad"])
            #expect(try await scene.over("p", failed).state == .failure)
            let set = try await scene.commit(["/c": "slow"])
            var handle: LaunchHandle?
            while handle == nil {
                let (started, order) = await scene.launcher.starts.next()
                let texts = try? ScriptedRun(order: order).inputs().values
                if texts?.contains("slow") == true { handle = started }
            }
            try await scene.history.transact(as: scene.user) { try $0.remove(set: base, by: .squash) }
            scene.launcher.end(try #require(handle), .exited(code: 0))
            let job = try await scene.over("p", set)
            #expect(job.state == .success && job.restarts == 1)
            #expect(try await scene.files("p") == ["/a": "p:1", "/b": "p:2", "/c": "p:slow", "/d": "p:4"])
        }
    }

    @Test func anInputRepoThatIsMadeAnewLeavesNothingOfTheOldOne() async throws {
        try await begin()
        try await scene.run {
            try await scene.last("p")
            try await scene.history.transact(as: scene.user) {
                _ = try $0.deleteRepo(RepoKey(name: "data"), force: true)
            }
            try await scene.makeRepo("data")
            try await scene.commit(["/c": "3"])
            try await scene.create(spec(), update: true)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 1, processed: 1))
            #expect(try await scene.files("p") == ["/c": "p:3"])
        }
    }

    @Test func anotherOutputBranchBeginsFromNothing() async throws {
        try await begin()
        try await scene.run {
            try await scene.last("p")
            try await scene.create(spec("\"outputBranch\": \"live\""), update: true)
            let job = try await scene.last("p")
            #expect(job.state == .success && job.counts == DatumCounts(total: 2, processed: 2))
            #expect(try await scene.files("p", job.key.id) == ["/a": "p:1", "/b": "p:2"])
            let next = try await scene.over("p", try await scene.commit(["/c": "3"]))
            #expect(next.counts == DatumCounts(total: 3, processed: 1, skipped: 2))
            try await scene.create(spec(), update: true)
            let back = try await scene.last("p")
            #expect(back.state == .success)
            #expect(try await scene.files("p", back.key.id) == ["/a": "p:1", "/b": "p:2", "/c": "p:3"])
        }
    }

    @Test func whatASpoutLeftIsNoPartOfATransformsOutput() async throws {
        scene.launcher.play(ScriptedLauncher.marking)
        try await scene.makeRepo("data")
        try await scene.commit(["/a": "1"])
        try await scene.create(#"{"pipeline": {"name": "p"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#)
        try await spout(["/left": "by the spout"], version: 1)
        try await scene.run {
            try await scene.create(spec(), update: true)
            #expect(try await scene.last("p").state == .success)
            #expect(try await scene.files("p") == ["/a": "p:1"])
            try await scene.create(
                #"{"pipeline": {"name": "p"}, "transform": {"cmd": ["tick"]}, "spout": {}}"#, update: true)
            try await spout(["/more": "of it"], version: 3)
            try await scene.create(spec(), update: true)
            #expect(try await scene.last("p").state == .success)
            #expect(try await scene.files("p") == ["/a": "p:1"])
        }
    }
}
