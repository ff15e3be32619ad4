import API
import ArgumentParser

struct ListCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "List commits: of a project, of a repo or branch, or those of one id.",
            discussion: """
                  \(Program.name) list commit                      each change of the project, with its commits counted
                  \(Program.name) list commit logs@master -n 10    the last ten of a branch
                  \(Program.name) list commit <id>                 the commits one change made
                """)
    }

    @Argument(help: "<id> or <repo>[@<branch-or-commit>]")
    var subject: String?
    @Option(
        name: [.customLong("from"), .customShort("f")], parsing: .unconditional, help: "Only commits after this one.")
    var from: String?
    @Option(
        name: [.customLong("number"), .customShort("n")], parsing: .unconditional, help: "At most this many; 0 is all.")
    var number: Int64 = 0
    @Flag(help: "Include the commits the server makes for pipelines.")
    var all = false
    @Flag(name: [.customLong("expand"), .customShort("x")], help: "One row per commit instead of one per change.")
    var expand = false
    @Option(parsing: .unconditional, help: "Only commits of this origin: user, auto or fsck.")
    var origin = ""
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let kind = try PfsText.origin(parsing: origin)
        if subject == nil || isCommitID(subject ?? ""), from != nil || all || !origin.isEmpty {
            throw Failure("--from, --all and --origin go with a repo: list commit <repo>[@<branch>]")
        }
        let session = try await Session.open(global)
        let name = project.name(session)
        guard let subject else { return try await listSets(session, name, raw) }
        if isCommitID(subject) { return try await listMembers(session, subject, raw) }
        let reference = try Reference(subject, project: name)
        if reference.path != nil { throw Failure("\"\(subject)\" names a file: write <repo>[@<branch-or-commit>]") }
        let request = PfsV2_ListCommitRequest.with {
            $0.repo = reference.wireRepo
            if !reference.handle.isEmpty { $0.to = reference.wireCommit }
            if let from, !from.isEmpty { $0.from = reference.sibling(from) }
            $0.number = number
            $0.all = all
            $0.originKind = kind
        }
        let style = times.style
        try await session.pfs.listCommit(request) { response in
            try await Listing.show(response, PfsText.commitHeader, raw: raw) { PfsText.commitRow($0, style) }
        }
    }

    private func listSets(_ session: Session, _ project: String, _ raw: RawOutput?) async throws {
        let request = PfsV2_ListCommitSetRequest.with { $0.project.name = project }
        let (style, palette, limit, expand) = (times.style, Palette(global), number, expand)
        try await session.pfs.listCommitSet(request) { response in
            if !expand {
                return try await Listing.show(response, PfsText.commitSetHeader, raw: raw, limit: limit) {
                    PfsText.commitSetRow($0, style, palette)
                }
            }
            var listing = Listing<PfsV2_CommitInfo>(PfsText.commitHeader, raw: raw) { PfsText.commitRow($0, style) }
            var rest = limit
            for try await set in response.messages {
                for info in set.commits { try listing.add(info) }
                rest -= 1
                if rest == 0 { break }
            }
            try listing.finish()
        }
    }

    private func listMembers(_ session: Session, _ id: String, _ raw: RawOutput?) async throws {
        let request = PfsV2_InspectCommitSetRequest.with { $0.commitSet.id = id }
        let (style, limit) = (times.style, number)
        try await session.pfs.inspectCommitSet(request) { response in
            try await Listing.show(response, PfsText.commitHeader, raw: raw, limit: limit) {
                PfsText.commitRow($0, style)
            }
        }
    }
}

extension Reference {
    /// Another commit of the same repo, named by an id or a branch. Both travel as the id; the server sorts them out.
    func sibling(_ text: String) -> PfsV2_Commit {
        .with {
            $0.repo = wireRepo
            $0.branch = .with { $0.repo = wireRepo }
            $0.id = text
        }
    }
}

struct SubscribeCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Show the commits of a branch as they are started, without end.",
            discussion: "  \(Program.name) subscribe commit logs@master --new")
    }

    @Argument(help: "<repo>[@<branch>]")
    var branch: String
    @Option(parsing: .unconditional, help: "Start after this commit.")
    var from: String?
    @Flag(help: "Only commits that do not exist yet.")
    var new = false
    @Flag(help: "Include the commits the server makes for pipelines.")
    var all = false
    @Option(parsing: .unconditional, help: "Only commits of this origin: user, auto or fsck.")
    var origin = ""
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if new && from != nil { throw Failure("--new and --from exclude each other: both say where to start") }
        let raw = try raw.format
        let kind = try PfsText.origin(parsing: origin)
        let session = try await Session.open(global)
        let reference = try Reference(branch, project: project.name(session))
        if !reference.commit.isEmpty || reference.path != nil {
            throw Failure("\"\(branch)\" does not name a branch: write <repo>[@<branch>]")
        }
        let request = PfsV2_SubscribeCommitRequest.with {
            $0.repo = reference.wireRepo
            $0.branch = reference.branch
            $0.state = .started
            $0.all = all
            $0.originKind = kind
            if let from {
                $0.from = reference.sibling(from)
            } else if new {
                $0.from = reference.wireCommit
            }
        }
        let style = times.style
        try await session.pfs.subscribeCommit(request) { response in
            try await Listing.show(response, PfsText.commitHeader, raw: raw, flushesEachRow: true) {
                PfsText.commitRow($0, style)
            }
        }
    }
}
