import Core
import Versioning

/// From a file to the datums that read it, to what those wrote, and so on: job by job, in the order in which their
/// output commits were made, so that each job is looked at once, with all that leads to it.
struct ForwardWalk {
    /// Up to so many files are sought in a meta commit by their place in it; for more, all records are read.
    static let mostSought = 8

    private struct Traced {
        var path: String
        var number: Int
        /// How many datums lead to it.
        var depth: Int
    }

    /// The files of a repo's commit that the walk has come to.
    private struct Frontier {
        var repo: RepoKey
        var files: [Traced] = []
    }

    let reader: LineageReader
    let depth: Int
    private var frontiers: [Int64: Frontier] = [:]
    /// Commits that derive from one of them and are still to be looked at.
    private var pending: Set<Int64> = []

    init(reader: LineageReader, depth: Int) {
        self.reader = reader
        self.depth = depth
    }

    mutating func run(
        from start: LineageReader.Found, _ nodes: inout LineageNodes, _ sees: (RepoKey) throws -> Bool,
        _ deliver: (Lineage.Event) async throws -> Void
    ) async throws {
        guard let (number, _) = nodes.number(start.key) else { return }
        try await deliver(.file(number, try reader.told(start, reader.origins(of: start, limit: 1))))
        let commit = start.files.commit
        frontiers[commit.sequence] = Frontier(
            repo: commit.key.repo, files: [Traced(path: start.view.path, number: number, depth: 0)])
        try addDerived(of: commit.sequence)
        // A commit derives from older ones only: what leads to the oldest that is pending is known by now.
        while let next = pending.min() {
            try Task.checkCancellation()
            pending.remove(next)
            guard let output = try reader.history.read({ try $0.commit(sequence: next) }) else { continue }
            guard try await look(into: output, &nodes, sees, deliver) else { return }
            if frontiers[next] != nil { try addDerived(of: next) }
        }
    }

    private mutating func addDerived(of sequence: Int64) throws {
        var cursor: Int64?
        repeat {
            let page = try reader.history.read { try $0.derived(from: sequence, beyond: cursor, limit: 1000) }
            pending.formUnion(page)
            cursor = page.last
        } while cursor != nil
    }

    /// Follows what leads into a job's output commit; false where there is no room for more.
    private mutating func look(
        into output: CommitRecord, _ nodes: inout LineageNodes, _ sees: (RepoKey) throws -> Bool,
        _ deliver: (Lineage.Event) async throws -> Void
    ) async throws -> Bool {
        let repo = output.key.repo
        guard repo.type == .user, output.isFinished, output.error.isEmpty else { return true }
        let sources = output.provenance.compactMap { frontiers[$0] }
        let records: DatumRecords
        do {
            records = try reader.records(of: output.key)
        } catch let error as SpileError where error.code == .notFound {
            return true
        }
        guard try sees(repo) else {
            nodes.noteHidden()
            return true
        }
        let files = try reader.history.files(CommitHandle(output.key))
        let search = try MetaSearch(records: records, names: inputNames(of: output))
        var goesOn = true
        try await records.each { id in
            try Task.checkCancellation()
            goesOn = try await follow(id, search, sources, into: files, &nodes, deliver)
            return goesOn
        }
        return goesOn
    }

    /// One datum of a job: tells of it, if it read what the walk has come to, and of what it wrote.
    private mutating func follow(
        _ id: Digest, _ search: MetaSearch, _ sources: [Frontier], into output: CommitFiles,
        _ nodes: inout LineageNodes, _ deliver: (Lineage.Event) async throws -> Void
    ) async throws -> Bool {
        let wanted = sources.map { ($0.repo, $0.files.map(\.path)) }
        guard let record = try search.record(of: id, reading: wanted), record.state != .failed else { return true }
        var reads: [(input: String, file: Traced)] = []
        for source in sources {
            for input in record.inputs where input.branch.repo == source.repo {
                reads += source.files.filter { input.touches($0.path) }.map { (input.name, $0) }
            }
        }
        guard let nearest = reads.map(\.file.depth).min() else { return true }
        guard nearest < depth else {
            nodes.noteCut()
            return true
        }
        guard let (datum, isNew) = nodes.number(record.key) else { return false }
        if isNew { try await deliver(.datum(datum, record.node)) }
        for read in reads {
            nodes.noteEdge()
            try await deliver(.edge(upstream: read.file.number, downstream: datum, input: read.input))
        }
        return try await tell(of: record, number: datum, depth: nearest + 1, search, in: output, &nodes, deliver)
    }

    private mutating func tell(
        of record: DatumRecord, number: Int, depth: Int, _ search: MetaSearch, in output: CommitFiles,
        _ nodes: inout LineageNodes, _ deliver: (Lineage.Event) async throws -> Void
    ) async throws -> Bool {
        let commit = output.commit
        var goesOn = true
        try await search.records.outputs(of: record.id) { path in
            // Only what came into the commit.
            guard let view = try output.inspect(path), !view.isDirectory else { return true }
            guard let (file, isNew) = nodes.number(.file(commit.key, path)) else {
                goesOn = false
                return false
            }
            if isNew {
                try await deliver(.file(file, Lineage.File(commit: commit.key, path: path, size: view.size)))
                frontiers[commit.sequence, default: Frontier(repo: commit.key.repo)].files.append(
                    Traced(path: path, number: file, depth: depth))
            }
            nodes.noteEdge()
            try await deliver(.edge(upstream: number, downstream: file, input: ""))
            return true
        }
        return goesOn
    }

    /// How the job's pipeline calls the repos that it reads; nil where that is not known any more.
    private func inputNames(of output: CommitRecord) throws -> [RepoKey: [String]]? {
        let key = PipelineKey(project: output.key.repo.project, name: output.key.repo.name)
        return try reader.history.read { catalog in
            guard let job = try catalog.job(JobKey(pipeline: key, id: output.key.id)),
                let pipeline = try catalog.pipeline(key, version: job.version)
            else { return nil }
            var names: [RepoKey: [String]] = [:]
            for leaf in try PipelineSpec(canonical: pipeline.effectiveSpec).inputLeaves {
                names[leaf.branch.repo, default: []].append(leaf.name)
            }
            return names
        }
    }
}

/// Finds the datums of one meta commit that read some files, with as few records read as can be.
struct MetaSearch {
    let records: DatumRecords
    /// Names of the inputs by repo; nil where they are not known.
    let names: [RepoKey: [String]]?

    /// A datum's record, unless it is plain without it that the datum read none of `files`.
    func record(of id: Digest, reading files: [(repo: RepoKey, paths: [String])]) throws -> DatumRecord? {
        guard try mayRead(id, files) else { return nil }
        return try records.readable(id)
    }

    /// By what the meta commit holds at `/pfs/<id>/<input>/<path>`: without an input's folder nothing is known of it.
    private func mayRead(_ id: Digest, _ files: [(repo: RepoKey, paths: [String])]) throws -> Bool {
        guard let names, files.reduce(0, { $0 + $1.paths.count }) <= ForwardWalk.mostSought else { return true }
        for (repo, paths) in files {
            for name in names[repo] ?? [] {
                let folder = DatumRecord.filesFolder(of: id) + name
                for path in paths where try records.files.inspect(folder + path) != nil { return true }
                if try records.files.inspect(folder) == nil { return true }
            }
        }
        return false
    }
}
