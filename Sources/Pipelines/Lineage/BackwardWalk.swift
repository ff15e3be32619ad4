import Core
import Versioning

/// From a file to the datums that made it, to what those read, and so on.
struct BackwardWalk {
    let reader: LineageReader
    let depth: Int
    /// Datums whose inputs are still to be told, with how many datums lead to them. Their records are read again when
    /// it is their turn: one may name a million files.
    private var queue: [(number: Int, id: Digest, output: CommitKey, depth: Int)] = []

    init(reader: LineageReader, depth: Int) {
        self.reader = reader
        self.depth = depth
    }

    mutating func run(
        from start: LineageReader.Found, _ nodes: inout LineageNodes, _ sees: (RepoKey) throws -> Bool,
        _ deliver: (Lineage.Event) async throws -> Void
    ) async throws {
        _ = try await add(start, depth: 0, &nodes, deliver)
        var first = 0
        while first < queue.count {
            try Task.checkCancellation()
            let (number, id, output, depth) = queue[first]
            first += 1
            if first >= 256 && first * 2 >= queue.count {
                queue.removeFirst(first)
                first = 0
            }
            guard let record = try reader.records(of: output).readable(id) else { continue }
            for input in record.inputs {
                guard try sees(input.branch.repo) else {
                    nodes.noteHidden()
                    continue
                }
                guard let file = try await add(input, depth: depth, &nodes, deliver) else { return }
                nodes.noteEdge()
                try await deliver(.edge(upstream: file, downstream: number, input: input.name))
            }
        }
    }

    /// A file that a datum read; nil where there is no room for it.
    private mutating func add(
        _ input: DatumRecord.Input, depth: Int, _ nodes: inout LineageNodes,
        _ deliver: (Lineage.Event) async throws -> Void
    ) async throws -> Int? {
        do {
            let found = try reader.find(FileReference(commit: CommitHandle(input.file), path: input.path))
            return try await add(found, depth: depth, &nodes, deliver)
        } catch let error as SpileError where error.code == .notFound {
            guard let (number, isNew) = nodes.number(.file(input.file, input.path)) else { return nil }
            let file = Lineage.File(
                commit: input.file, path: input.path, size: 0, problem: "it is gone: \(error.message)")
            if isNew { try await deliver(.file(number, file)) }
            return number
        }
    }

    private mutating func add(
        _ found: LineageReader.Found, depth: Int, _ nodes: inout LineageNodes,
        _ deliver: (Lineage.Event) async throws -> Void
    ) async throws -> Int? {
        guard let (number, isNew) = nodes.number(found.key) else { return nil }
        guard isNew else { return number }
        let origins = try reader.origins(of: found, limit: max(1, nodes.room))
        try await deliver(.file(number, try reader.told(found, origins)))
        if origins.isCutOff || depth >= self.depth && !origins.datums.isEmpty { nodes.noteCut() }
        guard depth < self.depth else { return number }
        for datum in origins.datums {
            guard let (upstream, isNew) = nodes.number(.datum(datum.job, datum.id)) else { break }
            if isNew {
                try await deliver(.datum(upstream, datum))
                queue.append((upstream, datum.id, found.files.commit.key, depth + 1))
            }
            nodes.noteEdge()
            try await deliver(.edge(upstream: upstream, downstream: number, input: ""))
        }
        return number
    }
}
