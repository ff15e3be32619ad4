import Core

/// Names and labels of a pipeline's objects (`pps.md` §5.1).
struct KubernetesNames: Sendable {
    static let ownerLabel = "spile.io/owner"
    static let epochLabel = "spile.io/epoch"
    static let pipelineLabel = "pipelineName"
    static let projectLabel = "pipelineProject"
    /// Tells one try to make an object from all others.
    static let tryAnnotation = "spile.io/try"

    var pipeline: PipelineKey
    var version: Int64?
    var owner: String

    init(_ pipeline: PipelineKey, version: Int64? = nil, owner: String) {
        self.pipeline = pipeline
        self.version = version
        self.owner = owner
    }

    /// `<project>-<name>-v<version>`, in the letters that names of objects may have. Names of two pipelines may come to
    /// the same.
    var stem: String {
        Self.plain("\(pipeline.project)-\(pipeline.name)") + (version.map { "-v\($0)" } ?? "")
    }

    /// The pod of a run: as the pods of a controller are named, with something behind the stem that no other has.
    func pod(_ number: String) -> String {
        "\(stem)-\(Self.plain(number))-\(Self.mark("\(owner) \(pipeline) \(number)"))"
    }

    var service: String { "\(stem)-user" }

    /// What a spout's client configuration is kept in.
    var clientSecret: String { "spout-pachctl-secret-" + Self.plain("\(pipeline.project)-\(pipeline.name)") }

    /// Labels that no spec can override.
    var labels: [String: String] {
        var labels = [
            "app": "pipeline", Self.pipelineLabel: Self.labelValue(pipeline.name),
            Self.projectLabel: Self.labelValue(pipeline.project.name), "suite": "pachyderm", "component": "worker",
            Self.ownerLabel: Self.labelValue(owner),
        ]
        if let version { labels["pipelineVersion"] = "\(version)" }
        return labels
    }

    /// Selects all objects of the pipeline, those of older versions too.
    var selector: String {
        Self.selector([
            Self.ownerLabel: Self.labelValue(owner), Self.pipelineLabel: Self.labelValue(pipeline.name),
            Self.projectLabel: Self.labelValue(pipeline.project.name),
        ])
    }

    /// Selects all objects of a server.
    static func selector(owner: String) -> String { selector([ownerLabel: labelValue(owner)]) }

    private static func selector(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    /// Lower-case letters, digits and dashes, a letter or digit at both ends.
    static func plain(_ text: String) -> String {
        let letters = text.lowercased().utf8.map { NameRules.isAlphanumeric($0) ? $0 : UInt8(ascii: "-") }
        let ends = letters.drop { $0 == UInt8(ascii: "-") }.reversed().drop { $0 == UInt8(ascii: "-") }.reversed()
        return ends.isEmpty ? "x" : String(decoding: Array(ends), as: UTF8.self)
    }

    /// The text itself where a label can hold it; else what it can hold of it, and a mark.
    static func labelValue(_ text: String) -> String {
        func isEnd(_ byte: UInt8?) -> Bool { byte.map(NameRules.isAlphanumeric) ?? false }
        let isPlain = text.utf8.allSatisfy { NameRules.isAlphanumeric($0) || "-_.".utf8.contains($0) }
        if isPlain, text.utf8.count <= 63, isEnd(text.utf8.first), isEnd(text.utf8.last) { return text }
        return "\(plain(String(text.prefix(40))))-\(mark(text))"
    }

    /// Seven letters and digits that another text hardly has (FNV-1a).
    static func mark(_ text: String) -> String {
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        let digits = String(hash, radix: 36)
        return String(digits.suffix(7))
    }
}
