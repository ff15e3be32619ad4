import Core
import Storage
import Versioning

/// Reads of a large tree: a directory of it, and what one commit changed.
struct EngineReads {
    let bench: Workbench

    func run(_ engine: Engine, _ repo: RepoKey) async throws {
        let plan = bench.plan
        let directories = max(1, plan.largeTree / plan.directory)
        try await bench.measure(
            "engine: list \(plan.directory) of \(plan.largeTree) files", unit: "ms", goal: .atMost(10)
        ) { run in
            let place = Int(Noise.word(9, UInt64(run)) % UInt64(directories))
            let directory = "/d" + Names.padded(place)
            var count = 0
            let watch = Stopwatch()
            try await engine.files(repo).list(directory) { _ in
                count += 1
                return true
            }
            let milliseconds = watch.seconds * 1e3
            guard count >= plan.directory else { throw Unexpected("a listing of \(count) files") }
            return (milliseconds, nil)
        }
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
}

/// A measurement did not do what it should have measured.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
