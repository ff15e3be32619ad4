import API
import ArgumentParser
import SwiftProtobuf

struct AuthGetConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-config", abstract: "Print how logins by OpenID Connect are configured.")
    @Option(
        name: [.customLong("output-format"), .customShort("o")], parsing: .unconditional, help: "json or yaml.")
    var format = "json"
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try RawOutput(format)
        let session = try await Session.open(global)
        try raw.show(try await session.auth.getConfiguration(.init()).configuration)
    }
}

struct AuthSetConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-config", abstract: "Store how logins by OpenID Connect are configured.",
        discussion: "The server keeps it and gives it back; it offers no such logins yet.")
    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The configuration, JSON: a path, a URL, or - for stdin.")
    var file = "-"
    @Flag(help: .hidden) var enterprise = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let (text, name) = try TextSource.text(file, hint: "Reading the configuration from stdin; end with Ctrl-D.")
        let configuration: AuthV2_OIDCConfig
        do { configuration = try AuthV2_OIDCConfig(jsonString: text) } catch {
            throw Failure("\(name) is no configuration of logins: \(error)")
        }
        let session = try await Session.open(global)
        _ = try await session.auth.setConfiguration(.with { $0.configuration = configuration })
    }
}
