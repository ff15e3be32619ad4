import Core
import Storage
import Versioning

/// Commits of one small file, one after another, against the disk.
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
}
