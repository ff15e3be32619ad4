import API
import Foundation
import GRPCCore

/// Many commits of one source through two stages of code: does the work keep up, and for how long?
struct JobStream {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        try await connection.makeRepo("source")
        try await connection.makeTransform("first", of: "source", ["sh", "-c", "cp /pfs/source/* /pfs/out/"])
        try await connection.makeTransform("second", of: "first", ["sh", "-c", "cp /pfs/first/* /pfs/out/"])
        try await connection.waitForHead(of: "second")
        let before = try await connection.jobsDone(of: "second")
        let count = plan.streamedCommits
        let (seconds, foreign) = try await bench.window {
            let watch = Stopwatch()
            var messages = Messages()
            for number in 0..<count {
                let content = messages.with(UInt64(number)) { Data($0) }
                try await connection.commit(to: "source", "/\(number % 100)", content)
            }
            let written = watch.seconds
            try await connection.waitForHead(of: "second")
            return (written: written, done: watch.seconds)
        }
        let done = try await connection.jobsDone(of: "second") - before
        guard done == count else { throw Unexpected("\(done) jobs of the second stage for \(count) commits") }
        bench.add(
            Line(
                name: "jobs: \(count) commits through two stages", unit: "commits/s", goal: .none,
                samples: [Sample(ours: Double(count) / seconds.done, foreign: foreign)],
                remark: "written in \(Table.number(seconds.written)) s, all done in \(Table.number(seconds.done)) s"))
        await connection.close()
        server.stop()
    }
}
