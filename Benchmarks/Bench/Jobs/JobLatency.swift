import API
import Foundation
import GRPCCore

/// From a commit to the first line of the code that works on it: where a worker is ready, and where none is.
struct JobLatency {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        let bell = try Bell("\(try bench.newFolder("bell"))/bell")
        try await connection.makeRepo("source")
        // A shell's own word: what a program of its own costs to start is not the server's.
        try await connection.makeTransform("code", of: "source", ["sh", "-c", "echo > '\(bell.path)'"])
        try await connection.commit(to: "source", "/first", Data("x".utf8))
        await bell.wait()
        try await connection.waitForHead(of: "code")
        let (warm, foreign) = try await bench.window { try await whileReady(connection, bell) }
        for (name, part, goal) in [("median", 0.5, 5.0), ("99th percentile", 0.99, 20.0)] {
            bench.add(
                Line(
                    name: "jobs: commit acknowledged → first line of code, warm, \(name)", unit: "ms",
                    goal: .atMost(goal), samples: [Sample(ours: warm.quantile(part) * 1_000, foreign: foreign)],
                    remark: "\(warm.values.count) commits, one at a time"))
        }
        let (cold, foreignCold) = try await bench.window { try await whenStarted(connection, bell) }
        bench.add(
            Line(
                name: "jobs: pipeline started → first line of code, cold", unit: "ms", goal: .none,
                samples: cold.values.map { Sample(ours: $0 * 1_000, foreign: foreignCold) },
                remark: "with a commit that waits"))
        await connection.close()
        server.stop()
    }

    private func whileReady(_ connection: Connection, _ bell: Bell) async throws -> Samples {
        var samples = Samples()
        for number in 0..<plan.warmCommits {
            try await connection.commit(to: "source", "/\(number)", Data("x".utf8))
            let watch = Stopwatch()
            await bell.wait()
            samples.values.append(watch.seconds)
            try await connection.waitForHead(of: "code")
        }
        return samples
    }

    private func whenStarted(_ connection: Connection, _ bell: Bell) async throws -> Samples {
        var samples = Samples()
        for number in 0..<max(3, plan.warmCommits / 20) {
            try await connection.stopPipeline("code")
            try await connection.commit(to: "source", "/cold\(number)", Data("x".utf8))
            let watch = Stopwatch()
            try await connection.startPipeline("code")
            await bell.wait()
            samples.values.append(watch.seconds)
            try await connection.waitForHead(of: "code")
        }
        return samples
    }
}

/// What code rings when it runs: a FIFO. A thread hears it, so that nothing else of this program is in between.
private final class Bell: Sendable {
    let path: String
    private let rings: AsyncStream<Void>

    init(_ path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw Unexpected("no FIFO at \(path)") }
        // For writing, too: it never ends while this is open.
        let file = open(path, O_RDWR)
        guard file >= 0 else { throw Unexpected("cannot open \(path)") }
        let (rings, heard) = AsyncStream<Void>.makeStream()
        self.rings = rings
        Thread {
            var byte: UInt8 = 0
            while read(file, &byte, 1) == 1 { heard.yield() }
        }.start()
    }

    /// Waits for the next ring.
    func wait() async {
        for await _ in rings { return }
    }
}

/// How many datums a second go through code that does next to nothing.
struct JobRate {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        let workers = UInt64(ProcessInfo.processInfo.activeProcessorCount)
        for (name, command) in [("true", ["true"]), ("cp", ["sh", "-c", "cp /pfs/*/* /pfs/out/"])] {
            try await connection.makeRepo("in-\(name)")
            try await connection.makeTransform("do-\(name)", of: "in-\(name)", command, workers: workers)
            try await connection.waitForHead(of: "do-\(name)")
            let count = plan.datums
            try await bench.measure(
                "jobs: datums through `\(name)`", unit: "datums/s", goal: .none, remark: "\(workers) workers"
            ) { run in
                try await connection.commit(to: "in-\(name)") { writer in
                    for number in 0..<count {
                        try await writer.write(Connection.file("/\(run)-\(number)", Data("\(number)".utf8)))
                    }
                }
                let watch = Stopwatch()
                try await connection.waitForHead(of: "do-\(name)")
                return (Double(count) / watch.seconds, nil)
            }
        }
        await connection.close()
        server.stop()
    }
}
