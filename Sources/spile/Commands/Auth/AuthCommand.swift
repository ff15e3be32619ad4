import API
import ArgumentParser

/// `auth …`: who this client is to the server.
struct AuthCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "auth", abstract: "Say who you are to the server, and who may do what there.",
            discussion: """
                  \(Program.name) auth activate
                  \(Program.name) auth get-robot-token reader -q
                  \(Program.name) auth set repo readings repoReader robot:reader
                  echo $TOKEN | \(Program.name) auth use-auth-token
                """,
            subcommands: [
                AuthActivate.self, AuthDeactivate.self, AuthLogin.self, UseAuthToken.self, AuthLogout.self,
                AuthWhoAmI.self, AuthRobotToken.self, AuthRevoke.self, AuthRotateRootToken.self, AuthGroups.self,
                AuthRolesForPermission.self, AuthCheckVerb.self, AuthGetVerb.self, AuthSetVerb.self,
                AuthGetConfig.self, AuthSetConfig.self,
            ])
    }

    /// Changes the token of the context in use.
    static func setToken(_ token: String) throws {
        try ConfigStore(environment: .process).update { config in
            let name = try config.active(.process).name
            config[context: name]?.sessionToken = token
        }
    }
}

struct UseAuthToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use-auth-token", abstract: "Keep the token on stdin as this client's identity.")
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try AuthCommand.setToken(try AuthCommand.tokenOnInput())
    }
}

struct AuthLogout: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "logout", abstract: "Forget the token.")
    @Argument(help: .hidden) var ignored: [String] = []
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() throws { try AuthCommand.setToken("") }
}

struct AuthWhoAmI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Print who the server takes this client for.")
    @Argument(help: .hidden) var ignored: [String] = []
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let answer = try await session.auth.whoAmI(.init())
        try Console.line("You are \"\(answer.username)\"")
        if answer.hasExpiration {
            try Console.line("session expires: \(Instant(seconds: answer.expiration.seconds).utc)")
        }
    }
}
