/// One source of a pipeline's input: where its files are and how they make datums (`pps.md` §1.4, §9.1).
package struct InputLeaf: Sendable, Equatable {
    /// What the input is called: its folder under `/pfs`, and a part of the ids of its datums.
    package var name: String
    package var branch: BranchKey
    /// As the spec has it; not compiled yet.
    package var glob: String
    /// Templates over the glob's captures (``CaptureTemplate``); empty gives all files the same key.
    package var joinOn: String
    package var groupBy: String
    /// Whether its files make datums even where another input of the join has none with the key.
    package var isOuter: Bool
    package var isLazy: Bool
    package var emptyFiles: Bool
    package var isS3: Bool
    /// Whether the content of its files is left out of datums' hashes.
    package var isReference: Bool
    /// The schedule whose ticks are the files; nil for what is not a cron input.
    package var schedule: String?
    /// Whether a tick takes the place of the ones before it.
    package var isOverwriting = false
    /// When the schedule begins to count; nil where the spec does not say.
    package var start: Instant?
    /// What moves its branch; nil for an ordinary branch.
    package var trigger: BranchTrigger?
    /// Whether new commits of its branch start no work.
    package var isQuiet = false
    /// What is read instead of the branch's head; nil in every pipeline.
    package var commit: String?

    package init(
        name: String, branch: BranchKey, glob: String, joinOn: String = "", groupBy: String = "", isOuter: Bool = false,
        isLazy: Bool = false, emptyFiles: Bool = false, isS3: Bool = false, isReference: Bool = false,
        schedule: String? = nil
    ) {
        self.name = name
        self.branch = branch
        self.glob = glob
        self.joinOn = joinOn
        self.groupBy = groupBy
        self.isOuter = isOuter
        self.isLazy = isLazy
        self.emptyFiles = emptyFiles
        self.isS3 = isS3
        self.isReference = isReference
        self.schedule = schedule
    }
}

/// What a pipeline reads, with every default filled in and siblings in their final order: the ids of datums follow from
/// it, so it is made in one place.
package indirect enum InputTree: Sendable, Equatable {
    case leaf(InputLeaf)
    case combined(InputSpec.Combination, [InputTree])

    /// Reads the input of a spec that has passed its checks; throws `unknown` where it names no kind of input or more
    /// than one. A retry does not help.
    ///
    /// Siblings are sorted by the names that the *spec* gives them, before those left out become their repos' names
    /// (`pps.md` §1.4); a combination counts by the first name in it. So hand in what users wrote, not a tree whose
    /// names were filled in: that could be sorted otherwise, and its datums have other ids.
    package init(_ spec: InputSpec, of pipeline: PipelineKey) throws(SpileError) {
        var reader = Reader(pipeline: pipeline)
        self = try reader.tree(try Sorted(spec))
    }

    /// Its sources, left to right.
    package var leaves: [InputLeaf] {
        switch self {
        case .leaf(let leaf): [leaf]
        case .combined(_, let children): children.flatMap(\.leaves)
        }
    }
}

/// An input of a spec with all siblings in order.
private indirect enum Sorted {
    case pfs(JSONValue)
    case cron(JSONValue)
    case combined(InputSpec.Combination, [Sorted])

    init(_ spec: InputSpec) throws(SpileError) {
        let kinds = (spec.pfs == nil ? 0 : 1) + (spec.cron == nil ? 0 : 1) + spec.combined.count
        if kinds > 1 { throw .domain("multiple input types set") }
        if let pfs = spec.pfs {
            self = .pfs(pfs)
        } else if let cron = spec.cron {
            self = .cron(cron)
        } else if let (combination, specs) = spec.combined.first {
            var children: [Sorted] = []
            for spec in specs { children.append(try Sorted(spec)) }
            // The library's sort keeps the order of equals.
            self = .combined(combination, children.sorted { FilePath.precedes($0.name, $1.name) })
        } else {
            throw .domain("no input set", remedy: "give the input one of pfs, cron, union, cross, join and group")
        }
    }

    /// The name it is sorted by.
    var name: String {
        switch self {
        case .pfs(let json), .cron(let json): json["name"]?.string ?? ""
        case .combined(_, let children): children.first?.name ?? ""
        }
    }
}

/// Fills in defaults, from left to right: branches made for triggers are counted.
private struct Reader {
    private static let branch = "master"
    let pipeline: PipelineKey
    private var triggers: [RepoKey: Int] = [:]

    init(pipeline: PipelineKey) { self.pipeline = pipeline }

    mutating func tree(_ input: Sorted) throws(SpileError) -> InputTree {
        switch input {
        case .pfs(let json): return .leaf(file(json))
        case .cron(let json): return .leaf(tick(json))
        case .combined(let combination, let inputs):
            var children: [InputTree] = []
            for input in inputs { children.append(try tree(input)) }
            return .combined(combination, children)
        }
    }

    private mutating func file(_ json: JSONValue) -> InputLeaf {
        let repo = RepoKey(
            project: text(json, "project").map { ProjectKey($0) } ?? pipeline.project, name: text(json, "repo") ?? "",
            type: text(json, "repoType").flatMap(RepoType.init) ?? .user)
        let isS3 = json["s3"]?.bool ?? false
        var leaf = InputLeaf(
            name: text(json, "name") ?? repo.name, branch: repo.branch(branch(json, of: repo)),
            glob: text(json, "glob") ?? (isS3 ? "/" : ""), joinOn: text(json, "joinOn") ?? "",
            groupBy: text(json, "groupBy") ?? "", isOuter: json["outerJoin"]?.bool ?? false,
            isLazy: json["lazy"]?.bool ?? false, emptyFiles: json["emptyFiles"]?.bool ?? false, isS3: isS3,
            isReference: json["reference"]?.bool ?? false)
        leaf.trigger = json["trigger"].map(trigger)
        leaf.commit = text(json, "commit")
        leaf.isQuiet = json["propagationSpec"]?["never"]?.bool ?? false
        return leaf
    }

    private func trigger(_ json: JSONValue) -> BranchTrigger {
        BranchTrigger(
            branch: text(json, "branch") ?? Self.branch, all: json["all"]?.bool ?? false,
            rateLimit: text(json, "rateLimitSpec") ?? "", size: text(json, "size") ?? "",
            commits: json["commits"]?.integer ?? 0, cron: text(json, "cronSpec") ?? "")
    }

    private mutating func branch(_ json: JSONValue, of repo: RepoKey) -> String {
        if let branch = text(json, "branch") { return branch }
        guard json["trigger"] != nil else { return Self.branch }
        triggers[repo, default: 0] += 1
        return "\(pipeline.name)-trigger-\(triggers[repo]!)"
    }

    private func tick(_ json: JSONValue) -> InputLeaf {
        let name = text(json, "name") ?? ""
        let repo = RepoKey(
            project: text(json, "project").map { ProjectKey($0) } ?? pipeline.project,
            name: text(json, "repo") ?? "\(pipeline.name)_\(name)")
        var leaf = InputLeaf(
            name: name, branch: repo.branch(Self.branch), glob: "/*", schedule: text(json, "spec") ?? "")
        leaf.isOverwriting = json["overwrite"]?.bool ?? false
        leaf.start = text(json, "start").flatMap(SpecTimestamp.parse)
        return leaf
    }

    /// A member's text; nil if it is empty or not there.
    private func text(_ json: JSONValue, _ member: String) -> String? {
        json[member]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }
}
