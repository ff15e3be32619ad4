import Core
import Foundation
import Versioning

/// What a collection in the background costs those who write meanwhile.
///
/// A run writes without one, then beside one until that ends, then without one again: what grows or slows down with
/// time weighs on both sides alike. The collection finds segments that are half dead, and writes them anew.
struct EngineBackground {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        try await compare("1 KiB commits one after another", unit: "/s", window: plan.window * 2, perCommit: 1) {
            let changes = Replacements(
                $0, $1, files: plan.smallTree, directory: plan.directory, seed: 1)
            return { try await changes.one() }
        }
        // Renewed in between, so that this program holds a part of a file only.
        let (size, parts) = (plan.largeFile / 64, 4)
        let megabytes = Double(size * parts) / 1e6
        try await compare("large files in", unit: "MB/s", window: plan.window, perCommit: megabytes) { engine, repo in
            let content = EndlessContent(size)
            return {
                try await engine.commit(to: repo) { upload in
                    try upload.delete(path: "/large", datum: "")
                    for _ in 0..<parts {
                        content.renew()
                        try content.with { try upload.add("/large", $0) }
                    }
                }
            }
        }
    }

    private func compare(
        _ name: String, unit: String, window: Double, perCommit: Double,
        _ make: (Engine, RepoKey) -> () async throws -> Void
    ) async throws {
        let memory = MemoryLine(bench, "engine: resident memory, \(name) beside a collection")
        try await bench.measure(
            "engine: \(name), beside a collection ÷ without", unit: unit, limit: unit, goal: .atLeast(0.9)
        ) { run in
            // Removed after each run: much data, but a hundred files, which no file system minds.
            let folder = try bench.newFolder("background")
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let engine = try await prepare(folder, run)
            let one = make(engine, try await engine.makeRepo("written"))
            try await one()
            memory.begin()
            var without = Tally()
            try await without.count(one, while: { $0 < window })
            let collection = BackgroundCollection(engine)
            var beside = Tally()
            try await beside.count(one, while: { collection.isUnderWay && $0 < plan.background })
            Progress.say("  \(collection.progress) after \(Table.number(beside.seconds)) s")
            try collection.stop()
            try await without.count(one, while: { $0 < window })
            memory.end(name)
            memory.endRun()
            try engine.history.close()
            return (beside.rate * perCommit, without.rate * perCommit)
        }
        memory.show()
    }

    /// A store with garbage that lies between what is alive.
    private func prepare(_ folder: String, _ run: Int) async throws -> Engine {
        let engine = try Engine(folder: folder)
        let repo = try await engine.makeRepo("squashed")
        let commits = try await engine.everySecond(of: plan.removedFrom) { number in
            let content = Noise.bytes(plan.removedBytes, seed: UInt64(run * plan.removedFrom + number) + 100_000)
            return try await engine.commit(to: repo) { upload in
                try upload.delete(path: "/f", datum: "")
                try content.withUnsafeBytes { try upload.add("/f", $0) }
            }
        }
        try await engine.squash(commits)
        return engine
    }
}

/// Counts how often something was done, in several stretches.
private struct Tally {
    private(set) var seconds = 0.0
    private var times = 0

    var rate: Double { Double(times) / seconds }

    /// Once at least, then as long as `goesOn`, which hears for how long already.
    mutating func count(_ body: () async throws -> Void, while goesOn: (Double) -> Bool) async throws {
        let watch = Stopwatch()
        repeat {
            try await body()
            times += 1
        } while goesOn(watch.seconds)
        seconds += watch.seconds
    }
}

/// Content of one size whose every chunk is new each time, renewed faster than a disk takes it.
private final class EndlessContent {
    private static let step = 32 << 10
    private var bytes: [UInt8]
    private var number: UInt64 = 0

    init(_ size: Int) { bytes = Noise.bytes(size, seed: 700) }

    func renew() {
        number += 1
        bytes.withUnsafeMutableBytes { bytes in
            for offset in stride(from: 0, to: bytes.count - 8, by: Self.step) {
                bytes.storeBytes(of: number, toByteOffset: offset, as: UInt64.self)
            }
        }
    }

    func with(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows { try bytes.withUnsafeBytes(body) }
}
