import Storage
import Versioning

/// How fast a collection finds what is alive: a dry run over a large tree and the commits after it.
struct EngineMarking {
    let bench: Workbench

    func run(_ engine: Engine) async throws {
        let memory = MemoryLine(bench, "engine: resident memory, marking \(bench.plan.largeTree) files")
        var nodes = Line(name: "engine: collection, trees marked", unit: "nodes/s", goal: .none, samples: [])
        var bytes = Line(name: "engine: collection, trees read", unit: "MB/s", goal: .none, samples: [])
        for _ in 0..<bench.plan.runs {
            let before = engine.history.store.statistics().bytesRead
            let (collection, foreign) = try await bench.window { try Collection(engine, dryRun: true) }
            let read = Double(engine.history.store.statistics().bytesRead - before) / 1e6
            nodes.samples.append(
                Sample(ours: Double(collection.report.nodes) / collection.marking, limit: nil, foreign: foreign))
            bytes.samples.append(Sample(ours: read / collection.marking, limit: nil, foreign: foreign))
            memory.end("\(collection.report.nodes) nodes marked")
            memory.endRun()
        }
        for line in [nodes, bytes] { bench.add(line) }
        memory.show()
    }
}
