import ArgumentParser

struct ConnectCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "connect", abstract: "Use the server at an address from now on.",
            discussion: "  \(Program.name) connect grpc://build.example.org:30650 --alias build")
    }

    @Argument(help: "[grpc|grpcs://]host[:port]")
    var address: String
    @Option(parsing: .unconditional, help: "The context's name (default: the address as written).")
    var alias: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let place = try Address(address)
        let name = alias.flatMap { $0.isEmpty ? nil : $0 } ?? address
        try ConfigStore(environment: .process).update { config in
            if let existing = config[context: name] {
                if !existing.pachdAddress.isEmpty, (try? Address(existing.pachdAddress)) != place {
                    Console.note(
                        "warning: context \"\(name)\" exists and keeps its address "
                            + "\(existing.pachdAddress); to change it: "
                            + "config update context \(name) --pachd-address \(place)")
                }
            } else {
                config[context: name] = ClientConfig.Context(source: 3, pachdAddress: place.description)
                try Console.line("New context '\(name)' created, will connect to Pachyderm at \(place)")
            }
            config.activeContext = name
            try Console.line("Context '\(name)' set as active")
        }
    }
}
