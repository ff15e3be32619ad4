import API
import ArgumentParser

struct AuthRobotToken: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "get-robot-token", abstract: "Make a token for a program.",
            discussion: """
                The program is robot:<name> to the server and may do what roles that one is given. Needs the role \
                robotUser or clusterAdmin.

                  \(Program.name) auth get-robot-token reader --ttl 720h -q
                """)
    }

    @Argument(help: "The robot's name.")
    var name: String
    @Flag(name: [.customLong("quiet"), .customShort("q")], help: "Print the token alone.")
    var quiet = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long it is good, such as 720h (default: for ever).", valueName: "duration"))
    var ttl: String?
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        var seconds: Int64 = 0
        if let ttl, !ttl.isEmpty {
            guard let duration = parseDuration(ttl), duration >= .seconds(1) else {
                throw Failure("--ttl \(ttl) is not a duration of a second or more; write for example 720h")
            }
            seconds = duration.components.seconds
        }
        let life = seconds
        let session = try await Session.open(global)
        let answer = try await session.auth.getRobotToken(
            .with {
                $0.robot = name
                $0.ttl = life
            })
        try Console.line(quiet ? answer.token : "Token: \(answer.token)")
    }
}

struct AuthRevoke: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "revoke", abstract: "Make a token void, or all tokens of somebody.",
            discussion: "  \(Program.name) auth revoke --user robot:reader")
    }

    @Option(parsing: .unconditional, help: "The token.")
    var token: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Whose tokens, such as robot:reader.", valueName: "subject"))
    var user: String?
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let count: Int64
        switch (token, user) {
        case (let token?, nil):
            let session = try await Session.open(global)
            count = try await session.auth.revokeAuthToken(.with { $0.token = token }).number
        case (nil, let user?):
            let session = try await Session.open(global)
            count = try await session.auth.revokeAuthTokensForUser(.with { $0.username = user }).number
        default: throw Failure("give either --token or --user")
        }
        try Console.line("\(count) auth token\(count == 1 ? "" : "s") revoked")
    }
}

struct AuthGroups: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-groups", abstract: "List the groups that you, or somebody else, are in.")
    @Argument(help: ArgumentHelp("Somebody else, such as robot:reader.", valueName: "subject"))
    var subject: String?
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let groups: [String]
        if let subject, !subject.isEmpty {
            groups = try await session.auth.getGroupsForPrincipal(.with { $0.principal = subject }).groups
        } else {
            groups = try await session.auth.getGroups(.init()).groups
        }
        for group in groups { try Console.line(group) }
    }
}
