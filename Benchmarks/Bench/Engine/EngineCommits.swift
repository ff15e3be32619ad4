import Core
import Storage
import Versioning

/// Commits of one small file, one after another: against the disk, in large trees, after long histories.
struct EngineCommits {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func small() async throws {
        let engine = try Engine(folder: try bench.newFolder("engine"))
        let repo = try await engine.makeRepo("small")
        var messages = Messages()
        var number = 0
        func one() async throws {
            let message = messages.bytes(UInt64(number))
            let path = Names.path(number, directory: plan.directory)
            number += 1
            try await engine.commit(to: repo) { upload in try message.withUnsafeBytes { try upload.add(path, $0) } }
        }
        for _ in 0..<50 { try await one() }
        try await bench.measure(
            "engine: 1 KiB commits one after another", unit: "/s", limit: "d", goal: .atLeast(0.3)
        ) { _ in
            let limit = try await bench.limits.appendsPerSecond()
            return (try await Stopwatch.rate(for: plan.window) { _ in try await one() }, limit)
        }
        try engine.history.close()
    }

    /// The large tree serves the reads, too.
    func byTreeSize() async throws {
        let engine = try Engine(folder: try bench.newFolder("trees"))
        let small = try await engine.makeRepo("small")
        let large = try await engine.makeRepo("large")
        try await fill(small, plan.smallTree, engine)
        Progress.say("  preparing \(plan.largeTree) files")
        try await fill(large, plan.largeTree, engine)
        var messages = Messages()
        var number = 0
        try await bench.measure(
            "engine: commit at \(plan.largeTree) files ÷ at \(plan.smallTree)", unit: "µs",
            limit: "µs", goal: .atMost(1.5)
        ) { _ in
            try await compare(
                { try await one(&messages, &number, large, below: plan.largeTree, engine) },
                { try await one(&messages, &number, small, below: plan.smallTree, engine) })
        }
        try await EngineReads(bench: bench).run(engine, large)
        try engine.history.close()
    }

    /// Leaves the long history behind for ``ServerStart``.
    func byHistory() async throws -> String {
        let short = try Engine(folder: try bench.newFolder("short"))
        let long = try Engine(folder: try bench.newFolder("long"))
        let shortRepo = try await short.makeRepo("history")
        let longRepo = try await long.makeRepo("history")
        try await repeatCommits(plan.shortHistory, shortRepo, short)
        Progress.say("  preparing \(plan.longHistory) commits")
        try await repeatCommits(plan.longHistory, longRepo, long)
        var messages = Messages()
        var number = 0
        try await bench.measure(
            "engine: commit after \(plan.longHistory) commits ÷ after \(plan.shortHistory)", unit: "µs",
            limit: "µs", goal: .atMost(1.1)
        ) { _ in
            try await compare(
                { try await one(&messages, &number, longRepo, below: plan.smallTree, long) },
                { try await one(&messages, &number, shortRepo, below: plan.smallTree, short) })
        }
        try long.history.close()
        try short.history.close()
        return long.folder
    }

    /// Microseconds of one and of the other, taken in turn so that a slower disk slows both.
    private func compare(
        _ one: () async throws -> Void, _ other: () async throws -> Void
    ) async throws -> (ours: Double, limit: Double?) {
        var sums = (0.0, 0.0)
        for _ in 0..<plan.comparedCommits {
            let first = Stopwatch()
            try await one()
            sums.0 += first.seconds
            let second = Stopwatch()
            try await other()
            sums.1 += second.seconds
        }
        let scale = 1e6 / Double(plan.comparedCommits)
        return (sums.0 * scale, sums.1 * scale)
    }

    /// Replaces one file, found anywhere among those that are there.
    private func one(
        _ messages: inout Messages, _ number: inout Int, _ repo: RepoKey, below count: Int, _ engine: Engine
    ) async throws {
        number += 1
        let place = Int(Noise.word(7, UInt64(number)) % UInt64(count))
        let path = Names.path(place, directory: plan.directory)
        let message = messages.bytes(1 << 40 + UInt64(number))
        try await engine.commit(to: repo) { upload in
            try upload.delete(path: path, datum: "")
            try message.withUnsafeBytes { try upload.add(path, $0) }
        }
    }

    private func fill(_ repo: RepoKey, _ count: Int, _ engine: Engine) async throws {
        try await engine.commit(to: repo) { upload in
            for index in 0..<count {
                let path = Names.path(index, directory: plan.directory)
                // Short contents: the tree is what counts.
                try withUnsafeBytes(of: index) { try upload.add(path, $0) }
            }
        }
    }

    private func repeatCommits(_ count: Int, _ repo: RepoKey, _ engine: Engine) async throws {
        let writers = 64
        let directory = plan.directory
        let files = plan.smallTree
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask { [history = engine.history] in
                    var messages = Messages()
                    for index in stride(from: writer, to: count, by: writers) {
                        let upload = try Upload(
                            to: CommitHandle(repo.branch("master")), in: history, as: .user(""))
                        let path = Names.path(index % files, directory: directory)
                        try upload.delete(path: path, datum: "")
                        try messages.with(UInt64(index)) { try upload.add(path, $0) }
                        _ = try await upload.finish()
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
