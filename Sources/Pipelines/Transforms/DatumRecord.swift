import Core

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is kept of a datum that was worked on: the file `/meta/<id>/meta` of its job's meta commit (`pps.md` §9.5).
///
/// A datum that a later job skips keeps the record of the job that worked on it.
package struct DatumRecord: Sendable, Equatable {
    package enum State: String, Sendable {
        /// Its output is in the job's output.
        case processed = "PROCESSED"
        /// It has none, and the job failed.
        case failed = "FAILED"
        /// It has none, but `err_cmd` took care of it: the next job tries it again.
        case recovered = "RECOVERED"
    }

    /// One of the files that it is made of.
    package struct Input: Sendable, Equatable {
        /// The input's name in the spec.
        package var name: String
        package var branch: BranchKey
        package var commit: CommitID
        /// Absolute; a directory's ends in `/`.
        package var path: String
        package var digest: Digest
        package var size: UInt64
        package var joinOn: String
        package var groupBy: String
        package var isOuter: Bool
        package var isLazy: Bool
        package var emptyFiles: Bool

        package var isDirectory: Bool { path.hasSuffix("/") }
    }

    package var id: Digest
    package var job: JobKey
    package var inputs: [Input]
    /// Of the datum with the pipeline's salt: another one has to be worked on again.
    package var hash: Digest
    package var state: State
    package var reason: String
    package var stats: DatumStats
    /// Its place among the datums of its job as they were found, from 0.
    package var index: Int64

    package init(
        id: Digest, job: JobKey, inputs: [Input], hash: Digest, state: State = .processed, reason: String = "",
        stats: DatumStats = DatumStats(), index: Int64 = 0
    ) {
        self.id = id
        self.job = job
        self.inputs = inputs
        self.hash = hash
        self.state = state
        self.reason = reason
        self.stats = stats
        self.index = index
    }

    // MARK: Where it stands in a meta commit

    /// The folder of all records.
    package static let folder = "/meta/"

    package static func path(of id: Digest) -> String { "\(folder)\(id)/meta" }
    /// The folder with what a datum's code saw and left, ending in `/`.
    package static func filesFolder(of id: Digest) -> String { "/pfs/\(id)/" }
    /// The folder in that with what it left in `/pfs/out`, ending in `/`.
    package static func outputFolder(of id: Digest) -> String { "/pfs/\(id)/out/" }

    // MARK: Text

    /// Proto JSON.
    package var text: String { json.text + "\n" }

    private var json: JSONValue {
        .object([
            JSONMember("job", Self.json(job)),
            JSONMember("inputs", .array(inputs.map(Self.json))),
            JSONMember("hash", .string("\(hash)")),
            JSONMember("state", .string(state.rawValue)),
        ] + members)
    }

    private var members: [JSONMember] {
        var members: [JSONMember] = []
        if !reason.isEmpty { members.append(JSONMember("reason", .string(reason))) }
        members.append(
            JSONMember(
                "stats",
                .object([
                    JSONMember("downloadTime", .string(Self.duration(stats.downloadSeconds))),
                    JSONMember("processTime", .string(Self.duration(stats.processSeconds))),
                    JSONMember("uploadTime", .string(Self.duration(stats.uploadSeconds))),
                    JSONMember("downloadBytes", .string("\(stats.downloadBytes)")),
                    JSONMember("uploadBytes", .string("\(stats.uploadBytes)")),
                ])))
        members.append(JSONMember("index", .string("\(index)")))
        return members
    }

    private static func duration(_ seconds: Double) -> String {
        let micros = Int64((max(0, seconds) * 1e6).rounded())
        let rest = String(micros % 1_000_000)
        return "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - rest.count))\(rest)s"
    }

    private static func json(_ job: JobKey) -> JSONValue {
        .object([
            JSONMember(
                "pipeline",
                .object([
                    JSONMember("project", .object([JSONMember("name", .string(job.pipeline.project.name))])),
                    JSONMember("name", .string(job.pipeline.name)),
                ])),
            JSONMember("id", .string("\(job.id)")),
        ])
    }

    private static func json(_ repo: RepoKey) -> JSONValue {
        .object([
            JSONMember("name", .string(repo.name)), JSONMember("type", .string(repo.type.rawValue)),
            JSONMember("project", .object([JSONMember("name", .string(repo.project.name))])),
        ])
    }

    private static func json(_ input: Input) -> JSONValue {
        let branch = JSONValue.object([
            JSONMember("repo", json(input.branch.repo)), JSONMember("name", .string(input.branch.name)),
        ])
        let commit = JSONValue.object([
            JSONMember("repo", json(input.branch.repo)), JSONMember("id", .string("\(input.commit)")),
            JSONMember("branch", branch),
        ])
        var members = [
            JSONMember(
                "fileInfo",
                .object([
                    JSONMember(
                        "file", .object([JSONMember("commit", commit), JSONMember("path", .string(input.path))])),
                    JSONMember("fileType", .string(input.isDirectory ? "DIR" : "FILE")),
                    JSONMember("sizeBytes", .string("\(input.size)")),
                    JSONMember("hash", .string(Data(input.digest.bytes).base64EncodedString())),
                ])),
            JSONMember("name", .string(input.name)),
        ]
        if !input.joinOn.isEmpty { members.append(JSONMember("joinOn", .string(input.joinOn))) }
        if !input.groupBy.isEmpty { members.append(JSONMember("groupBy", .string(input.groupBy))) }
        if input.isOuter { members.append(JSONMember("outerJoin", .bool(true))) }
        if input.isLazy { members.append(JSONMember("lazy", .bool(true))) }
        members.append(JSONMember("branch", .string(input.branch.name)))
        if input.emptyFiles { members.append(JSONMember("emptyFiles", .bool(true))) }
        return .object(members)
    }

    /// Reads the text of the record of datum `id`; nil for what is none.
    package init?(id: Digest, text: String) {
        guard let json = try? SpecDocument.plainJSON(text), let job = JobKey(json["job"]) else { return nil }
        var inputs: [Input] = []
        for element in json["inputs"]?.elements ?? [] {
            guard let input = Input(element) else { return nil }
            inputs.append(input)
        }
        let stats = json["stats"]
        func seconds(_ name: String) -> Double {
            stats?[name]?.string.flatMap(SpecDuration.init)?.seconds ?? 0
        }
        func bytes(_ name: String) -> UInt64 { UInt64(clamping: stats?[name]?.integer ?? 0) }
        self.init(
            id: id, job: job, inputs: inputs, hash: json["hash"]?.string.flatMap(Digest.init(hex:)) ?? .zero,
            state: json["state"]?.string.flatMap(State.init) ?? .processed, reason: json["reason"]?.string ?? "",
            stats: DatumStats(
                downloadSeconds: seconds("downloadTime"), processSeconds: seconds("processTime"),
                uploadSeconds: seconds("uploadTime"), downloadBytes: bytes("downloadBytes"),
                uploadBytes: bytes("uploadBytes")),
            index: json["index"]?.integer ?? 0)
    }
}

