/// How long a server takes to be ready on a data folder that holds a long history.
struct ServerStart {
    let bench: Workbench

    func run(on folder: String) async throws {
        try await bench.measure(
            "server start on \(bench.plan.longHistory) commits", unit: "s", goal: .atMost(1)
        ) { _ in
            let server = try ServerProcess(bench, data: folder)
            server.stop()
            return (server.startSeconds, nil)
        }
    }
}
