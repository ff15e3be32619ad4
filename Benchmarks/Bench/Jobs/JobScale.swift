import API
import Foundation
import GRPCCore

/// One changed file among many: what the job costs that works on it, by how many files there are.
///
/// The code does nothing, so that what is left is the server's own work.
struct JobScale {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        for size in plan.jobTrees { try await workOnAll(connection, files: size) }
        Progress.say("  \(plan.inodeRest) s for the file system to forget what was removed")
        sleep(plan.inodeRest)
        var first: Samples?
        for size in plan.jobTrees {
            let times = try await oneChange(connection, files: size)
            var line = Line(
                name: "jobs: one changed file of \(Table.number(Double(size)))", unit: "ms",
                limit: first == nil ? nil : "at \(Table.number(Double(plan.jobTrees[0])))",
                goal: first == nil ? .none : .atMost(1.5), samples: [],
                remark: "commit acknowledged → its output finished")
            for time in times {
                line.samples.append(
                    Sample(ours: time.ours * 1_000, limit: first.map { $0.median * 1_000 }, foreign: time.foreign))
            }
            if first == nil { first = Samples(values: times.map(\.ours)) }
            bench.add(line)
        }
        await connection.close()
        server.stop()
    }

    private func repo(_ files: Int) -> String { "scale\(files)" }

    /// A pipeline over `files` files, and its first job, which works on all of them.
    private func workOnAll(_ connection: Connection, files: Int) async throws {
        let repo = repo(files)
        try await connection.makeRepo(repo)
        let directory = plan.directory
        try await connection.commit(to: repo) { writer in
            var messages = Messages()
            for number in 0..<files {
                let content = messages.with(UInt64(number)) { Data($0.prefix(16)) }
                try await writer.write(Connection.file(Names.path(number, directory: directory), content))
            }
        }
        // Each directory is a datum, and so is the file that changes.
        try await connection.makeTransform("\(repo)-job", of: repo, glob: "/*", ["true"])
        let watch = Stopwatch()
        try await connection.waitForHead(of: "\(repo)-job")
        Progress.say("  the first job over \(files) files took \(Table.number(watch.seconds)) s")
    }

    /// One file is changed again and again.
    private func oneChange(_ connection: Connection, files: Int) async throws -> [(ours: Double, foreign: Double)] {
        let repo = repo(files)
        var times: [(ours: Double, foreign: Double)] = []
        for run in 0..<plan.runs + 1 {
            let (seconds, foreign) = try await bench.window {
                try await connection.commit(to: repo, "/changing", Data("\(run)".utf8))
                let watch = Stopwatch()
                try await connection.waitForHead(of: "\(repo)-job")
                return watch.seconds
            }
            // The first one finds no worker and no cache warm.
            if run > 0 { times.append((seconds, foreign)) }
        }
        return times
    }
}
