import Backends
import Core
import Logging
import Simulation
import Storage
import Testing
import Versioning

@testable import Pipelines

/// A transform over the repo `data`, whose jobs are ended by hand.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let manager: PipelineManager
    let progress = JobProgress()
    let user = Principal.user("")
    let data = RepoKey(name: "data")
    let key = PipelineKey(name: "copies")

    init() async throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(stepNanoseconds: 1000), randomness: SeededRandomness(seed: 3),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        manager = PipelineManager(history: history, changed: { _ in })
        let data = data
        try await history.transact(as: user) { try $0.createRepo(data, description: "", update: false) }
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    @discardableResult
    func put(_ files: [String]) async throws -> CommitID {
        let upload = try Upload(to: CommitHandle(data.branch("master")), in: history, as: user)
        for path in files { try Array(path.utf8).withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) } }
        return try history.files(CommitHandle(try await upload.finish())).commit.key.id
    }

    /// Makes the pipeline; gives its first job.
    func create() async throws -> JobKey {
        let spec = """
            {"pipeline": {"name": "copies"}, "transform": {"cmd": ["true"]},
             "input": {"pfs": {"repo": "data", "glob": "/*"}}}
            """
        _ = try await manager.create(PipelineRequest(spec: spec), as: user)
        let key = key
        return try history.read {
            try $0.jobs(JobFilter(pipeline: key), order: .newestFirst, beyond: nil, limit: 1)[0].key
        }
    }

    /// Ends a job that worked on these datums.
    func end(_ job: JobKey, _ states: [Digest: DatumRecord.State], failure: String = "") async throws {
        let output = JobOutput(history)
        for (id, state) in states {
            let record = DatumRecord(id: id, job: job, inputs: [], hash: id, state: state)
            try await output.keep(record, variables: [], inputs: [])
        }
        let changes = try output.finish()
        let result = JobResult(
            output: changes.output, meta: changes.meta, ground: .nothing, counts: DatumCounts(), failure: failure)
        try await history.land(result, of: job)
    }

    func list(_ job: JobKey, _ listing: DatumListing) async throws -> [DatumView] {
        var found: [DatumView] = []
        try await JobDatums(of: job, in: history, progress, as: user).list(listing) { found.append($0) }
        return found
    }
}

private func digest(_ number: Int) -> Digest { Digest(words: (UInt64(number), 0, 0, 0)) }

@Suite struct DatumListingTests {
    @Test func `what is worked on stands at its place among what is kept, in any page either way`() async throws {
        let scene = try await Scene()
        try await scene.put(["/a"])
        let first = try await scene.create()
        try await scene.end(first, Dictionary(uniqueKeysWithValues: [2, 4].map { (digest($0), .processed) }))
        let second = JobKey(pipeline: scene.key, id: try await scene.put(["/b"]))
        for bits in 0..<32 {
            let active = (1...5).filter { bits >> ($0 - 1) & 1 == 1 }
            scene.progress.begin(second)
            scene.progress.change(second) { live in
                for (worker, number) in active.enumerated() {
                    live.active[worker] = JobProgress.Active(
                        worker: "w", datum: digest(number), files: [], commits: [], since: Instant(seconds: 0))
                }
            }
            for marker in 0...5 {
                for (number, isReverse) in [(0, false), (1, false), (2, false), (1, true), (2, true), (9, true)] {
                    let listing = try DatumListing(
                        marker: marker == 0 ? "" : "\(digest(marker))", number: Int64(number), isReverse: isReverse)
                    var all = Set(active + [2, 4]).sorted().filter {
                        marker == 0 || (isReverse ? $0 < marker : $0 > marker)
                    }
                    if isReverse { all.reverse() }
                    let wanted = number == 0 ? all : Array(all.prefix(number))
                    let found = try await scene.list(second, listing)
                    #expect(found.map(\.id) == wanted.map(digest), "\(active), after \(marker), \(number) \(isReverse)")
                    #expect(found.map(\.state) == wanted.map { active.contains($0) ? .starting : .skipped })
                }
            }
        }
    }

    @Test func `a job that failed still tells of its datums`() async throws {
        let scene = try await Scene()
        try await scene.put(["/a"])
        let job = try await scene.create()
        let states: [Digest: DatumRecord.State] = [
            digest(1): .processed, digest(2): .failed, digest(3): .recovered,
        ]
        try await scene.end(job, states, failure: "datum failed")
        // What the server remembers of a job that is over counts for nothing.
        scene.progress.begin(job)
        scene.progress.change(job) { live in
            live.active[0] = JobProgress.Active(
                worker: "w", datum: digest(1), files: [], commits: [], since: Instant(seconds: 0))
        }
        let found = try await scene.list(job, DatumListing())
        #expect(found.map(\.state) == [.success, .failed, .recovered])
        #expect(found.allSatisfy { $0.job == job && $0.meta?.repo.type == .meta && $0.meta?.id == job.id })
        let only = try await scene.list(job, DatumListing(states: [.failed, .recovered], number: 1))
        #expect(only.map(\.id) == [digest(2)])
    }

    @Test func `pages of an input go as its datums are found, either way`() async throws {
        let scene = try await Scene()
        try await scene.put(["/a", "/b", "/c", "/d"])
        let input = try SpecDocument.plainJSON(#"{"pfs": {"repo": "data", "glob": "/*"}}"#)
        let datums = try InputDatums(input, in: scene.history)
        func list(_ listing: DatumListing) async throws -> [Digest] {
            var found: [Digest] = []
            try await datums.list(listing) { found.append($0.id) }
            return found
        }
        let all = try await list(DatumListing())
        #expect(all.count == 4)
        for number in 0...5 {
            for marker in [nil] + all.indices.map(Optional.some) {
                let text = marker.map { "\(all[$0])" } ?? ""
                let after = marker.map { Array(all[($0 + 1)...]) } ?? all
                let wanted = number == 0 ? after : Array(after.prefix(number))
                #expect(try await list(DatumListing(marker: text, number: Int64(number))) == wanted)
                guard number > 0 else { continue }
                let before = Array((marker.map { Array(all[..<$0]) } ?? all).reversed().prefix(number))
                #expect(try await list(DatumListing(marker: text, number: Int64(number), isReverse: true)) == before)
            }
        }
        await #expect(throws: SpileError.self) { try await list(DatumListing(marker: "\(Digest.zero)", number: 1)) }
        await #expect(throws: SpileError.self) { try await list(DatumListing(number: 10_001, isReverse: true)) }
    }

    @Test func `a datum is restarted if each filter names one of its files`() throws {
        let input = try DatumInput(
            InputLeaf(name: "x", branch: RepoKey(name: "data").branch("master"), glob: "/*"), index: 0)
        let files = [("/a", 1), ("/d/", 2)].map { path, number in
            InputFile(input: input, path: path, digest: digest(number), size: 1)
        }
        let active = JobProgress.Active(
            worker: "w", datum: digest(7), files: files, commits: [nil], since: Instant(seconds: 0))
        let base64 = "AAAAAAAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        for filters in [[], ["/a"], ["/d/", "/a"], ["/d"], ["\(digest(1))", "/d"], [base64]] {
            #expect(active.matches(filters), "\(filters)")
        }
        for filters in [["/b"], ["/a", "/b"], ["a"], ["\(digest(7))"], [""]] {
            #expect(!active.matches(filters), "\(filters)")
        }
    }
}