extension DatumRecord.Input {
    fileprivate init?(_ json: JSONValue) {
        guard let info = json["fileInfo"], let file = info["file"], let path = file["path"]?.string,
            let repo = RepoKey(file["commit"]?["repo"]),
            let commit = file["commit"]?["id"]?.string.flatMap({ CommitID($0) })
        else { return nil }
        let hash = info["hash"]?.string.flatMap { Data(base64Encoded: $0) }
        let clean = FilePath.clean(path)
        let isDirectory = info["fileType"]?.string == "DIR" || path.hasSuffix("/")
        let branch = json["branch"]?.string ?? file["commit"]?["branch"]?["name"]?.string ?? ""
        self.init(
            name: json["name"]?.string ?? "", branch: repo.branch(branch), commit: commit,
            path: isDirectory && clean != "/" ? clean + "/" : clean,
            digest: hash.flatMap { $0.count == Digest.byteCount ? Digest($0) : nil } ?? .zero,
            size: UInt64(clamping: info["sizeBytes"]?.integer ?? 0), joinOn: json["joinOn"]?.string ?? "",
            groupBy: json["groupBy"]?.string ?? "", isOuter: json["outerJoin"]?.bool ?? false,
            isLazy: json["lazy"]?.bool ?? false, emptyFiles: json["emptyFiles"]?.bool ?? false)
    }
}

extension JobKey {
    fileprivate init?(_ json: JSONValue?) {
        guard let name = json?["pipeline"]?["name"]?.string, let id = json?["id"]?.string.flatMap({ CommitID($0) })
        else { return nil }
        self.init(
            pipeline: PipelineKey(
                project: ProjectKey(json?["pipeline"]?["project"]?["name"]?.string ?? ""), name: name),
            id: id)
    }
}

extension RepoKey {
    fileprivate init?(_ json: JSONValue?) {
        guard let name = json?["name"]?.string else { return nil }
        self.init(
            project: ProjectKey(json?["project"]?["name"]?.string ?? ""), name: name,
            type: json?["type"]?.string.flatMap(RepoType.init) ?? .user)
    }
}
