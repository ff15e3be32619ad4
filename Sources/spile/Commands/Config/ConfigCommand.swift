import ArgumentParser

/// `config …`: what this machine knows of servers. None of these dials, and each works on a config whose active context
/// is broken, because it is what mends it.
struct ConfigCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "config", abstract: "Show and change which servers this machine knows.",
            discussion: """
                A context is a server by name: its address, the token for it, the project in use.

                  \(Program.name) config list context
                  \(Program.name) config set active-context build
                  \(Program.name) config update context --project weather
                """,
            subcommands: [
                ConfigGet.self, ConfigSet.self, ConfigUpdate.self, ConfigDelete.self, ConfigList.self,
            ])
    }

    static var store: ConfigStore { ConfigStore(environment: .process) }
}

struct ConfigGet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print a setting.",
        subcommands: [GetMetrics.self, GetActiveContext.self, GetActiveEnterpriseContext.self, GetContext.self])
}

struct ConfigSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Change a setting.",
        subcommands: [SetMetrics.self, SetActiveContext.self, SetActiveEnterpriseContext.self, SetContext.self])
}

struct ConfigUpdate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change parts of a context.", subcommands: [UpdateContext.self])
}

struct ConfigDelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forget a context.", subcommands: [DeleteContext.self])
}

struct ConfigList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the contexts.", subcommands: [ListContext.self])
}

struct GetMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print whether calls carry this user's id. Nothing is ever sent elsewhere.")
    @Argument(help: .hidden) var ignored: [String] = []
    @OptionGroup var global: GlobalOptions

    func run() throws { try Console.line(String(ConfigCommand.store.load().metrics)) }
}

struct SetMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Say whether calls carry this user's id: true or false.")
    @Argument(help: "true or false") var value: String
    @OptionGroup var global: GlobalOptions

    func run() throws {
        guard value == "true" || value == "false" else { throw Failure("\"\(value)\" is neither true nor false") }
        try ConfigCommand.store.update { $0.metrics = value == "true" }
    }
}

struct GetActiveContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "active-context", abstract: "Print the name of the context in use.")
    @Argument(help: .hidden) var ignored: [String] = []
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let name = try ConfigCommand.store.load().activeName(.process)
        try Console.line(name.isEmpty ? "NONE" : name)
    }
}

struct SetActiveContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "active-context", abstract: "Use another context from now on.")
    @Argument(help: "The context's name.") var name: String
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try ConfigCommand.store.update { config in
            try config.requireContext(name)
            config.activeContext = name
        }
        if let forced = Environment.process.nonEmpty("PACH_CONTEXT"), forced != name {
            Console.note("warning: PACH_CONTEXT=\(forced) is set and stays above this")
        }
    }
}

struct GetActiveEnterpriseContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "active-enterprise-context", abstract: "Print the name of the context used for accounts.")
    @Argument(help: .hidden) var ignored: [String] = []
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let config = try ConfigCommand.store.load()
        let name = Environment.process.nonEmpty("PACH_ENTERPRISE_CONTEXT") ?? config.activeEnterpriseContext
        try Console.line(name.isEmpty ? "NONE" : name)
    }
}

struct SetActiveEnterpriseContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "active-enterprise-context", abstract: "Use a context for accounts from now on.")
    @Argument(help: "The context's name.") var name: String
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try ConfigCommand.store.update { config in
            try config.requireContext(name)
            config.activeEnterpriseContext = name
        }
    }
}

extension ClientConfig {
    func requireContext(_ name: String) throws {
        if self[context: name] != nil { return }
        let names = contexts.map(\.name).sorted()
        throw Failure(
            "context does not exist: \(name)" + (names.isEmpty ? "" : "; there is \(names.joined(separator: ", "))"))
    }
}
