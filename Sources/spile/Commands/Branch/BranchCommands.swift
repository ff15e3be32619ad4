import API
import ArgumentParser

struct CreateBranch: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "branch", abstract: "Make a branch, or move it, or say what it follows.",
            discussion: """
                  \(Program.name) create branch logs@tested --head master
                  \(Program.name) create branch logs@hourly --trigger master --trigger-cron "@hourly"
                """)
    }

    @Argument(help: "<repo>@<branch>")
    var branch: String
    @Option(
        name: [.customLong("provenance"), .customShort("p")], parsing: .unconditionalSingleValue,
        help: "A branch it is made from, <repo>@<branch>; repeat it, or separate with commas.")
    var provenance: [String] = []
    @Option(parsing: .unconditional, help: "The commit it points at: an id, a branch or <repo>@<commit>.")
    var head: String?
    @Option(name: [.customLong("trigger"), .customShort("t")], parsing: .unconditional, help: "The branch it follows.")
    var trigger = ""
    @Option(name: .customLong("trigger-cron"), parsing: .unconditional, help: "Follow at these times.")
    var triggerCron = ""
    @Option(name: .customLong("trigger-size"), parsing: .unconditional, help: "Follow after so much new data: 100MB.")
    var triggerSize = ""
    @Option(name: .customLong("trigger-commits"), parsing: .unconditional, help: "Follow after so many commits.")
    var triggerCommits: Int64 = 0
    @Flag(name: .customLong("trigger-all"), help: "Follow when all conditions hold, not when one does.")
    var triggerAll = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if !trigger.isEmpty && !provenance.isEmpty {
            throw Failure("--trigger and --provenance exclude each other: a branch follows one way or the other")
        }
        let hasCondition = !triggerCron.isEmpty || !triggerSize.isEmpty || triggerCommits != 0 || triggerAll
        if trigger.isEmpty && hasCondition {
            throw Failure("a trigger's condition is given, but not its branch: add --trigger <branch>")
        }
        let session = try await Session.open(global, .init(joinsTransaction: true))
        let name = project.name(session)
        let reference = try Reference.branch(branch, project: name)
        var request = PfsV2_CreateBranchRequest.with { $0.branch = reference.wireBranch }
        request.provenance = try provenance.flatMap(splitCommas).filter { !$0.isEmpty }
            .map { try Reference.branch($0, project: name).wireBranch }
        if let head, !head.isEmpty {
            request.head =
                head.contains("@") ? try Reference.commit(head, project: name).wireCommit : reference.sibling(head)
        }
        if !trigger.isEmpty {
            request.trigger = .with {
                $0.branch = trigger
                $0.cronSpec = triggerCron
                $0.size = triggerSize
                $0.commits = triggerCommits
                $0.all = triggerAll
            }
        }
        _ = try await session.pfs.createBranch(request)
        session.noteTransaction()
    }
}

struct InspectBranch: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "branch", abstract: "Show a branch.",
            discussion: "  \(Program.name) inspect branch logs@master")
    }

    @Argument(help: "<repo>@<branch>")
    var branch: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.branch(branch, project: project.name(session))
        let info = try await session.pfs.inspectBranch(.with { $0.branch = reference.wireBranch })
        if let raw { return try raw.show(info) }
        var text = "Name: \(PfsText.branch(info.branch))\n"
        text += info.hasHead ? "Head Commit: \(PfsText.commit(info.head))\n" : "\n"
        text += PfsText.line("Provenance", info.provenance.map(PfsText.branch).joined(separator: " "))
        if info.hasTrigger { text += "Trigger: \(PfsText.trigger(info.trigger))\n" }
        text += PfsText.line("Created by", info.createdBy)
        if info.hasCreatedAt { text += "Created at: \(times.style.text(info.createdAt, if: true))\n" }
        try Console.write(text)
    }
}

struct ListBranch: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "branch", abstract: "List the branches of a repo.",
            discussion: "  \(Program.name) list branch logs")
    }

    @Argument(help: "The repo's name.")
    var repo: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.repo(repo, project: project.name(session))
        try await session.pfs.listBranch(.with { $0.repo = reference.wireRepo }) { response in
            try await Listing.show(response, "BRANCH|HEAD|TRIGGER|CREATOR|CREATED", raw: raw) { info in
                [
                    info.branch.name, info.hasHead ? info.head.id : "-",
                    info.hasTrigger ? PfsText.trigger(info.trigger) : "-",
                    info.createdBy.isEmpty ? "-" : info.createdBy,
                    info.hasCreatedAt ? Instant(seconds: info.createdAt.seconds).local : "-",
                ]
            }
        }
    }
}

struct DeleteBranch: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "branch", abstract: "Delete a branch; its commits stay.",
            discussion: "  \(Program.name) delete branch logs@tested")
    }

    @Argument(help: "<repo>@<branch>")
    var branch: String
    @Flag(name: [.customLong("force"), .customShort("f")], help: "Delete it also where others depend on it.")
    var force = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global, .init(joinsTransaction: true))
        let reference = try Reference.branch(branch, project: project.name(session))
        _ = try await session.pfs.deleteBranch(
            .with {
                $0.branch = reference.wireBranch
                $0.force = force
            })
        session.noteTransaction()
    }
}
