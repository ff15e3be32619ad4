import Backends
import Core
import Logging
import Simulation
import Storage
import Versioning

@testable import Pipelines

/// Repos and what pipelines would leave behind: output and meta commits, written by the server's own authority.
final class LineageScene: Sendable {
    let folder = TemporaryFolder()
    let history: History

    /// What one datum read and wrote.
    struct Work {
        var id: Digest
        var inputs: [(name: String, commit: CommitKey, path: String)]
        /// Paths and contents.
        var outputs: [String: String]
        /// The job that processed it, if it was an earlier one.
        var job: CommitID?
        var state = DatumRecord.State.processed

        init(
            _ number: UInt64, _ inputs: [(name: String, commit: CommitKey, path: String)],
            _ outputs: [String: String] = [:], job: CommitID? = nil, state: DatumRecord.State = .processed
        ) {
            id = Digest(words: (number, 0, 0, 1))
            self.inputs = inputs
            self.outputs = outputs
            self.job = job
            self.state = state
        }
    }

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(stepNanoseconds: 1000), randomness: SeededRandomness(seed: 9),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    func repo(_ name: String) async throws -> RepoKey {
        let key = RepoKey(name: name)
        try await history.transact(as: .server) { try $0.createRepo(key, description: "", update: false) }
        return key
    }

    /// The output and the meta repo of a pipeline that reads the branches `master` of some repos, each under a name.
    /// With `isKnown`, it has its row, too, and so gets jobs.
    func pipeline(
        _ name: String, reads named: [(name: String, repo: RepoKey)], isKnown: Bool
    ) async throws -> RepoKey {
        let key = RepoKey(name: name)
        let inputs = named.map(\.repo)
        let leaves = named.map { #"{"pfs":{"name":"\#($0.name)","repo":"\#($0.repo.name)","glob":"/*"}}"# }
        let spec = """
            {"pipeline":{"project":{"name":"default"},"name":"\(name)"},"transform":{"cmd":["true"]},\
            "input":{"cross":[\(leaves.joined(separator: ","))]}}
            """
        try await history.transact(as: .server) { transaction in
            if isKnown {
                let now = transaction.now
                try transaction.catalog.put(
                    PipelineRecord(
                        key: PipelineKey(name: name), version: 1, specCommit: CommitID(randomHigh: 1, randomLow: 1),
                        kind: .transform, userSpec: spec, effectiveSpec: spec, createdAt: now, updatedAt: now))
            }
            for type in [RepoType.user, .meta] {
                try transaction.createRepo(key.of(type: type), description: "", update: false)
                var change = BranchChange()
                change.provenance = inputs.map { $0.branch("master") }
                try transaction.createBranch(key.of(type: type).branch("master"), change)
                // What a branch that derives from others begins with is for its first job.
                for commit in try transaction.openCommits(in: key.of(type: type)) {
                    _ = try transaction.finishCommit(
                        CommitHandle(commit.key), description: "", error: "", force: true)
                }
            }
        }
        return key
    }

    /// One commit of a source repo.
    @discardableResult
    func commit(
        _ files: [String: String], to repo: RepoKey, metadata: [String: String] = [:]
    ) async throws -> CommitKey {
        var terms = WriteTerms()
        terms.metadata = metadata
        let upload = try Upload(to: CommitHandle(repo.branch("master")), in: history, as: .user(""), terms)
        for (path, text) in files.sorted(by: { $0.key < $1.key }) { try upload.put(path, text, datum: "") }
        return try await upload.finish()
    }

    /// Fills and finishes the commits of a job: what the datums before it left is inherited.
    @discardableResult
    func run(
        _ pipeline: RepoKey, _ set: CommitID, _ work: [Work], hasRecords: Bool = true
    ) async throws -> CommitKey {
        let (output, meta) = (pipeline.commit(set), pipeline.of(type: .meta).commit(set))
        var laid: [(tag: String, path: String)] = []
        for datum in work where hasRecords {
            for input in datum.inputs {
                for path in try await files(input.commit, input.path) {
                    laid.append(("\(datum.id)", "/pfs/\(datum.id)/\(input.name)\(path)"))
                }
            }
        }
        let inputs = laid
        try await write(to: meta) { upload in
            for datum in work where hasRecords {
                let tag = "\(datum.id)"
                try upload.put("/meta/\(tag)/meta", Self.record(datum, of: pipeline, set), datum: tag)
                for (path, text) in datum.outputs { try upload.put("/pfs/\(tag)/out\(path)", text, datum: tag) }
            }
            for input in inputs { try upload.put(input.path, "", datum: input.tag) }
        }
        try await write(to: output) { upload in
            for datum in work {
                for (path, text) in datum.outputs { try upload.put(path, text, datum: "\(datum.id)") }
            }
        }
        try await history.transact(as: .server) {
            // The other one is closed with it.
            _ = try $0.finishCommit(CommitHandle(output), description: "", error: "", force: true)
        }
        return output
    }

    /// The file at a path, or those below it; the path itself where the commit is gone.
    private func files(_ commit: CommitKey, _ path: String) async throws -> [String] {
        guard let files = try? history.files(CommitHandle(commit)) else { return [path] }
        var paths: [String] = []
        try await files.walk(path) {
            if !$0.isDirectory { paths.append($0.path) }
            return true
        }
        return paths
    }

    private func write(to commit: CommitKey, _ body: (Upload) throws -> Void) async throws {
        let upload = try Upload(to: CommitHandle(commit), in: history, as: .server)
        try body(upload)
        _ = try await upload.finish()
    }

    private static func record(_ work: Work, of pipeline: RepoKey, _ set: CommitID) -> String {
        let inputs = work.inputs.map { input in
            """
            {"fileInfo":{"file":{"commit":{"repo":{"name":"\(input.commit.repo.name)","type":"user",\
            "project":{"name":"default"}},"id":"\(input.commit.id)"},"path":"\(input.path)"},\
            "fileType":"\(input.path.hasSuffix("/") ? "DIR" : "FILE")"},"name":"\(input.name)"}
            """
        }
        return """
            {"job":{"pipeline":{"project":{"name":"default"},"name":"\(pipeline.name)"},"id":"\(work.job ?? set)"},\
            "inputs":[\(inputs.joined(separator: ","))],"state":"\(work.state.rawValue)"}
            """
    }

    /// The walk as lines: `number file`, `number datum`, `upstream > downstream input`.
    func trace(
        _ commit: CommitKey, _ path: String, forward: Bool = false, mostNodes: Int = 0, depth: Int = 0,
        sees: (RepoKey) -> Bool = { _ in true }
    ) async throws -> LineageTold {
        var told = LineageTold()
        let query = Lineage.Query(
            file: FileReference(commit: CommitHandle(commit), path: path), isForward: forward, mostNodes: mostNodes,
            depth: depth)
        try await Lineage(history: history).trace(query, sees: sees) { told.events.append($0) }
        return told
    }
}

extension Upload {
    fileprivate func put(_ path: String, _ text: String, datum: String) throws {
        try delete(path: path, datum: datum)
        try Array(text.utf8).withUnsafeBytes { try add(path: path, datum: datum, bytes: $0) }
    }
}

/// What a walk told.
struct LineageTold {
    var events: [Lineage.Event] = []

