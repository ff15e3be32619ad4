import ArgumentParser

struct GetContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context", abstract: "Print a context as JSON.")
    @Argument(help: "The context's name.") var name: String
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let config = try ConfigCommand.store.load()
        try config.requireContext(name)
        try Console.line(config[context: name]!.json(enumNames: true).pretty)
    }
}

struct SetContext: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "context", abstract: "Store a context from JSON on stdin.",
            discussion: """
                  echo '{"pachd_address": "grpc://pachd:30650"}' | \(Program.name) config set context here --overwrite
                """)
    }
    @Argument(help: "The context's name.") var name: String
    @Flag(help: "Replace a context of that name.") var overwrite = false
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let store = ConfigCommand.store
        let config = try store.load()
        if config[context: name] != nil && !overwrite {
            throw Failure("context already exists: \(name); add --overwrite to replace it")
        }
        let (text, _) = try TextSource.text("-", hint: "Reading the context from stdin; end it with Ctrl-D.")
        let context = try ClientConfig.Context(strict: text)
        try store.update { $0[context: name] = context }
    }
}

struct UpdateContext: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "context", abstract: "Change parts of a context; an empty text clears one.",
            discussion: """
                  \(Program.name) config update context --project weather
                  \(Program.name) config update context build --pachd-address grpc://10.0.0.7:30650
                """)
    }
    @Argument(help: "The context's name (default: the one in use).") var name: String?
    @Option(name: .customLong("pachd-address"), parsing: .unconditional, help: "The server's address.")
    var pachdAddress: String?
    @Option(name: .customLong("cluster-name"), parsing: .unconditional, help: "Kubernetes cluster.")
    var clusterName: String?
    @Option(name: .customLong("auth-info"), parsing: .unconditional, help: "Kubernetes user.")
    var authInfo: String?
    @Option(name: .customLong("server-cas"), parsing: .unconditional, help: "Roots to trust, as base64 of PEM.")
    var serverCAs: String?
    @Option(parsing: .unconditional, help: "Kubernetes namespace.")
    var namespace: String?
    @Option(parsing: .unconditional, help: "The project of names that say none.")
    var project: String?
    @Flag(name: .customLong("remove-cluster-deployment-id"), help: "Forget which server this was.")
    var removeClusterDeploymentID = false
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try ConfigCommand.store.update { config in
            var name = name ?? ""
            if name.isEmpty {
                name = config.activeName(.process)
                if name.isEmpty { throw Failure("no context is in use: name the one to change") }
                try Console.line("editing the currently active context \"\(name)\"")
            }
            try config.requireContext(name)
            var context = config[context: name]!
            if let pachdAddress {
                context.pachdAddress = pachdAddress.isEmpty ? "" : try Address(pachdAddress).description
            }
            if let clusterName { context.clusterName = clusterName }
            if let authInfo { context.authInfo = authInfo }
            if let serverCAs { context.serverCAs = serverCAs }
            if let namespace { context.namespace = namespace }
            if let project { context.project = project }
            if removeClusterDeploymentID { context.clusterDeploymentID = "" }
            config[context: name] = context
        }
    }
}

struct DeleteContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context", abstract: "Forget a context that is not in use.")
    @Argument(help: "The context's name.") var name: String
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try ConfigCommand.store.update { config in
            try config.requireContext(name)
            if config.activeContext == name {
                throw Failure(
                    "cannot delete an active context: choose another first with \"config set active-context\"")
            }
            config[context: name] = nil
        }
    }
}

struct ListContext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context", abstract: "List the contexts; * is in use, E is used for accounts.")
    @Argument(help: .hidden) var ignored: [String] = []
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let config = try ConfigCommand.store.load()
        let active = config.activeName(.process)
        let enterprise = Environment.process.nonEmpty("PACH_ENTERPRISE_CONTEXT") ?? config.activeEnterpriseContext
        try Console.line("ACTIVE\tNAME")
        for name in config.contexts.map(\.name).sorted() {
            try Console.line("\(name == enterprise ? "E" : "")\(name == active ? "*" : "")\t\(name)")
        }
    }
}
