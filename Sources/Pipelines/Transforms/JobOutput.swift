import Core
import Versioning

/// What one worker of a job has made so far: changes to the job's output and to what is told of its datums. Owned by
/// the worker's task; calls block on disk.
final class JobOutput {
    private let output: JobStream
    private let meta: JobStream

    init(_ history: History) {
        output = JobStream(history)
        meta = JobStream(history)
    }

    /// Ends both; what they hold is durable when it is laid.
    func finish() throws -> Changes { Changes(output: try output.finish(), meta: try meta.finish()) }

    struct Changes: Sendable {
        var output: JobChanges
        var meta: JobChanges
    }

    // MARK: What is no longer

    func drop(output path: String, of datum: Digest) throws { try output.delete(path, of: datum) }

    func dropRecord(of datum: Digest) throws {
        try meta.deleteAll(below: "\(DatumRecord.folder)\(datum)/", of: datum)
        try meta.deleteAll(below: DatumRecord.filesFolder(of: datum), of: datum)
    }

    // MARK: What a datum's code left

    /// Takes what stands in `/pfs/out`; returns the paths and how many bytes they have. Where it throws, nothing of it
    /// stays in the output.
    func take(_ folder: PfsFolder, of datum: Digest) async throws -> UInt64 {
        var paths: [String] = []
        var bytes: UInt64 = 0
        // What a program of the server's own user can lead to, it can read itself.
        let root = folder.owner == .server ? nil : folder.folder
        let inputs = Dictionary(folder.inputs.map { ($0.name, $0.files) }, uniquingKeysWith: { $1 })
        do {
            try await folder.outputs { file in
                paths.append(file.path)
                bytes += try self.take(file, of: datum, within: root, inputs)
            }
        } catch {
            for path in paths { try self.drop(output: path, of: datum) }
            try self.meta.deleteAll(below: DatumRecord.outputFolder(of: datum), of: datum)
            throw error
        }
        return bytes
    }

    private func take(
        _ file: OutputFile, of datum: Digest, within root: String?, _ inputs: [String: CommitFiles]
    ) throws -> UInt64 {
        let copy = DatumRecord.outputFolder(of: datum) + file.path.dropFirst()
        switch file.source {
        case .local(_, let size):
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            try output.add(file.path, of: datum, bytes: nothing)
            try meta.add(copy, of: datum, bytes: nothing)
            // Twice, so that each stream stands by itself; large chunks are stored once.
            try file.readLocal(within: root) { try output.add(file.path, of: datum, bytes: $0) }
            try file.readLocal(within: root) { try meta.add(copy, of: datum, bytes: $0) }
            return size
        case .input(let name, let path):
            guard let view = try inputs[name]?.inspect(path), try output.put(file.path, of: datum, content: view) else {
                throw SpileError(.failedPrecondition, "input \(name) has no file \(path)")
            }
            _ = try meta.put(copy, of: datum, content: view)
            return view.size
        }
    }

    // MARK: What is told of a datum

    /// Keeps the record and what the code saw, the files by reference.
    func keep(
        _ record: DatumRecord, variables: [(name: String, value: String)], inputs: [LaidInput]
    ) async throws {
        func write(_ text: String, to path: String) throws {
            try Array(text.utf8).withUnsafeBytes { try meta.add(path, of: record.id, bytes: $0) }
        }
        try write(record.text, to: DatumRecord.path(of: record.id))
        let folder = DatumRecord.filesFolder(of: record.id)
        try write(PfsFolder.text(of: variables), to: folder + ".env")
        for input in inputs {
            try await input.files.walk(input.path) { view in
                _ = try self.meta.put("\(folder)\(input.name)\(view.path)", of: record.id, content: view)
                return true
            }
        }
    }
}
