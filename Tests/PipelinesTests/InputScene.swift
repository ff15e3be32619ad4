import Backends
import Core
import Foundation
import Logging
import Simulation
import Storage
import Versioning

@testable import Pipelines

/// A history with one repo, and a place to lay files of it out.
final class InputScene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let branch = RepoKey(project: ProjectKey("default"), name: "in").branch("master")
    let user = Principal.user("")

    init() async throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(), randomness: SeededRandomness(seed: 5),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await history.transact(as: user) { try $0.createRepo(self.branch.repo, description: "", update: false) }
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    /// Makes a commit that adds `files`, and gives an input of it.
    func commit(_ files: [String: String]) async throws {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: user)
        for (path, text) in files {
            try Array(text.utf8).withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
        }
        _ = try await upload.finish()
    }

    func input(_ path: String = "/", name: String = "in", form: LaidInput.Form = .content) throws -> LaidInput {
        LaidInput(name: name, files: try history.files(CommitHandle(branch)), path: path, form: form)
    }

    func lay(
        _ inputs: [LaidInput], variables: [(name: String, value: String)] = [], owner: PfsOwner = .server
    ) async throws -> PfsFolder {
        try await PfsFolder.lay(inputs, variables: variables, at: folder.path + "/datum", owner: owner)
    }

    func outputs(_ pfs: PfsFolder) async throws -> [OutputFile] {
        var files: [OutputFile] = []
        try await pfs.outputs { files.append($0) }
        return files
    }
}

extension PfsFolder {
    func text(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    func write(_ text: String, to name: String) throws {
        let url = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path + "/" + name, withDestinationPath: target)
    }

    /// Everything below a folder, in order, folders with a `/` behind.
    func tree(_ name: String = "") throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path + "/" + name).map { item in
            var isFolder: ObjCBool = false
            FileManager.default.fileExists(atPath: "\(path)/\(name)/\(item)", isDirectory: &isFolder)
            return isFolder.boolValue ? item + "/" : item
        }.sorted()
    }
}

/// Runs what blocks on a thread of its own.
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}
