import Foundation
import GRPCCore

/// What it takes to start a spout's code: again and again, and until its service is reached.
struct SpoutLaunches {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    /// Updates, and stops and starts, in turns. Each launch runs and commits once before the next step.
    func oneAfterAnother() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        let script = #"echo "$NUMBER" | pachctl put file "$PPS_PIPELINE_NAME@master:/n" -f - && exec sleep 86400"#
        let launches = plan.launches
        try await connection.makeSpout("again", ["sh", "-c", script], ["NUMBER": "0"])
        let ((updates, starts), foreign) = try await bench.window {
            try await connection.withCommits(of: "again", atMost: .seconds(60 + 5 * launches)) { response in
                var commits = response.messages.makeAsyncIterator()
                var updates = Samples(), starts = Samples()
                _ = try await commits.next()
                for number in 1..<max(launches, 3) {
                    let watch = Stopwatch()
                    if number % 2 == 1 {
                        try await connection.makeSpout(
                            "again", ["sh", "-c", script], ["NUMBER": "\(number)"], update: true)
                    } else {
                        try await connection.stopPipeline("again")
                        try await connection.startPipeline("again")
                    }
                    guard try await commits.next() != nil else { throw Unexpected("no commit of launch \(number)") }
                    if number % 2 == 1 { updates.values.append(watch.seconds) } else { starts.values.append(watch.seconds) }
                }
                return (updates, starts)
            }
        }
        for (name, samples) in [("update", updates), ("stop and start", starts)] {
            bench.add(
                Line(
                    name: "spouts: \(name) → a commit of the new launch", unit: "ms", goal: .none,
                    samples: samples.values.map { Sample(ours: $0 * 1_000, foreign: foreign) },
                    remark: "\(samples.values.count) launches"))
        }
        await connection.close()
        server.stop()
    }

    /// From the moment when the code listens on its port to an answer on the port outside.
    func service() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        let folder = try bench.newFolder("listeners")
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        try await bench.measure("spouts: a service listens → reached from outside", unit: "s", goal: .atMost(1)) { run in
            let ports = (inside: try Listener.freePort(), outside: try Listener.freePort())
            let listener = Listener(port: ports.inside, note: "\(folder)/\(run)")
            try await connection.makeSpout("service\(run)", [program], listener.variables, ports: ports)
            let answered = try Listener.answer(on: ports.outside, within: 60)
            let listening = try listener.listening()
            try await connection.deletePipeline("service\(run)")
            return (answered - listening, nil)
        }
        await connection.close()
        server.stop()
    }
}
