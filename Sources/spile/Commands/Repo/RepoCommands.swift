import API
import ArgumentParser

struct CreateRepo: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repo", abstract: "Make a repo.",
            discussion: "  \(Program.name) create repo readings -d \"Temperatures, one file per room\"")
    }

    @Argument(help: "The new repo's name.")
    var repo: String
    @Option(name: [.customLong("description"), .customShort("d")], parsing: .unconditional, help: "What it holds.")
    var description = ""
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await RepoChange(name: repo, description: description, update: false).run(project, global)
    }
}

struct UpdateRepo: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repo", abstract: "Change a repo's description.",
            discussion: "  \(Program.name) update repo readings -d \"Temperatures and humidity\"")
    }

    @Argument(help: "The repo's name.")
    var repo: String
    @Option(name: [.customLong("description"), .customShort("d")], parsing: .unconditional, help: "What it holds.")
    var description = ""
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await RepoChange(name: repo, description: description, update: true).run(project, global)
    }
}

private struct RepoChange {
    let name: String
    let description: String
    let update: Bool

    /// A new name is sent as it is, but for a project in front: the server says what is wrong with it.
    func run(_ project: ProjectOption, _ global: GlobalOptions) async throws {
        let session = try await Session.open(global, .init(joinsTransaction: true))
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let request = PfsV2_CreateRepoRequest.with {
            $0.repo.name = parts.last ?? ""
            $0.repo.type = "user"
            $0.repo.project.name = parts.count == 2 ? parts[0] : project.name(session)
            $0.description_p = description
            $0.update = update
        }
        _ = try await session.pfs.createRepo(request)
        session.noteTransaction()
    }
}

extension Session {
    /// Says that the change waits in the active transaction, where there is one.
    func noteTransaction() {
        if !transaction.isEmpty { Console.note("Added to transaction: \(transaction)") }
    }
}

struct InspectRepo: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repo", abstract: "Show a repo.", discussion: "  \(Program.name) inspect repo readings --raw")
    }

    @Argument(help: "The repo's name.")
    var repo: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.repo(repo, project: project.name(session))
        let info = try await session.pfs.inspectRepo(.with { $0.repo = reference.wireRepo })
        if let raw { return try raw.show(info) }
        var text = "Name: \(PfsText.repo(info.repo))\n"
        text += PfsText.line("Description", info.description_p)
        text += "Created: \(times.style.text(info.created, if: info.hasCreated))\n"
        if info.hasDetails { text += "Size of HEAD on master: \(formatSize(info.details.sizeBytes))\n" }
        if info.hasAuthInfo {
            text += "Roles: [\(info.authInfo.roles.joined(separator: " "))]\n"
            text += "Permissions: [\(info.authInfo.permissions.map(\.wireName).joined(separator: " "))]\n"
        }
        try Console.write(text)
    }
}

struct ListRepo: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repo", abstract: "List the repos of a project.",
            discussion: "  \(Program.name) list repo --all-projects")
    }

    @Flag(help: "Include the repos the server keeps for pipelines.")
    var all = false
    @Option(parsing: .unconditional, help: "Only repos of this type: user, meta or spec.")
    var type = "user"
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let name = project.name(session)
        let request = PfsV2_ListRepoRequest.with {
            $0.type = all ? "" : type
            if !everywhere.all { $0.projects = [.with { $0.name = name }] }
        }
        let style = times.style
        try await session.pfs.listRepo(request) { response in
            var repos: [PfsV2_RepoInfo] = []
            for try await repo in response.messages { repos.append(repo) }
            // Servers without access control leave the column out.
            let shared = repos.first?.hasAuthInfo ?? false
            let access = shared ? "ACCESS_LEVEL|" : ""
            var listing = Listing<PfsV2_RepoInfo>(
                "PROJECT|NAME|CREATED|SIZE (MASTER)|\(access)DESCRIPTION", raw: raw
            ) { info in
                var row = [
                    info.repo.project.name, PfsText.repo(info.repo), style.text(info.created, if: info.hasCreated),
                    PfsText.size(info),
                ]
                if shared { row.append("[\(info.authInfo.roles.joined(separator: " "))]") }
                return row + [info.description_p]
            }
            for repo in repos { try listing.add(repo) }
            try listing.finish()
        }
    }
}

struct DeleteRepo: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repo", abstract: "Delete a repo and its data.",
            discussion: "  \(Program.name) delete repo readings")
    }

    @Argument(help: "The repo's name.")
    var repo: String?
    @Flag(name: [.customLong("force"), .customShort("f")], help: "Delete it also where others depend on it.")
    var force = false
    @Flag(help: "Delete every repo of the project.")
    var all = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if everywhere.all && !all { throw Failure("--all-projects goes with --all only") }
        if all == (repo != nil) { throw Failure("name one repo, or give --all") }
        let session = try await Session.open(global, .init(joinsTransaction: repo != nil))
        let name = project.name(session)
        guard let repo else {
            let request = PfsV2_DeleteReposRequest.with {
                if everywhere.all { $0.all = true } else { $0.projects = [.with { $0.name = name }] }
                $0.force = force
            }
            _ = try await session.pfs.deleteRepos(request)
            return
        }
        let reference = try Reference.repo(repo, project: name)
        let answer = try await session.pfs.deleteRepo(
            .with {
                $0.repo = reference.wireRepo
                $0.force = force
            })
        session.noteTransaction()
        if !answer.deleted && session.transaction.isEmpty {
            throw Failure("repo \(reference.project)/\(reference.repo) not found")
        }
        Console.note("Repo deleted.")
    }
}
