import Foundation

/// Many spouts that commit at a steady pace: is it held, and how long does a commit take then?
///
/// The launches are real, and each is the newest of its spout; its code gives its token to this program and rests. The
/// commits are made here, over a few connections: fifty programs with clients of their own would measure themselves.
struct SpoutCommits {
    let bench: Workbench
    private var plan: Plan { bench.plan }
    private static let connections = 4

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connections = try (0..<Self.connections).map { _ in try Connection(port: server.port) }
        let tokens = try await launch(connections[0])
        for (spout, token) in tokens.enumerated() {
            let connection = connections[spout % connections.count]
            try await connection.commit(to: "s\(spout)", as: token, "/first", Data("x".utf8))
        }
        var pace = Line(
            name: "spouts: commits of \(plan.spouts) spouts, \(plan.spoutRate) a second each", unit: "/s",
            goal: .atLeast(0.99 * Double(plan.spouts * plan.spoutRate)), samples: [])
        var time = Line(
            name: "spouts: the same, from when a commit is due to its answer, p99", unit: "ms", goal: .atMost(50),
            samples: [])
        for run in 0..<plan.runs {
            let (figures, foreign) = try await bench.window { try await window(run, tokens, connections) }
            pace.samples.append(Sample(ours: figures.rate, foreign: foreign))
            time.samples.append(Sample(ours: figures.times.quantile(0.99) * 1_000, foreign: foreign))
        }
        bench.add(pace)
        bench.add(time)
        for connection in connections { await connection.close() }
        server.stop()
    }

    /// Starts the spouts; gives their launches' tokens.
    private func launch(_ connection: Connection) async throws -> [String] {
        let folder = try bench.newFolder("tokens")
        // Whole, or not there.
        let script = #"cp "$PACH_CONFIG" "$PLACE.new" && mv "$PLACE.new" "$PLACE" && exec sleep 86400"#
        for number in 0..<plan.spouts {
            try await connection.makeSpout("s\(number)", ["sh", "-c", script], ["PLACE": "\(folder)/\(number)"])
        }
        let deadline = Stopwatch()
        var tokens: [String] = []
        while tokens.count < plan.spouts {
            if let token = try Self.token(at: "\(folder)/\(tokens.count)") {
                tokens.append(token)
            } else {
                guard deadline.seconds < 120 else { throw Unexpected("spout s\(tokens.count) does not run") }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        return tokens
    }

    /// What the client's configuration of a launch holds (`clients.md` §1.1); nil while it is not there.
    private static func token(at path: String) throws -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        struct Config: Decodable {
            struct Contexts: Decodable { let contexts: [String: Context] }
            struct Context: Decodable { let session_token: String }
            let v2: Contexts
        }
        return try JSONDecoder().decode(Config.self, from: data).v2.contexts.values.first?.session_token
    }

    /// Commits as they become due, each spout's one after another; those that are late are made at once.
    private func window(
        _ run: Int, _ tokens: [String], _ connections: [Connection]
    ) async throws -> (rate: Double, times: Samples) {
        let count = Int(plan.spoutSeconds * Double(plan.spoutRate)), gap = 1 / Double(plan.spoutRate)
        let directory = plan.directory, watch = Stopwatch()
        let times = try await withThrowingTaskGroup(of: [Double].self) { group in
            for (spout, token) in tokens.enumerated() {
                let connection = connections[spout % connections.count]
                // Spread over the gap, as independent sources are.
                let first = gap * Double(spout) / Double(tokens.count)
                group.addTask {
                    var messages = Messages()
                    var times: [Double] = []
                    for number in 0..<count {
                        let due = first + gap * Double(number)
                        let early = due - watch.seconds
                        if early > 0 { try await Task.sleep(for: .seconds(early)) }
                        let content = messages.with(UInt64(spout << 32 | run << 24 | number)) { Data($0) }
                        let path = Names.path(run * count + number, directory: directory)
                        try await connection.commit(to: "s\(spout)", as: token, path, content)
                        times.append(watch.seconds - due)
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return (Double(times.count) / watch.seconds, Samples(values: times))
    }
}
