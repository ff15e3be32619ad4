import Core
import Simulation
import Storage
import Synchronization
import Testing

@testable import Pipelines
@testable import Versioning

/// Random inputs, edits, programs and updates, by seed: after each step the output and what is told of its datums are
/// those of a plain evaluation, digests included.
@Suite(.timeLimit(.minutes(10))) struct TransformModelTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func outputsAreThoseOfAPlainEvaluation(seed: UInt64) async throws {
        try await Round(seed: seed).run(steps: 10)
    }

    /// The rounds are worth something: all that can become of a datum and of a job does.
    @Test func theRoundsReachAllThatCanHappen() async throws {
        var sum = DatumCounts()
        var states: Set<JobState> = []
        for seed in 100..<110 as Range<UInt64> {
            let round = try Round(seed: seed)
            try await round.run(steps: 10)
            for job in try round.scene.list(PipelineKey(name: "p")) {
                states.insert(job.state)
                if job.state != .success { continue }
                sum.processed += job.counts.processed
                sum.skipped += job.counts.skipped
                sum.recovered += job.counts.recovered
            }
        }
        #expect(states.isSuperset(of: [.success, .failure]))
        #expect(sum.processed > 50 && sum.skipped > 50 && sum.recovered > 5, "\(sum)")
    }
}

/// One scene, its model, and chance.
private final class Round {
    let scene: TransformScene
    private let random: SeededRandomness
    private let seed: UInt64
    private var files = DatumFiles()
    private var tree: InputTree
    private var program = TransformModel.Program(version: 0, failing: 0, recovers: false)
    private var everyJob = false
    private var model = TransformModel()
    private let played = PlayedProgram()
    private var log: [String] = []

