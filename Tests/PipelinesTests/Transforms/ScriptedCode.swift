import Core
import Foundation
import Simulation
import Synchronization

/// What a program of a test sees of its launch and does in it.
struct ScriptedRun {
    let order: LaunchOrder

    var pipeline: String { order.pipeline.name }
    var variables: [String: String] { Dictionary(uniqueKeysWithValues: order.environment.map { ($0.name, $0.value) }) }
    var datum: String { variables["PACH_DATUM_ID"] ?? "" }
    private var root: String { order.pfsFolder ?? "/nowhere" }

    /// The content of each file below `/pfs`, by its path in there without `/` in front; `out` and `.env` are left out.
    func inputs() throws -> [String: String] {
        var files: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
            if path == ".env" || path == "out" || path.hasPrefix("out/") { continue }
            var isFolder: ObjCBool = false
            FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder)
            if !isFolder.boolValue { files[path] = try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) }
        }
        return files
    }

    /// Writes a file below `/pfs/out`.
    func put(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: "\(root)/out/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
    }
}

/// True for the first who asks.
final class FirstTime: Sendable {
    private let isLeft = Atomic(true)
    func take() -> Bool { isLeft.exchange(false, ordering: .relaxed) }
}

extension ScriptedLauncher {
    /// Sets what programs do. See ``setCode(_:)``.
    func play(_ body: @escaping @Sendable (ScriptedRun) throws -> LaunchExit?) {
        setCode { try body(ScriptedRun(order: $0)) }
    }

    /// Copies each file it sees to the same path below its input, with the pipeline's name before the content.
    static let marking: @Sendable (ScriptedRun) throws -> LaunchExit? = { run in
        for (path, text) in try run.inputs() {
            let name = path.split(separator: "/", maxSplits: 1).last.map(String.init) ?? path
            try run.put(name, run.pipeline + ":" + text)
        }
        return .exited(code: 0)
    }
}
