import API
import ArgumentParser

struct AuthActivate: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "activate", abstract: "Turn authentication on; everybody needs a token from then on.",
            discussion: """
                Prints the token of pach:root, who may do everything, and keeps it in the context. Nobody can show it \
                again: put it in a safe place. What exists has no owner at first; pach:root gives roles.

                  \(Program.name) auth activate
                  openssl rand -hex 16 | \(Program.name) auth activate --supply-root-token
                """)
    }

    @Flag(name: .customLong("supply-root-token"), help: "Take the token on stdin instead of a new one.")
    var suppliesToken = false
    @Flag(name: .customLong("only-activate"), help: .hidden) var only = false
    @Flag(help: .hidden) var enterprise = false
    @Option(parsing: .unconditional, help: .hidden) var issuer: String?
    @Option(parsing: .unconditional, help: .hidden) var redirect: String?
    @Option(name: .customLong("client-id"), parsing: .unconditional, help: .hidden) var clientID: String?
    @Option(name: .customLong("trusted-peers"), parsing: .unconditional, help: .hidden) var trustedPeers: String?
    @Option(parsing: .unconditional, help: .hidden) var scopes: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let given = suppliesToken ? try AuthCommand.tokenOnInput() : ""
        if [issuer, redirect, clientID, trustedPeers, scopes].contains(where: { $0 != nil }) {
            Console.note("logins by OpenID Connect are not offered by this server: their flags change nothing")
        }
        var session = try await Session.open(global)
        let token = try await session.auth.activate(.with { $0.rootToken = given }).pachToken
        // Before anything else: whoever loses it is locked out.
        if suppliesToken { Console.note("authentication is on") } else { try Console.line("Root token:\n\(token)") }
        try AuthCommand.setToken(token)
        session = try await Session.open(global)
        _ = try await session.pfs.activateAuth(.init())
        _ = try await session.pps.activateAuth(.init())
    }
}

struct AuthDeactivate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deactivate", abstract: "Turn authentication off; tokens, roles and groups are gone.")
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        guard try Console.confirm("Delete all tokens, roles and groups, and let everybody do everything?") else {
            throw Failure("nothing was changed")
        }
        _ = try await session.auth.deactivate(.init())
        try AuthCommand.setToken("")
    }
}

struct AuthRotateRootToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-root-token", abstract: "Replace the token of pach:root, and print the new one.")
    @Option(name: .customLong("supply-token"), parsing: .unconditional, help: "The new token (default: a fresh one).")
    var token: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let caller = try await session.auth.whoAmI(.init()).username
        let fresh = try await session.auth.rotateRootToken(.with { $0.rootToken = token ?? "" }).rootToken
        try Console.line(fresh)
        if caller == "pach:root" { try AuthCommand.setToken(fresh) }
    }
}

struct AuthLogin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Log in with the browser, where the server offers it.",
        discussion: "Servers of Spile give tokens instead: see auth get-robot-token and auth use-auth-token.")
    @Argument(help: .hidden) var ignored: [String] = []
    @Flag(name: [.customLong("no-browser"), .customShort("b")], help: "Print the address instead of opening it.")
    var noBrowser = false
    @Flag(name: [.customLong("id-token"), .customShort("t")], help: "Take an ID token on stdin.")
    var idToken = false
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let given = idToken ? try AuthCommand.tokenOnInput() : ""
        let session = try await Session.open(global)
        var request = AuthV2_AuthenticateRequest()
        if idToken {
            request.idToken = given
        } else {
            let login = try await session.auth.getOIDCLogin(.init())
            try Console.line("Open this address in a browser:\n\n\(login.loginURL)\n")
            request.oidcState = login.state
        }
        try AuthCommand.setToken(try await session.auth.authenticate(request).pachToken)
    }
}

extension AuthCommand {
    /// The first word on stdin.
    static func tokenOnInput() throws -> String {
        if Descriptor.input.isTerminal { Console.note("Please paste the token, then press return:") }
        guard let token = readLine()?.split(separator: " ").first else { throw Failure("no token on stdin") }
        return String(token)
    }
}
