import Core
import Versioning

/// What the walks of a lineage ask of history. Blocks on disk.
struct LineageReader {
    let history: History

    /// A file as it stands in a commit.
    struct Found {
        var files: CommitFiles
        var view: FileView

        var key: LineageNodes.Key { .file(files.commit.key, view.path) }
        var file: Lineage.File { Lineage.File(commit: files.commit.key, path: view.path, size: view.size) }
    }

    /// Throws `notFound` where the commit or the file is not there.
    func find(_ file: FileReference) throws -> Found {
        let files = try history.files(file.commit, datum: file.datum)
        guard let view = try files.inspect(file.path) else { throw SpileError.fileNotFound(file) }
        return Found(files: files, view: view)
    }

    /// The datums that made a file; none for a source file.
    struct Origins {
        var datums: [Lineage.Datum] = []
        var problem = ""
        /// Whether there are more datums than were asked for.
        var isCutOff = false
    }

    /// Finds at most `limit` datums that wrote a file or what is in a directory.
    func origins(of found: Found, limit: Int) throws -> Origins {
        let commit = found.files.commit.key
        guard commit.repo.type == .user, try history.read({ try $0.repo(commit.repo.of(type: .meta)) }) != nil else {
            return Origins()
        }
        let tags = try found.files.datums(at: found.view.path, limit: limit + 1)
        let ids = tags.compactMap { Digest(hex: $0) }.prefix(limit)
        var origins = Origins(isCutOff: tags.count > limit)
        if ids.isEmpty { return origins }
        do {
            let meta = try metaFiles(of: commit)
            for id in ids {
                guard let record = try record(of: id, in: meta) else {
                    origins.problem = "\(meta.commit.key) has no record of datum \(id)"
                    continue
                }
                origins.datums.append(record.node)
            }
        } catch let error as SpileError where error.code == .notFound {
            origins.problem = "the records of its datums are gone: \(error.message)"
        }
        return origins
    }

    /// The files of a pipeline's meta commit in the set of one of its output commits.
    func metaFiles(of output: CommitKey) throws -> CommitFiles {
        try history.files(CommitHandle(output.repo.of(type: .meta).commit(output.id)))
    }

    /// What a meta commit says of a datum; nil where it has no record that can be read.
    func record(of id: Digest, in meta: CommitFiles) throws -> LineageRecord? {
        guard let view = try meta.inspect("/meta/\(id)/meta"), view.size <= Lineage.recordBytes else { return nil }
        guard let entry = view.entry else { return nil }
        var bytes: [UInt8] = []
        var reader = meta.store.reader(entry)
        while let piece = try reader.next(maxBytes: Self.pieceBytes) { bytes += piece }
        return LineageRecord(id: id, bytes)
    }

    private static let pieceBytes = 256 << 10

    /// What a source file came with.
    func source(of found: Found) throws -> Lineage.Source {
        let commit = found.files.commit
        let change = try history.lastChange(of: found.view.path, upTo: commit, limit: Lineage.searched)
        let origin = change ?? commit
        let key = PipelineKey(project: commit.key.repo.project, name: commit.key.repo.name)
        let isSpout = try history.read { try $0.pipeline(key)?.kind == .spout }
        return Lineage.Source(
            commit: origin.key, started: origin.started, metadata: origin.metadata, spout: isSpout ? key : nil,
            isSearchCutOff: change == nil)
    }
}
