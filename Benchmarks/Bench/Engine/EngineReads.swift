import Core
import Storage
import Versioning

/// Reads of a large tree: a directory of it, what one commit changed, what a glob matches, all of it.
struct EngineReads {
    let bench: Workbench

    private var plan: Plan { bench.plan }

    func run(_ engine: Engine, _ repo: RepoKey) async throws {
        try await list(engine, repo)
        try await difference(engine, repo)
        try await glob(engine, repo)
        try await everything(engine, repo)
    }

    /// A directory chosen by the run.
    private func directory(_ run: Int) -> String {
        let directories = max(1, plan.largeTree / plan.directory)
        return "/d" + Names.padded(Int(Noise.word(9, UInt64(run)) % UInt64(directories)))
    }

    private func list(_ engine: Engine, _ repo: RepoKey) async throws {
        try await bench.measure(
            "engine: list \(plan.directory) of \(plan.largeTree) files", unit: "ms", goal: .atMost(10)
        ) { run in
            var count = 0
            let watch = Stopwatch()
            try await engine.files(repo).list(directory(run)) { _ in
                count += 1
                return true
            }
            let milliseconds = watch.seconds * 1e3
            guard count >= plan.directory else { throw Unexpected("a listing of \(count) files") }
            return (milliseconds, nil)
        }
    }

    private func difference(_ engine: Engine, _ repo: RepoKey) async throws {
        try await bench.measure("engine: diff with one change", unit: "ms", goal: .atMost(2)) { run in
            let path = "/d0000000/new\(run)"
            try await engine.commit(to: repo) { upload in
                try withUnsafeBytes(of: run) { try upload.add(path, $0) }
            }
            var count = 0
            let watch = Stopwatch()
            let new = try engine.files(repo)
            let old = try engine.files(repo, ancestry: "^")
            try await new.difference("/", from: old, "/", shallow: false) { _ in
                count += 1
                return true
            }
            let milliseconds = watch.seconds * 1e3
            // The file and the two directories above it.
            guard count == 3 else { throw Unexpected("a difference of \(count) entries") }
            return (milliseconds, nil)
        }
    }

    private func glob(_ engine: Engine, _ repo: RepoKey) async throws {
        try await bench.measure(
            "engine: glob of one directory in \(plan.largeTree) files", unit: "ms", goal: .atMost(10)
        ) { run in
            (try await matches(directory(run) + "/*", atLeast: plan.directory, engine, repo).seconds * 1e3, nil)
        }
        try await bench.measure(
            "engine: glob that matches \(plan.largeTree) files", unit: "files/s", goal: .none
        ) { _ in
            let (count, seconds) = try await matches("/*/*", atLeast: plan.largeTree, engine, repo)
            return (Double(count) / seconds, nil)
        }
    }

    private func matches(
        _ pattern: String, atLeast least: Int, _ engine: Engine, _ repo: RepoKey
    ) async throws -> (count: Int, seconds: Double) {
        var count = 0
        let watch = Stopwatch()
        try await engine.files(repo).glob(try Glob(pattern)) { _ in
            count += 1
            return true
        }
        let seconds = watch.seconds
        guard count >= least else { throw Unexpected("\(count) files match \(pattern)") }
        return (count, seconds)
    }

    private func everything(_ engine: Engine, _ repo: RepoKey) async throws {
        try await bench.measure("engine: walk of \(plan.largeTree) files", unit: "files/s", goal: .none) { _ in
            var count = 0
            let watch = Stopwatch()
            try await engine.files(repo).walk("/") { _ in
                count += 1
                return true
            }
            let seconds = watch.seconds
            guard count > plan.largeTree else { throw Unexpected("a walk of \(count) entries") }
            return (Double(count) / seconds, nil)
        }
    }
}

/// A measurement did not do what it should have measured.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
