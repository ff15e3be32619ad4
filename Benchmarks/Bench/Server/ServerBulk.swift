import API
import Foundation
import GRPCCore

/// Much data at once over gRPC, in and out, and the server's memory meanwhile.
struct ServerBulk {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func largeFile() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        try await connection.makeRepo("bulk")
        let megabytes = Double(plan.largeFile) / 1e6
        var into = Line(
            name: "gRPC: large file in, durable", unit: "MB/s", limit: "min(w, 0.6 h)", goal: .atLeast(0.8),
            samples: [])
        var memory = Line(
            name: "gRPC: server's resident memory meanwhile", unit: "MiB", goal: .atMost(256), samples: [],
            remark: "peak")
        var out = Line(name: "gRPC: large file out", unit: "MB/s", limit: "w", goal: .none, samples: [])
        for run in 0..<plan.runs {
            let content = Noise.bytes(plan.largeFile, seed: 300 + UInt64(run))
            let path = "/large\(run)"
            let pieces = content.withUnsafeBytes { Self.pieces($0, path) }
            ProcessFigures.forgetPeak(of: server.process)
            var write = 0.0
            let ((speed, limit), foreign) = try await bench.window {
                write = try content.withUnsafeBytes { try bench.limits.sequentialWrite($0) }
                let hash = await bench.limits.hash()
                let watch = Stopwatch()
                try await connection.commit(to: "bulk") { writer in
                    for piece in pieces { try await writer.write(piece) }
                }
                return (megabytes / watch.seconds, min(write, 0.6 * hash))
            }
            into.samples.append(Sample(ours: speed, limit: limit, foreign: foreign))
            memory.samples.append(
                Sample(ours: ProcessFigures.peakResident(of: server.process) / 1_048_576, limit: nil, foreign: foreign))
            let (reading, noise) = try await bench.window {
                let watch = Stopwatch()
                let size = try await connection.read(path, of: "bulk")
                guard size == plan.largeFile else { throw Unexpected("\(size) bytes of \(plan.largeFile) came back") }
                return megabytes / watch.seconds
            }
            out.samples.append(Sample(ours: reading, limit: write, foreign: noise))
        }
        for line in [into, memory, out] { bench.add(line) }
        await connection.close()
        server.stop()
    }

    func manyFiles() async throws {
        let server = try ServerProcess(bench, data: try bench.newFolder("server"))
        let connection = try Connection(port: server.port)
        try await connection.makeRepo("many")
        let plan = plan
        try await bench.measure(
            "gRPC: \(plan.files) files of 1 KiB, one stream", unit: "files/s", goal: .atLeast(100_000)
        ) { run in
            let content = Noise.bytes(plan.files * Messages.size, seed: 400 + UInt64(run))
            let messages = content.withUnsafeBytes { bytes in
                (0..<plan.files).map { index in
                    let start = index * Messages.size
                    let path = "/run\(run)" + Names.path(index, directory: plan.directory)
                    return Connection.file(path, Data(bytes[start..<start + Messages.size]))
                }
            }
            let watch = Stopwatch()
            try await connection.commit(to: "many") { writer in
                // A few dozen messages a write, as a client does that reads many small files.
                for start in stride(from: 0, to: messages.count, by: 64) {
                    try await writer.write(contentsOf: messages[start..<min(start + 64, messages.count)])
                }
            }
            return (Double(plan.files) / watch.seconds, nil)
        }
        await connection.close()
        server.stop()
    }

    /// Messages of 1 MiB that make up a file.
    static func pieces(_ content: UnsafeRawBufferPointer, _ path: String) -> [PfsV2_ModifyFileRequest] {
        stride(from: 0, to: content.count, by: 1 << 20).map { start in
            Connection.file(path, Data(content[start..<min(start + 1 << 20, content.count)]))
        }
    }
}
