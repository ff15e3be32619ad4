import API
import ArgumentParser

struct CreateProject: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "project", abstract: "Make a project.",
            discussion: "  \(Program.name) create project weather -d \"Everything from the stations\"")
    }

    @Argument(help: "The new project's name.")
    var project: String
    @Option(name: [.customLong("description"), .customShort("d")], parsing: .unconditional, help: "What it holds.")
    var description = ""
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        _ = try await session.pfs.createProject(
            .with {
                $0.project.name = project
                $0.description_p = description
            })
    }
}

struct UpdateProject: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "project", abstract: "Change a project's description.",
            discussion: "  \(Program.name) update project weather -d \"Stations and satellites\"")
    }

    @Argument(help: "The project's name.")
    var project: String
    @Option(name: [.customLong("description"), .customShort("d")], parsing: .unconditional, help: "What it holds.")
    var description = ""
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        _ = try await session.pfs.createProject(
            .with {
                $0.project.name = project
                $0.description_p = description
                $0.update = true
            })
    }
}

struct InspectProject: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "project", abstract: "Show a project.", discussion: "  \(Program.name) inspect project weather"
        )
    }

    @Argument(help: "The project's name.")
    var project: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let answer = try await session.pfs.inspectProjectV2(.with { $0.project.name = project })
        if let raw { return try raw.show(answer.info) }
        var blocks = ["Name: \(answer.info.project.name)\n"]
        blocks.append(PfsText.line("Description", answer.info.description_p))
        if answer.info.hasCreatedAt {
            blocks.append("Created at: \(Instant(seconds: answer.info.createdAt.seconds).utc)\n")
        }
        if answer.info.hasAuthInfo {
            blocks.append("Roles: [\(answer.info.authInfo.roles.joined(separator: " "))]\n")
        }
        blocks.append(PfsText.line("Defaults", answer.defaultsJson == "{}" ? "" : answer.defaultsJson))
        try Console.write(blocks.filter { !$0.isEmpty }.joined(separator: "\n"))
    }
}

struct ListProject: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "project", abstract: "List the projects; * marks the one in use.",
            discussion: "  \(Program.name) list project")
    }

    @OptionGroup var raw: RawOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let infos = try await session.pfs.listProject(.init()) { response in
            var all: [PfsV2_ProjectInfo] = []
            for try await info in response.messages { all.append(info) }
            return all
        }
        if let raw {
            for (index, info) in infos.enumerated() { try Console.write(raw.text(info, isFirst: index == 0)) }
            return
        }
        let shared = infos.first?.hasAuthInfo ?? false
        let style = TimeStyle()
        // No blanks at the end of a line: scripts match the last column.
        var table = Table("ACTIVE|PROJECT|\(shared ? "ACCESS_LEVEL|" : "")CREATED|DESCRIPTION") { text in
            let lines = text.split(separator: "\n").map { line in
                var line = line
                while line.last == " " { line.removeLast() }
                return line + "\n"
            }
            try Console.write(lines.joined())
        }
        for info in infos {
            var row = [info.project.name == session.project ? "*" : "", info.project.name]
            if shared { row.append("[\(info.authInfo.roles.joined(separator: " "))]") }
            row.append(style.text(info.createdAt, if: info.hasCreatedAt))
            row.append(info.description_p.isEmpty ? "-" : info.description_p)
            try table.add(row)
        }
        try table.flush()
    }
}

struct DeleteProject: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "project", abstract: "Delete a project, after asking about what is in it.",
            discussion: "  yes | \(Program.name) delete project weather")
    }

    @Argument(help: "The project's name.")
    var project: String
    @Flag(name: [.customLong("force"), .customShort("f")], help: "Delete it also where others depend on it.")
    var force = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let scope = PfsV2_Project.with { $0.name = project }
        let pipelines = try await session.pps.listPipeline(.with { $0.projects = [scope] }) { response in
            var names: [PpsV2_Pipeline] = []
            for try await info in response.messages { names.append(info.pipeline) }
            return names
        }
        if !pipelines.isEmpty {
            let names = pipelines.map(\.name).joined(separator: ", ")
            guard try Console.confirm("Project \(project) holds the pipelines \(names). Delete them?") else {
                throw Failure("nothing is deleted")
            }
            for pipeline in pipelines {
                _ = try await session.pps.deletePipeline(
                    .with {
                        $0.pipeline = pipeline
                        $0.force = force
                    })
            }
        }
        try await deleteRepos(session, scope)
        _ = try await session.pfs.deleteProject(
            .with {
                $0.project = scope
                $0.force = force
            })
    }

    private func deleteRepos(_ session: Session, _ scope: PfsV2_Project) async throws {
        let request = PfsV2_ListRepoRequest.with {
            $0.type = "user"
            $0.projects = [scope]
        }
        let repos = try await session.pfs.listRepo(request) { response in
            var names: [PfsV2_Repo] = []
            for try await info in response.messages { names.append(info.repo) }
            return names
        }
        if repos.isEmpty { return }
        let names = repos.map(\.name).joined(separator: ", ")
        guard try Console.confirm("Project \(project) holds the repos \(names). Delete them and their data?") else {
            throw Failure("the repos and the project stay")
        }
        for repo in repos {
            _ = try await session.pfs.deleteRepo(
                .with {
                    $0.repo = repo
                    $0.force = force
                })
        }
    }
}
