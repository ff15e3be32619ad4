import Core

/// What lineage needs of a datum's record (`/meta/<id>/meta`, `pps.md` §9.5).
struct LineageRecord {
    struct Input {
        var name: String
        /// As the record names it: the commit, or the set in which it is read.
        var commit: CommitKey
        /// Absolute; a directory's ends in `/`.
        var path: String

        var repo: RepoKey { commit.repo }

        /// Whether a file or directory is this one, lies in it, or holds it.
        func touches(_ other: String) -> Bool {
            path == other || path.hasSuffix("/") && FilePath.has(other, prefix: path)
                || other.hasSuffix("/") && FilePath.has(path, prefix: other)
        }
    }

    var id: Digest
    var job: JobKey
    var state: String
    var inputs: [Input]

    /// Reads a record; nil for what is none, or names no file somewhere.
    init?(id: Digest, _ bytes: [UInt8]) {
        guard let record = DatumRecord(id: id, text: String(decoding: bytes, as: UTF8.self)) else { return nil }
        self.id = id
        job = record.job
        state = record.state.rawValue
        inputs = record.inputs.map {
            Input(name: $0.name, commit: $0.branch.repo.commit($0.commit), path: $0.path)
        }
    }

    var node: Lineage.Datum { Lineage.Datum(job: job, id: id, state: state) }
    var key: LineageNodes.Key { .datum(job, id) }
}
