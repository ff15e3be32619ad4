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
        guard let node = try? SpecDocument.plainJSON(String(decoding: bytes, as: UTF8.self)),
            let name = node["job"]?["pipeline"]?["name"]?.string,
            let job = node["job"]?["id"]?.string.flatMap({ CommitID($0) })
        else { return nil }
        let project = ProjectKey(node["job"]?["pipeline"]?["project"]?["name"]?.string ?? "")
        self.id = id
        self.job = JobKey(pipeline: PipelineKey(project: project, name: name), id: job)
        state = node["state"]?.string ?? ""
        let nodes = node["inputs"]?.elements ?? []
        inputs = nodes.compactMap(Self.input)
        if inputs.count < nodes.count { return nil }
    }

    var node: Lineage.Datum { Lineage.Datum(job: job, id: id, state: state) }
    var key: LineageNodes.Key { .datum(job, id) }

    private static func input(_ node: JSONValue) -> Input? {
        guard let info = node["fileInfo"], let file = info["file"], let path = file["path"]?.string,
            let commit = file["commit"], let repo = commit["repo"], let name = repo["name"]?.string,
            let id = commit["id"]?.string.flatMap({ CommitID($0) })
        else { return nil }
        let key = RepoKey(
            project: ProjectKey(repo["project"]?["name"]?.string ?? ""), name: name,
            type: repo["type"]?.string.flatMap { RepoType(rawValue: $0) } ?? .user)
        let clean = FilePath.clean(path)
        let isDirectory = info["fileType"]?.string == "DIR" || path.hasSuffix("/")
        return Input(
            name: node["name"]?.string ?? "", commit: key.commit(id),
            path: isDirectory && clean != "/" ? clean + "/" : clean)
    }
}
