import API
import ArgumentParser
import Core

struct AuthCheckVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Show what you, or somebody else, may do with a repo or a project.",
        subcommands: [AuthCheckRepo.self, AuthCheckProject.self])
}

struct AuthGetVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Show who has which roles.",
        subcommands: [AuthGetRepo.self, AuthGetProject.self, AuthGetCluster.self])
}

struct AuthSetVerb: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "set", abstract: "Give roles, or take them.",
            discussion: """
                  \(Program.name) auth set repo readings repoReader robot:reader
                  \(Program.name) auth set project lab projectOwner group:chemists
                  \(Program.name) auth set cluster none robot:reader
                """,
            subcommands: [AuthSetRepo.self, AuthSetProject.self, AuthSetCluster.self])
    }
}

// MARK: - What the commands do

private typealias Resource = AuthV2_Resource

extension AuthV2_Resource {
    fileprivate static let cluster = Resource.with { $0.type = .cluster }

    fileprivate static func project(_ name: String) -> Resource {
        .with {
            $0.type = .project
            $0.name = name
        }
    }

    fileprivate static func repo(_ text: String, _ project: ProjectOption, _ session: Session) throws -> Resource {
        let repo = try Reference.repo(text, project: project.name(session)).wireRepo
        return .with {
            $0.type = .repo
            $0.name = "\(repo.project.name)/\(repo.name)"
        }
    }
}

extension Session {
    fileprivate func check(_ resource: AuthV2_Resource, _ subject: String?) async throws {
        let answer: AuthV2_GetPermissionsResponse
        if let subject, !subject.isEmpty {
            answer = try await auth.getPermissionsForPrincipal(
                .with {
                    $0.resource = resource
                    $0.principal = subject
                })
        } else {
            answer = try await auth.getPermissions(.with { $0.resource = resource })
        }
        let permissions = answer.permissions.map(\.wireName)
        try Console.line("Roles: [\(answer.roles.joined(separator: " "))]")
        try Console.line("Permissions: [\(permissions.joined(separator: " "))]")
    }

    fileprivate func show(_ resource: AuthV2_Resource) async throws {
        let binding = try await auth.getRoleBinding(.with { $0.resource = resource }).binding
        for (subject, roles) in binding.entries.sorted(by: { $0.key < $1.key }) {
            let names = roles.roles.filter(\.value).keys.sorted()
            try Console.line("\(subject): [\(names.joined(separator: " "))]")
        }
    }

    /// `roles` are parted by commas; `none` takes all away.
    fileprivate func set(_ resource: AuthV2_Resource, _ roles: String, _ subject: String) async throws {
        let names = roles == "none" ? [] : roles.split(separator: ",").map(String.init)
        if names.isEmpty, roles != "none" { throw Failure("name a role, or none to take all away") }
        _ = try await auth.modifyRoleBinding(
            .with {
                $0.resource = resource
                $0.principal = subject
                $0.roles = names
            })
    }
}

extension AuthV2_Permission {
    /// Such as `REPO_READ`.
    var wireName: String { Permission(rawValue: rawValue)?.description ?? "\(rawValue)" }
}

private let rolesHelp = ArgumentHelp("Roles, parted by commas, or none.", valueName: "roles")
private let subjectHelp = ArgumentHelp(
    "Who: user:…, robot:…, pipeline:…, group:…, or allClusterUsers.", valueName: "subject")

// MARK: - Repos

struct AuthCheckRepo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo", abstract: "Show what you, or somebody else, may do with a repo.")
    @Argument(help: "The repo's name.") var repo: String
    @Argument(help: subjectHelp) var subject: String?
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.check(try .repo(repo, project, session), subject)
    }
}

struct AuthGetRepo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo", abstract: "Show who has which roles on a repo.")
    @Argument(help: "The repo's name.") var repo: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.show(try .repo(repo, project, session))
    }
}

struct AuthSetRepo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo", abstract: "Give somebody roles on a repo, in place of those it has there.")
    @Argument(help: "The repo's name.") var repo: String
    @Argument(help: rolesHelp) var roles: String
    @Argument(help: subjectHelp) var subject: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.set(try .repo(repo, project, session), roles, subject)
    }
}

// MARK: - Projects

struct AuthCheckProject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Show what you, or somebody else, may do in a project.")
    @Argument(help: "The project's name.") var project: String
    @Argument(help: subjectHelp) var subject: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.check(.project(project), subject)
    }
}

struct AuthGetProject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Show who has which roles in a project.")
    @Argument(help: "The project's name.") var project: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.show(.project(project))
    }
}

struct AuthSetProject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Give somebody roles in a project, in place of those it has there.")
    @Argument(help: "The project's name.") var project: String
    @Argument(help: rolesHelp) var roles: String
    @Argument(help: subjectHelp) var subject: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.set(.project(project), roles, subject)
    }
}

// MARK: - The cluster

struct AuthGetCluster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Show who has which roles on the whole server.")
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.show(.cluster)
    }
}

struct AuthSetCluster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Give somebody roles on the whole server, in place of those it has there.")
    @Argument(help: rolesHelp) var roles: String
    @Argument(help: subjectHelp) var subject: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try await session.set(.cluster, roles, subject)
    }
}

struct AuthRolesForPermission: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "roles-for-permission", abstract: "List the roles that give a permission.",
            discussion: "  \(Program.name) auth roles-for-permission REPO_WRITE")
    }

    @Argument(help: "The permission, as refusals name it.") var permission: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard let known = Permission(permission.uppercased()),
            let wanted = AuthV2_Permission(rawValue: known.rawValue)
        else {
            throw Failure("unknown permission \(permission); refusals name them, such as REPO_WRITE")
        }
        let session = try await Session.open(global)
        let answer = try await session.auth.getRolesForPermission(.with { $0.permission = wanted })
        for role in answer.roles { try Console.line(role.name) }
    }
}
