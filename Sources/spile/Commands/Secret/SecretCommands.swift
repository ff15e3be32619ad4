import API
import ArgumentParser

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct CreateSecret: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "secret", abstract: "Store a secret for pipelines' code.",
            discussion: """
                The file is a Kubernetes Secret manifest, JSON or YAML: metadata.name, data with values in base64, \
                stringData with plain ones. Specs use it by transform.secrets, as a variable (env_var and key) or as \
                files (mount_path). No command shows a value again.

                  \(Program.name) create secret -f token.json
                """)
    }

    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The manifest: a path, a URL, or - for stdin, the default.")
    var file = ""
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let (text, name) = try TextSource.text(file, hint: "Reading the manifest from stdin; end it with Ctrl-D.")
        // JSON is sent as it is; not every server reads YAML.
        let manifests =
            (try? JSON(parsing: text)) != nil ? [text] : try SpecReader.read(text, source: name).map(\.json.compact)
        let session = try await Session.open(global)
        for manifest in manifests { _ = try await session.pps.createSecret(.with { $0.file = Data(manifest.utf8) }) }
    }
}

struct ListSecret: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "secret", abstract: "List the secrets by name; never their values.",
            discussion: "  \(Program.name) list secret")
    }

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try SecretRows.show(try await session.pps.listSecret(.init()).secretInfo)
    }
}

struct InspectSecret: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "secret", abstract: "Show a secret, without its value.",
            discussion: "  \(Program.name) inspect secret token")
    }

    @Argument(help: "The secret's name.")
    var name: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        try SecretRows.show([try await session.pps.inspectSecret(.with { $0.secret.name = name })])
    }
}

struct DeleteSecret: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "secret", abstract: "Delete a secret.", discussion: "  \(Program.name) delete secret token")
    }

    @Argument(help: "The secret's name.")
    var name: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        _ = try await session.pps.deleteSecret(.with { $0.secret.name = name })
    }
}

private enum SecretRows {
    static func show(_ infos: [PpsV2_SecretInfo]) throws {
        let style = TimeStyle()
        var table = Table("NAME|TYPE|CREATED")
        for info in infos {
            try table.add([
                info.secret.name, info.type, style.text(info.creationTimestamp, if: info.hasCreationTimestamp),
            ])
        }
        try table.flush()
    }
}
