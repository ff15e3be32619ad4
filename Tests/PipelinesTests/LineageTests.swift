import Core
import Testing
import Versioning

@testable import Pipelines

/// What files were made of, and what was made of them, by hand-made commits of jobs.
@Suite(.timeLimit(.minutes(15))) struct LineageTests {
    /// images → edges → montage, which reads a directory of edges and a file of `params`.
    private struct Chain {
        let scene: LineageScene
        let images, params, edges, montage: RepoKey
        let first, settings: CommitKey

        init(isKnown: Bool = true) async throws {
            scene = try LineageScene()
            images = try await scene.repo("images")
            params = try await scene.repo("params")
            edges = try await scene.pipeline("edges", reads: [("in", images)], isKnown: isKnown)
            montage = try await scene.pipeline(
                "montage", reads: [("edges", edges), ("params", params)], isKnown: isKnown)
            settings = try await scene.commit(["/p": "1"], to: params)
            first = try await scene.commit(["/a": "A", "/b": "B"], to: images, metadata: ["offset": "7"])
            let set = first.id
            try await scene.run(montage, settings.id, [])
            let a = LineageScene.Work(1, [("in", first, "/a")], ["/d/a": "ea"])
            let b = LineageScene.Work(2, [("in", first, "/b")], ["/d/b": "eb"])
            let made = try await scene.run(edges, set, [a, b])
            let all = LineageScene.Work(3, [("edges", made, "/d/"), ("params", settings, "/p")], ["/m": "em"])
            try await scene.run(montage, set, [all])
        }
    }

    @Test func aFileIsFollowedThroughItsDatumsToItsSources() async throws {
        let chain = try await Chain()
        let told = try await chain.scene.trace(chain.montage.commit(chain.first.id), "/m")
        #expect(
            told.edges == [
                "edges#1 --> edges:/d/", "edges#2 --> edges:/d/", "edges:/d/ -edges-> montage#3",
                "images:/a -in-> edges#1", "images:/b -in-> edges#2", "montage#3 --> montage:/m",
                "params:/p -params-> montage#3",
            ])
        #expect(told.isInOrder)
        #expect(told.summary == Lineage.Summary(nodes: 8, edges: 7))
        guard case .file(1, let asked) = told.events.first else { throw SpileError.bug("the first is not the file") }
        #expect(asked.path == "/m" && asked.source == nil && asked.problem == "")
        let source = try #require(told.file("images", "/a")?.source)
        #expect(source.commit == chain.first)
        #expect(source.metadata == ["offset": "7"])
        #expect(source.spout == nil && !source.isSearchCutOff)
        #expect(told.datums.values.allSatisfy { $0.job.id == chain.first.id && $0.state == .processed })
    }

    /// Whether it is known still by which names a job's pipeline reads, or not.
    @Test(arguments: [true, false]) func forwardGoesTheOtherWay(isKnown: Bool) async throws {
        let chain = try await Chain(isKnown: isKnown)
        let told = try await chain.scene.trace(chain.first, "/a", forward: true)
        #expect(
            told.edges == [
                "edges#1 --> edges:/d/a", "edges:/d/a -edges-> montage#3", "images:/a -in-> edges#1",
                "montage#3 --> montage:/m",
            ])
        #expect(told.isInOrder)
        #expect(told.file("images", "/a")?.source?.metadata == ["offset": "7"])
        let all = try await chain.scene.trace(chain.first, "/", forward: true)
        #expect(all.edges.contains("images:/ -in-> edges#2"))
        #expect(all.edges.filter { $0.hasPrefix("montage#3") } == ["montage#3 --> montage:/m"])
        let other = try await chain.scene.trace(chain.settings, "/p", forward: true)
        #expect(other.edges == ["montage#3 --> montage:/m", "params:/p -params-> montage#3"])
    }

    @Test func aDatumThatWasSkippedTellsOfTheJobThatProcessedIt() async throws {
        let chain = try await Chain()
        let second = try await chain.scene.commit(["/c": "C"], to: chain.images, metadata: ["offset": "8"])
        let c = LineageScene.Work(4, [("in", second, "/c")], ["/d/c": "ec"])
        let made = try await chain.scene.run(chain.edges, second.id, [c])
        let old = try await chain.scene.trace(made, "/d/a")
        #expect(old.edges == ["edges#1 --> edges:/d/a", "images:/a -in-> edges#1"])
        #expect(old.datums.values.map(\.job.id) == [chain.first.id])
        #expect(old.file("images", "/a")?.commit == chain.first)
        #expect(try await chain.scene.trace(made, "/d/c").file("images", "/c")?.source?.metadata == ["offset": "8"])
        // The file came with the first commit and is in the second one, too.
        let inherited = try await chain.scene.trace(second, "/a", forward: true)
        #expect(inherited.edges == ["edges#1 --> edges:/d/a", "images:/a -in-> edges#1"])
        #expect(inherited.file("images", "/a")?.source?.commit == chain.first)
    }

    @Test func aSourceDirectoryTellsOfItsNewestChange() async throws {
        let scene = try LineageScene()
        let log = try await scene.repo("log")
        try await scene.commit(["/d/1": "x", "/e": "y"], to: log, metadata: ["n": "1"])
        let second = try await scene.commit(["/d/2": "x"], to: log, metadata: ["n": "2"])
        let third = try await scene.commit(["/e": "z"], to: log, metadata: ["n": "3"])
        let told = try await scene.trace(third, "/d")
        #expect(told.file("log", "/d/")?.source?.commit == second)
        #expect(try await scene.trace(third, "/").file("log", "/")?.source?.metadata == ["n": "3"])
        #expect(told.edges == [] && told.summary == Lineage.Summary(nodes: 1))
    }

    @Test func whatTheCallerMayNotReadIsCountedAndNotShown() async throws {
        let chain = try await Chain()
        let told = try await chain.scene.trace(chain.montage.commit(chain.first.id), "/m") { $0.name != "images" }
        #expect(!told.edges.contains { $0.contains("images") })
        #expect(told.summary?.hidden == 2)
        let forward = try await chain.scene.trace(chain.first, "/a", forward: true) { $0.name != "edges" }
        #expect(forward.edges == [] && forward.summary?.hidden == 1)
        let partly = try await chain.scene.trace(chain.first, "/a", forward: true) { $0.name != "montage" }
        #expect(partly.edges == ["edges#1 --> edges:/d/a", "images:/a -in-> edges#1"])
        #expect(partly.summary?.hidden == 1)
    }

    @Test func aWalkEndsAtItsBounds() async throws {
        let chain = try await Chain()
        let output = chain.montage.commit(chain.first.id)
        let near = try await chain.scene.trace(output, "/m", depth: 1)
        #expect(
            near.edges == [
                "edges:/d/ -edges-> montage#3", "montage#3 --> montage:/m", "params:/p -params-> montage#3",
            ])
        #expect(near.summary?.isCutOff == true)
        #expect(try await chain.scene.trace(output, "/m", depth: 2).summary?.isCutOff == false)
        for most in 1...6 {
            for forward in [false, true] {
                let start = forward ? (chain.first, "/") : (output, "/m")
                let told = try await chain.scene.trace(start.0, start.1, forward: forward, mostNodes: most)
                #expect(told.files.count + told.datums.count == most && told.isInOrder)
                #expect(told.summary?.isCutOff == true && told.summary?.nodes == most)
            }
        }
        let one = try await chain.scene.trace(chain.first, "/a", forward: true, depth: 1)
        #expect(one.edges == ["edges#1 --> edges:/d/a", "images:/a -in-> edges#1"])
        #expect(one.summary?.isCutOff == true)
    }

    @Test func whatIsGoneIsSaid() async throws {
        let chain = try await Chain()
        let scene = chain.scene
        let gone = chain.images.commit(CommitID(randomHigh: 8, randomLow: 8))
        let missing = LineageScene.Work(9, [("in", gone, "/a")], ["/d/z": "z"])
        let second = try await scene.commit(["/c": "C"], to: chain.images)
        let made = try await scene.run(chain.edges, second.id, [missing])
        let told = try await scene.trace(made, "/d/z")
        let problem = try #require(told.file("images", "/a")?.problem)
        #expect(problem.contains("it is gone"))
        await #expect(throws: SpileError.self) { try await scene.trace(made, "/nothing") }
        // Tagged with a datum of which there is no record.
        let third = try await scene.commit(["/c": "D"], to: chain.images)
        var unknown = missing
        unknown.id = Digest(words: (77, 0, 0, 0))
        unknown.outputs = ["/d/y": "y"]
        let output = try await scene.run(chain.edges, third.id, [unknown], hasRecords: false)
        let file = try await scene.trace(output, "/d/y").files[1]
        #expect(file?.source == nil)
        #expect(file?.problem.contains("has no record of datum") == true)
    }

    @Test func aFailedDatumHasMadeNothing() async throws {
        let chain = try await Chain()
        let second = try await chain.scene.commit(["/c": "C"], to: chain.images)
        let failed = LineageScene.Work(5, [("in", second, "/c")], ["/d/c": "half"], state: .failed)
        try await chain.scene.run(chain.edges, second.id, [failed])
        #expect(try await chain.scene.trace(second, "/c", forward: true).edges == [])
    }

    /// More files than are sought one by one, and datums that read others.
    @Test(arguments: [1, 5, 20]) func ofManyDatumsThoseAreFoundThatReadTheFiles(traced: Int) async throws {
        let scene = try LineageScene()
        let data = try await scene.repo("data")
        let copies = try await scene.pipeline("copies", reads: [("in", data)], isKnown: true)
        let first = try await scene.commit(
            Dictionary(uniqueKeysWithValues: (0..<20).flatMap { [("/x/\($0)", "x"), ("/y/\($0)", "y")] }), to: data)
        let work = (0..<20).flatMap { number -> [LineageScene.Work] in
            let folder = number < traced ? "/x" : "/y"
            return [
                LineageScene.Work(UInt64(100 + number), [("in", first, "\(folder)/\(number)")], ["/a/\(number)": "a"])
            ]
        }
        let made = try await scene.run(copies, first.id, work)
        let told = try await scene.trace(first, "/x", forward: true)
        #expect(told.datums.count == traced)
        #expect(told.edges.count == 2 * traced)
        // From there on by single files: a third repo that reads all of them.
        let last = try await scene.pipeline("last", reads: [("copies", copies)], isKnown: true)
        let again = try await scene.commit(["/z": "z"], to: data)
        let more = try await scene.run(copies, again.id, [])
        let ends = (0..<20).map {
            LineageScene.Work(UInt64(200 + $0), [("copies", more, "/a/\($0)")], ["/b/\($0)": "b"])
        }
        try await scene.run(last, again.id, ends)
        let whole = try await scene.trace(again, "/x", forward: true)
        #expect(whole.datums.count == 2 * traced)
        #expect(whole.files.values.filter { $0.commit.repo == last }.count == traced)
        #expect(try await scene.trace(made, "/a", forward: true).datums.isEmpty, "nothing read this commit")
    }
}
