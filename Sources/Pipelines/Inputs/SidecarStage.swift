import Core
import Synchronization
import Versioning

/// `/pfs` of a worker that runs on another machine than its server, beside which its sidecar stands. What comes and
/// goes is laid out at its place and read from there, one datum at a time.
package final class SidecarStage: SidecarFiles {
    private struct State {
        var layer: InputLayer
        var feeder: LazyFeeder?
    }

    private let stage: PfsStage
    private let state: Mutex<State>

    /// `folder`: the one that has `pfs` in it, as code sees it at `/pfs`; nothing else is there. Whoever code runs as
    /// has to be able to read and write it.
    package init(folder: String) throws {
        stage = PfsStage(folder: folder, owner: .everybody)
        state = Mutex(State(layer: InputLayer(root: stage.path, owner: .everybody)))
        try stage.makeScratch()
    }

    package var scratch: String { stage.scratch }

    package func keep(_ files: [WorkerFile]) throws -> [String] { try stage.keep(files) }

    package func lay(_ piece: LaidPiece) throws { try state.withLock { try $0.layer.lay(piece) } }

    package func finishLaying(_ content: @escaping LazyContent) throws {
        try state.withLock { state in
            try state.layer.finish()
            if state.layer.lazyFiles.isEmpty { return }
            let feeder = try LazyFeeder(state.layer.lazyFiles, content: content)
            feeder.start()
            state.feeder = feeder
        }
    }

    package func take(to sink: any TakenSink) async throws {
        let (feeder, marks, nodes) = state.withLock {
            ($0.feeder, $0.layer.marks, Set($0.layer.lazyFiles.map(\.node)))
        }
        try await feeder?.end()
        let walk = OutputWalk(
            view: PfsView(folder: stage.folder), marks: marks, lazyNodes: nodes, followsLinksOut: false)
        try await walk.run { file in
            switch file.source {
            case .input(let name, let source): try sink.put(file.path, name: name, source: source)
            case .local: try take(file, to: sink)
            }
        }
    }

    private func take(_ file: OutputFile, to sink: any TakenSink) throws {
        var cutter = FileCutter()
        try sink.begin(file.path)
        try file.readLocal(within: stage.path) { bytes in
            try cutter.take(bytes) { chunk in
                if try !sink.add(chunk: chunk.hash, length: chunk.bytes.count) { try sink.add(chunk.bytes) }
            }
        }
        let rest = cutter.finish()
        if !rest.isEmpty { try sink.add(rest) }
    }

    package func clear() async throws {
        let feeder = state.withLock { state in
            defer { state = State(layer: InputLayer(root: stage.path, owner: .everybody)) }
            return state.feeder
        }
        // What kept a lazy file from being read is told when the files are taken.
        try? await feeder?.end()
        try stage.clear()
    }
}
