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
        // What a program of the server's own user can lead to, it can read itself.
        let root = folder.owner == .server ? nil : folder.folder
        return try await taking(datum, folder.inputs) { taking in
            try await folder.outputs { file in
                switch file.source {
                case .local:
                    try taking.begin(file.path)
                    try file.readLocal(within: root) { try taking.add(raw: $0) }
                case .input(let name, let source):
                    try taking.put(file.path, name: name, source: source)
                }
            }
        }
    }

    /// The same of a worker on another machine, which the server does not take at its word.
    func take(from worker: any FarWorker, _ inputs: [LaidInput], of datum: Digest) async throws -> UInt64 {
        try await taking(datum, inputs) { try await worker.take(to: $0) }
    }

    private func taking(
        _ datum: Digest, _ inputs: [LaidInput], _ body: (Taking) async throws -> Void
    ) async throws -> UInt64 {
        let taking = Taking(output: output, meta: meta, datum: datum, inputs)
        do { try await body(taking) } catch {
            for path in taking.paths { try drop(output: path, of: datum) }
            try meta.deleteAll(below: DatumRecord.outputFolder(of: datum), of: datum)
            throw error
        }
        return taking.bytes
    }

    /// What one datum left, as it comes: into the job's output, and beside its record.
    private final class Taking: TakenSink {
        private let output: JobStream
        private let meta: JobStream
        private let datum: Digest
        private let folder: String
        private let inputs: [String: CommitFiles]
        private(set) var paths: [String] = []
        private(set) var bytes: UInt64 = 0

        init(output: JobStream, meta: JobStream, datum: Digest, _ inputs: [LaidInput]) {
            self.inputs = Dictionary(inputs.map { ($0.name, $0.files) }, uniquingKeysWith: { $1 })
            self.output = output
            self.meta = meta
            self.datum = datum
            folder = DatumRecord.outputFolder(of: datum)
        }

        private func copy(of path: String) -> String { folder + path.dropFirst() }

        func begin(_ path: String) throws {
            paths.append(try FilePath.validated(path))
            try add(raw: UnsafeRawBufferPointer(start: nil, count: 0))
        }

        func add(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try add(raw: $0) } }

        func add(raw bytes: UnsafeRawBufferPointer) throws {
            guard let path = paths.last else { throw SpileError.bug("bytes came before their file") }
            // Each stream stands by itself; large chunks are stored once.
            try output.add(path, of: datum, bytes: bytes)
            try meta.add(copy(of: path), of: datum, bytes: bytes)
            self.bytes += UInt64(bytes.count)
        }

        func add(chunk hash: Digest, length: Int) throws -> Bool {
            guard let path = paths.last else { throw SpileError.bug("a chunk came before its file") }
            guard try output.add(path, of: datum, chunk: hash, length: length) else { return false }
            guard try meta.add(copy(of: path), of: datum, chunk: hash, length: length) else {
                throw SpileError(.unavailable, "a chunk that was stored went away", remedy: "try again")
            }
            bytes += UInt64(length)
            return true
        }

        func put(_ path: String, name: String, source: String) throws {
            paths.append(try FilePath.validated(path))
            guard let view = try inputs[name]?.inspect(source), try output.put(path, of: datum, content: view) else {
                throw SpileError(.failedPrecondition, "input \(name) has no file \(source)")
            }
            _ = try meta.put(copy(of: path), of: datum, content: view)
            bytes += view.size
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
