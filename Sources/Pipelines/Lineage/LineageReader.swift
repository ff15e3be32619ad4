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
            let records = try records(of: commit)
            for id in ids {
                guard let record = try records.readable(id) else {
                    origins.problem = "\(records.files.commit.key) has no record of datum \(id)"
                    continue
                }
                origins.datums.append(record.node)
            }
        } catch let error as SpileError where error.code == .notFound {
            origins.problem = "the records of its datums are gone: \(error.message)"
        }
        return origins
    }

    /// A file with what it came with, unless datums made it.
    func told(_ found: Found, _ origins: Origins) throws -> Lineage.File {
        var file = Lineage.File(commit: found.files.commit.key, path: found.view.path, size: found.view.size)
        file.problem = origins.problem
        if origins.datums.isEmpty && origins.problem.isEmpty { file.source = try source(of: found) }
        return file
    }

    /// What the meta commit in the set of a pipeline's output commit holds. Throws `notFound` where there is none.
    func records(of output: CommitKey) throws -> DatumRecords {
        let meta = CommitHandle(output.repo.of(type: .meta).commit(output.id))
        return DatumRecords(try history.files(meta), largest: Lineage.recordBytes)
    }

    private func source(of found: Found) throws -> Lineage.Source {
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

extension DatumRecord {
    var node: Lineage.Datum { Lineage.Datum(job: job, id: id, state: state) }
    var key: LineageNodes.Key { .datum(job, id) }
}

extension DatumRecord.Input {
    /// As the record names it: the commit, or the set in which it is read.
    var file: CommitKey { branch.repo.commit(commit) }

    /// Whether a file or directory is this one, lies in it, or holds it.
    func touches(_ other: String) -> Bool {
        path == other || isDirectory && FilePath.has(other, prefix: path)
            || other.hasSuffix("/") && FilePath.has(path, prefix: other)
    }
}