    private final class PlayedProgram: Sendable {
        let program = Mutex(TransformModel.Program(version: 0, failing: 0, recovers: false))
    }

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededRandomness(seed: seed &* 2_750_159)
        var options = StoreOptions()
        // Now and then small streams count as large ones.
        if random.below(3) == 0 {
            options.smallStreamBytes = 600
            options.smallStreamChanges = 12
        }
        scene = try TransformScene(seed: seed, options: options)
        let scenario = try DatumScenario.random(random)
        (files, tree) = (scenario.old, Self.withoutReferences(scenario.tree))
    }

    /// What is for reference may be out of date: that cannot be told from an evaluation of what there is now.
    private static func withoutReferences(_ tree: InputTree) -> InputTree {
        switch tree {
        case .leaf(var leaf):
            leaf.isReference = false
            return .leaf(leaf)
        case .combined(let combination, let children):
            return .combined(combination, children.map(withoutReferences))
        }
    }

    func run(steps: Int) async throws {
        let played = played
        scene.launcher.play { run in
            if run.order.command == ["mend"] { return .exited(code: 0) }
            let program = played.program.withLock { $0 }
            guard let output = try program.output(of: run.datum, run.inputs()) else { return .exited(code: 1) }
            for (path, text) in output { try run.put(String(path.dropFirst()), text) }
            return .exited(code: 0)
        }
        for repo in DatumScenario.repos {
            try await scene.makeRepo(repo.name)
            try await commit(repo, files.repos[repo] ?? [:])
        }
        try await scene.run {
            changeProgram()
            try await create(update: false)
            try await compare()
            for _ in 0..<steps {
                let isOfAll = try await step()
                try await compare(isOfAll: isOfAll)
            }
        }
    }

    // MARK: Steps

    /// Something random; false if it made no job.
    private func step() async throws -> Bool {
        switch random.below(11) {
        case 0, 10:
            changeProgram()
            try await create(update: true)
        case 1:
            model.salt += 1
            try await create(update: true, reprocess: true)
        case 2:
            everyJob.toggle()
            try await create(update: true)
        case 3:
            let scenario = try DatumScenario.random(random)
            tree = Self.withoutReferences(scenario.tree)
            try await create(update: true)
        default:
            let repo = random.pick(DatumScenario.repos)
            let reads = tree.leaves.contains { $0.branch.repo == repo }
            try await edit(repo)
            return reads
        }
        return true
    }

    private func changeProgram() {
        program.version += 1
        program.failing = random.pick([0, 4, 9])
        program.recovers = random.below(2) == 0
    }

    private func create(update: Bool, reprocess: Bool = false) async throws {
        let mend = program.recovers ? ", \"errCmd\": [\"mend\"]" : ""
        let spec = """
            {"pipeline": {"name": "p"}, "transform": {"cmd": ["code"]\(mend)}, "datumTries": 1,
             "parallelismSpec": {"constant": \(1 + random.below(3))},
             "reprocessSpec": "\(everyJob ? "every_job" : "until_success")", "input": \(tree.json)}
            """
        log.append("spec \(spec) \(program) reprocess \(reprocess)")
        let program = program
        played.program.withLock { $0 = program }
        try await scene.create(spec, update: update, reprocess: reprocess)
        let input = try #require(try PipelineSpec(canonical: scene.pipeline("p")?.effectiveSpec ?? "").input)
        tree = try InputTree(input, of: PipelineKey(name: "p"))
    }

    private func edit(_ repo: RepoKey) async throws {
        var now = files.repos[repo] ?? [:]
        switch random.below(6) {
        case 0 where !now.isEmpty:
            let directories = DatumFiles.entries(now).filter { $0.hasSuffix("/") }
            let gone = random.pick(directories)
            now = now.filter { !$0.key.hasPrefix(gone) }
        case 1 where !now.isEmpty: now[random.pick(now.keys.sorted())] = nil
        default: now = DatumScenario.edited(now, count: 1 + random.below(3), random)
        }
        log.append("edit \(repo.name): \(now.sorted { $0.key < $1.key })")
        try await commit(repo, now)
    }

    /// Makes a repo hold these files, by what differs.
    private func commit(_ repo: RepoKey, _ now: [String: String]) async throws {
        let before = files.repos[repo] ?? [:]
        let isFirst = try scene.commits(repo)?.isEmpty != false
        let upload = try Upload(to: CommitHandle(repo.branch("master")), in: scene.history, as: scene.user)
        for path in before.keys.sorted() where now[path] == nil && !isFirst {
            try upload.delete(path: path, datum: "")
        }
        for (path, text) in now.sorted(by: { $0.key < $1.key }) where isFirst || before[path] != text {
            if let old = before[path], !isFirst, text.hasPrefix(old), random.below(2) == 0 {
                try Array(text.dropFirst(old.count).utf8).withUnsafeBytes {
                    try upload.add(path: path, datum: "", bytes: $0)
                }
                continue
            }
            try upload.delete(path: path, datum: "")
            try Array(text.utf8).withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
        }
        _ = try await upload.finish()
        files.repos[repo] = now
    }

    // MARK: Comparison

    private func compare(isOfAll: Bool = true) async throws {
        let job = try await scene.last("p")
        let story = Comment(rawValue: "seed \(seed)\n\(files)\n\(log.joined(separator: "\n"))\n\(job)")
        if isOfAll {
            let works = try await TransformModel.works(tree, files)
            let (isGood, counts) = model.run(program, works, job: job.key.id, everyJob: everyJob)
            try #require((job.state == .success) == isGood, story)
            if isGood { try #require(job.counts == counts, story) }
            if !isGood {
                try #require(job.state == .failure && job.counts.total == counts.total, story)
                return
            }
        }
        guard job.state == .success else { return }
        let output = try scene.history.files(CommitHandle(job.key.pipeline.repo(.user).commit(job.key.id)))
        try #require(output.commit.root.digest == (try await expectedDigest()), story)
        let records = try await scene.records("p", job.key.id)
        try #require(records.mapValues(\.job.id) == model.done.mapValues(\.job), story)
        try #require(records.mapValues { $0.state == .processed } == model.done.mapValues(\.isProcessed), story)
        try await compareMeta(job.key.id, story)
    }

    /// What the records' folders hold of outputs is what the output holds.
    private func compareMeta(_ id: CommitID, _ story: Comment) async throws {
        let meta = try await scene.files("p", id, type: .meta)
        var found: [String: String] = [:]
        for (path, text) in meta {
            guard let end = path.range(of: "/out/") else { continue }
            found[path[..<end.lowerBound].dropFirst("/pfs/".count) + ":/" + path[end.upperBound...]] = text
        }
        let wanted = Dictionary(uniqueKeysWithValues: model.output.map { ("\($0.datum):\($0.path)", $0.text) })
        try #require(found == wanted, story)
    }

    /// Of a commit into which the output is written at once.
    private func expectedDigest() async throws -> Digest {
        let repo = RepoKey(name: "expected")
        if try scene.commits(repo) == nil { try await scene.makeRepo(repo.name) }
        let upload = try Upload(to: CommitHandle(repo.branch("master")), in: scene.history, as: scene.user)
        for old in expected { try upload.delete(path: old.path, datum: "\(old.datum)") }
        expected = model.output
        for file in expected {
            try Array(file.text.utf8).withUnsafeBytes {
                try upload.add(path: file.path, datum: "\(file.datum)", bytes: $0)
            }
        }
        return try scene.history.files(CommitHandle(try await upload.finish())).commit.root.digest
    }
    private var expected: [(path: String, datum: Digest, text: String)] = []
}
