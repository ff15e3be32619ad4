import ArgumentParser
import Foundation

@main
enum Main {
    /// Not `async`: see the server's own `Main`. The main thread has nothing to do here.
    static func main() {
        if let listener = Listener() { listener.run() }
        Task.detached {
            await Bench.main()
            exit(0)
        }
        while true { pause() }
    }
}

/// Measures the budgets of docs/BENCHMARKS.md as ratios to this machine's own limits.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spile-bench",
        abstract: "Measures Spile's budgets as ratios to this machine's own limits; see docs/BENCHMARKS.md.")

    @Flag(help: "Tiny sizes, one run: shows that everything works; the figures mean nothing.")
    var quick = false
    @Flag(help: "The sizes that the budgets name (an append to 10 GB).")
    var full = false
    @Option(help: "Only sections whose name contains this: \(Bench.sections.joined(separator: ", ")).")
    var only: String?
    @Option(help: "Samples of each figure (default: 5; with --quick 1).")
    var runs: Int?
    @Option(help: "Folder to write in, on the disk to be measured; it is made, and removed at the end.")
    var data: String
    @Option(help: "The server's program.")
    var server: String
    @Option(help: "Longest wait for a quiet machine before one window, in seconds.")
    var wait: Double?

    static let sections = [
        "engine-commits", "engine-bulk", "engine-files", "engine-append", "engine-trees", "engine-history",
        "engine-garbage", "engine-background", "grpc-commits", "grpc-writers", "grpc-bulk", "grpc-files", "grpc-memory",
        "spouts-together", "spouts-launches", "spouts-service",
        "jobs-scale", "jobs-stream", "jobs-latency", "jobs-rate",
    ]

    func run() async throws {
        var plan: Plan = quick ? .quick : full ? .full : .standard
        if let runs { plan.runs = max(1, runs) }
        if let wait { plan.quietWait = wait }
        let folder = "\(data)/spile-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Only now: a file system may make new files slow for minutes after many were removed.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let bench = Workbench(plan: plan, folder: folder, server: server, only: only)
        var failure: (any Error)?
        do { try await Self.measure(bench) } catch { failure = error }
        print(Table(lines: bench.lines).text())
        if bench.quiet.waited > 1 { print("Waited \(Int(bench.quiet.waited)) s in all for a quiet machine.") }
        if let failure { throw failure }
    }

    private static func measure(_ bench: Workbench) async throws {
        let commits = EngineCommits(bench: bench)
        let bulk = EngineBulk(bench: bench)
        try await bench.section("engine-commits") { _ in try await commits.small() }
        try await bench.section("engine-bulk") { _ in try await bulk.largeFile() }
        try await bench.section("engine-files") { _ in try await bulk.manyFiles() }
        try await bench.section("engine-append") { _ in try await bulk.append() }
        try await bench.section("engine-trees") { bench in try await EngineScale(bench: bench).byTreeSize() }
        try await bench.section("engine-history") { bench in
            let folder = try await EngineScale(bench: bench).byHistory()
            try await ServerStart(bench: bench).run(on: folder)
        }
        try await bench.section("engine-garbage") { try await EngineGarbage(bench: $0).run() }
        try await bench.section("engine-background") { try await EngineBackground(bench: $0).run() }
        try await bench.section("grpc-commits") { try await ServerCommits(bench: $0).oneAfterAnother() }
        try await bench.section("grpc-writers") { try await ServerCommits(bench: $0).together() }
        try await bench.section("grpc-bulk") { try await ServerBulk(bench: $0).largeFile() }
        try await bench.section("grpc-files") { try await ServerBulk(bench: $0).manyFiles() }
        try await bench.section("grpc-memory") { try await ServerMemory(bench: $0).run() }
        try await bench.section("spouts-together") { try await SpoutCommits(bench: $0).run() }
        try await bench.section("spouts-launches") { try await SpoutLaunches(bench: $0).oneAfterAnother() }
        try await bench.section("spouts-service") { try await SpoutLaunches(bench: $0).service() }
        try await bench.section("jobs-scale") { try await JobScale(bench: $0).run() }
        try await bench.section("jobs-stream") { try await JobStream(bench: $0).run() }
        try await bench.section("jobs-latency") { try await JobLatency(bench: $0).run() }
        try await bench.section("jobs-rate") { try await JobRate(bench: $0).run() }
    }
}