    var files: [Int: Lineage.File] {
        events.reduce(into: [:]) { if case .file(let number, let file) = $1 { $0[number] = file } }
    }

    var datums: [Int: Lineage.Datum] {
        events.reduce(into: [:]) { if case .datum(let number, let datum) = $1 { $0[number] = datum } }
    }

    var summary: Lineage.Summary? { if case .end(let summary) = events.last { summary } else { nil } }

    /// Edges by names: `repo:path -input-> #datum` and `#datum -> repo:path`, sorted.
    var edges: [String] {
        let (files, datums) = (files, datums)
        func name(_ number: Int) -> String {
            if let file = files[number] { return "\(file.commit.repo.name):\(file.path)" }
            return datums[number].map { "\($0.job.pipeline.name)#\($0.id.words.0)" } ?? "?"
        }
        return events.compactMap { event in
            guard case .edge(let upstream, let downstream, let input) = event else { return nil }
            return "\(name(upstream)) -\(input)-> \(name(downstream))"
        }.sorted()
    }

    /// Whether each edge names nodes that came before it.
    var isInOrder: Bool {
        var known: Set<Int> = []
        for event in events {
            switch event {
            case .file(let number, _), .datum(let number, _): known.insert(number)
            case .edge(let upstream, let downstream, _):
                if !known.isSuperset(of: [upstream, downstream]) { return false }
            case .end: break
            }
        }
        return true
    }

    func file(_ repo: String, _ path: String) -> Lineage.File? {
        files.values.first { $0.commit.repo.name == repo && $0.path == path }
    }
}
