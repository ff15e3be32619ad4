import API
import Foundation
import Synchronization

/// Commits of one small file over gRPC, against empty calls of the same client to the same server.
struct ServerCommits {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func oneAfterAnother() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let messages = NumberedMessages(directory: plan.directory)
        let connection = try Connection(port: server.port)
        try await connection.makeRepo("w0")
        for _ in 0..<50 { try await messages.commit(connection, "w0") }
        try await bench.measure(
            "gRPC: 1 KiB commits one after another", unit: "/s", limit: "r", goal: .atLeast(0.6)
        ) { _ in
            let limit = try await Stopwatch.rate(for: plan.window / 2) { _ in try await connection.ping() }
            let rate = try await Stopwatch.rate(for: plan.window) { _ in try await messages.commit(connection, "w0") }
            return (rate, limit)
        }
        await connection.close()
        server.stop()
    }

    /// Both ways to hold 32 callers are tried, for the limit and for ours, and the better one counts for each.
    func together() async throws {
        let callers = 32
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let messages = NumberedMessages(directory: plan.directory)
        let shared = try Connection(port: server.port)
        let own = try (0..<callers).map { _ in try Connection(port: server.port) }
        for caller in 0..<callers {
            try await shared.makeRepo("w\(caller)")
            try await own[caller].ping()
        }
        try await bench.measure(
            "gRPC: 1 KiB commits, \(callers) writers", unit: "/s", limit: "r32", goal: .atLeast(0.6)
        ) { _ in
            let seconds = plan.window / 2
            let sharedLimit = try await rate(callers, seconds) { _ in try await shared.ping() }
            let sharedRate = try await rate(callers, seconds) { try await messages.commit(shared, "w\($0)") }
            let ownLimit = try await rate(callers, seconds) { try await own[$0].ping() }
            let ownRate = try await rate(callers, seconds) { try await messages.commit(own[$0], "w\($0)") }
            Progress.say(
                "  one connection: \(Table.number(sharedRate)) of \(Table.number(sharedLimit)), "
                    + "\(callers) connections: \(Table.number(ownRate)) of \(Table.number(ownLimit))")
            return (max(sharedRate, ownRate), max(sharedLimit, ownLimit))
        }
        for connection in own { await connection.close() }
        await shared.close()
        server.stop()
    }

    /// How often a second `body` ends, with `callers` of it under way at any time.
    private func rate(
        _ callers: Int, _ seconds: Double, _ body: @Sendable @escaping (Int) async throws -> Void
    ) async throws -> Double {
        let watch = Stopwatch()
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var count = 0
                    while watch.seconds < seconds {
                        try await body(caller)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / watch.seconds
    }
}

/// Commits that all differ, made by many tasks.
private final class NumberedMessages: Sendable {
    private let directory: Int
    private let last = Atomic<Int>(0)

    init(directory: Int) { self.directory = directory }

    /// One new file of 1 KiB in one commit.
    func commit(_ connection: Connection, _ repo: String) async throws {
        let number = last.add(1, ordering: .relaxed).newValue
        var messages = Messages()
        let content = messages.with(UInt64(number)) { Data($0) }
        try await connection.commit(to: repo, Names.path(number, directory: directory), content)
    }
}
