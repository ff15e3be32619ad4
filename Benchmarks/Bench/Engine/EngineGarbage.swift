import Core
import Storage
import Versioning

/// Space that comes back after commits were removed, and how fast.
///
/// What the disk holds is compared right after a collection each time, so that no segment is half full.
struct EngineGarbage {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        var dropped = line("\(plan.removedFrom) commits, the newest half dropped")
        var squashed = line("\(plan.removedFrom) commits, every second squashed")
        var small = line("\(plan.smallRemovedFrom) commits of 1 KiB, the newest half dropped")
        var anew = Line(
            name: "engine: collection, segments written anew", unit: "MB/s", limit: "w", goal: .none, samples: [])
        let memory = MemoryLine(bench, "engine: resident memory, commits and a collection")
        for run in 0..<plan.runs {
            let (drop, noise1) = try await bench.window { try await dropNewestHalf(run, memory) }
            dropped.samples.append(Sample(ours: drop.back, limit: drop.gone, foreign: noise1))
            let (squash, noise2) = try await bench.window { try await squashEverySecond(run, memory) }
            squashed.samples.append(Sample(ours: squash.back, limit: squash.gone, foreign: noise2))
            anew.samples.append(Sample(ours: squash.speed, limit: squash.limit, foreign: noise2))
            let (few, noise3) = try await bench.window { try await dropSmall(run, memory) }
            small.samples.append(Sample(ours: few.back, limit: few.gone, foreign: noise3))
            memory.endRun()
        }
        for line in [dropped, squashed, small, anew] { bench.add(line) }
        memory.show()
    }

    private func line(_ what: String) -> Line {
        Line(
            name: "engine: space back ÷ removed, \(what)", unit: "MB", limit: "MB", goal: .atLeast(0.9), samples: [])
    }

    /// Whole segments die.
    private func dropNewestHalf(_ run: Int, _ memory: MemoryLine) async throws -> (back: Double, gone: Double) {
        let engine = try Engine(folder: try bench.newFolder("dropped"))
        let repo = try await engine.makeRepo("dropped")
        let half = plan.removedFrom / 2
        memory.begin()
        for number in 0..<plan.removedFrom { try await add(number, "/f\(number)", run, repo, engine) }
        memory.end("commits of \(plan.removedBytes >> 20) MiB")
        _ = try Collection(engine)
        let before = try engine.megabytes()
        try await engine.dropNewest(half, of: repo)
        _ = try Collection(engine)
        memory.end("half of them dropped")
        let after = try engine.megabytes()
        try engine.history.close()
        return (before - after, Double(half * plan.removedBytes) / 1e6)
    }

    /// Each segment loses half of what it holds, and is written anew.
    private func squashEverySecond(
        _ run: Int, _ memory: MemoryLine
    ) async throws -> (back: Double, gone: Double, speed: Double, limit: Double) {
        let engine = try Engine(folder: try bench.newFolder("squashed"))
        let repo = try await engine.makeRepo("squashed")
        let half = plan.removedFrom / 2
        let limit = try Noise.bytes(64 << 20, seed: 500).withUnsafeBytes { try bench.limits.sequentialWrite($0) }
        let commits = try await engine.everySecond(of: plan.removedFrom) { number in
            try await add(number, "/f", 1_000 + run, repo, engine)
        }
        _ = try Collection(engine)
        let before = try engine.megabytes()
        try await engine.squash(commits)
        memory.begin()
        let collection = try Collection(engine)
        memory.end("\(collection.report.plan.segmentsRewritten) segments written anew")
        let after = try engine.megabytes()
        try engine.history.close()
        let size = Double(half * plan.removedBytes) / 1e6
        return (before - after, size, size / collection.sweeping, limit)
    }

    /// What goes is nodes for the most part. Removed is what the disk took for the second half.
    private func dropSmall(_ run: Int, _ memory: MemoryLine) async throws -> (back: Double, gone: Double) {
        let engine = try Engine(folder: try bench.newFolder("small"))
        let repo = try await engine.makeRepo("small")
        let half = plan.smallRemovedFrom / 2
        func fill(_ seed: Int) async throws -> Double {
            try await engine.repeatCommits(
                half, repo, files: plan.smallTree, directory: plan.directory, seed: UInt64(seed))
            _ = try Collection(engine)
            return try engine.megabytes()
        }
        let first = try await fill(1)
        let before = try await fill(2)
        try await engine.dropNewest(half, of: repo)
        memory.begin()
        let collection = try Collection(engine)
        memory.end("\(half) small commits dropped, \(collection.report.nodes) nodes marked")
        let after = try engine.megabytes()
        try engine.history.close()
        return (before - after, before - first)
    }

    /// One commit with one file of new content.
    @discardableResult
    private func add(
        _ number: Int, _ path: String, _ run: Int, _ repo: RepoKey, _ engine: Engine
    ) async throws -> CommitKey {
        let content = Noise.bytes(plan.removedBytes, seed: UInt64(run * plan.removedFrom + number) + 600)
        return try await engine.commit(to: repo) { upload in
            try upload.delete(path: path, datum: "")
            try content.withUnsafeBytes { try upload.add(path, $0) }
        }
    }
}

extension Engine {
    /// Makes commits and gives every second of them, never the last.
    func everySecond(of count: Int, _ make: (Int) async throws -> CommitKey) async throws -> [CommitKey] {
        var commits: [CommitKey] = []
        for number in 0..<count {
            let commit = try await make(number)
            if number.isMultiple(of: 2), number < count - 1 { commits.append(commit) }
        }
        return commits
    }
}
