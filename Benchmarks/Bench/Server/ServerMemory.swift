import API
import Foundation

/// One server that does all that needs memory, one after the other: small commits, a commit of very many files, reads
/// of all of them, large files, a collection.
struct ServerMemory {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func run() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        for repo in ["files", "small", "large"] { try await connection.makeRepo(repo) }
        let memory = MemoryLine(
            bench, "gRPC: server's resident memory, \(plan.largeTree) files, reads, collections", of: server.process)
        Progress.say("  preparing \(plan.largeTree) files")
        try await fill(connection)
        memory.end("these come in")
        var globbed = line("glob that matches")
        var walked = line("walk of")
        for run in 0..<min(plan.runs, plan.longRuns) {
            try await commits(run, connection)
            memory.end("commits of 1 KiB, 32 writers")
            _ = try await connection.list("/d" + Names.padded(run), of: "files")
            globbed.samples.append(try await read { try await connection.glob("/*/*", of: "files") })
            memory.end("list and glob")
            walked.samples.append(try await read { try await connection.walk("/", of: "files") })
            memory.end("walk")
            try await addAndDrop(run, connection)
            memory.end("large files come in, every second commit is dropped")
            let last = try await connection.collectGarbage()
            memory.end("a collection of \(last.bytesFreed / 1_000_000) MB, \(last.nodes) nodes")
            memory.endRun()
        }
        for line in [globbed, walked] { bench.add(line) }
        memory.show()
        await connection.close()
        server.stop()
    }

    private func line(_ what: String) -> Line {
        Line(name: "gRPC: \(what) \(plan.largeTree) files", unit: "files/s", goal: .none, samples: [])
    }

    private func fill(_ connection: Connection) async throws {
        let (total, directory) = (plan.largeTree, plan.directory)
        try await connection.commit(to: "files") { writer in
            for start in stride(from: 0, to: total, by: 64) {
                try await writer.write(
                    contentsOf: (start..<min(start + 64, total)).map { index in
                        Connection.file(
                            Names.path(index, directory: directory), withUnsafeBytes(of: index) { Data($0) })
                    })
            }
        }
    }

    /// A window of small commits by 32 writers, each to a repo of its own.
    private func commits(_ run: Int, _ connection: Connection) async throws {
        let seconds = plan.window
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<32 {
                let repo = "small-\(run)-\(writer)"
                try await connection.makeRepo(repo)
                group.addTask {
                    let content = Data(Noise.bytes(Messages.size, seed: UInt64(run * 32 + writer)))
                    _ = try await Stopwatch.rate(for: seconds) { number in
                        try await connection.commit(to: repo, "/f\(number)", content)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func read(_ body: () async throws -> Int) async throws -> Sample {
        let ((count, seconds), foreign) = try await bench.window {
            let watch = Stopwatch()
            return (try await body(), watch.seconds)
        }
        guard count >= plan.largeTree else { throw Unexpected("\(count) of \(plan.largeTree) files came back") }
        return Sample(ours: Double(count) / seconds, limit: nil, foreign: foreign)
    }

    /// Large files; the newest goes each second time, so that a collection finds half-dead segments.
    private func addAndDrop(_ run: Int, _ connection: Connection) async throws {
        for number in 0..<plan.removedFrom / 2 {
            let content = Noise.bytes(plan.removedBytes, seed: UInt64(run * plan.removedFrom + number) + 200_000)
            let pieces = content.withUnsafeBytes { ServerBulk.pieces($0, "/f\(run)-\(number)") }
            try await connection.commit(to: "large") { writer in
                for piece in pieces { try await writer.write(piece) }
            }
            if !number.isMultiple(of: 2) { try await connection.dropHead(of: "large") }
        }
    }
}
