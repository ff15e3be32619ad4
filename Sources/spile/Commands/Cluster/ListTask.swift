import API
import ArgumentParser

/// The original's view of its queues. This server does what a call asks for within the call: there is nothing to see.
struct ListTask: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "task", abstract: "List what a service has queued.", discussion:
                "  \(Program.name) list task pfs", shouldDisplay: false)
    }

    @Argument(help: "pfs or pps.")
    var service: String
    @Option(name: [.customLong("namespace"), .customShort("n")], parsing: .unconditional, help: "Only this namespace.")
    var namespace = ""
    @Option(name: [.customLong("group"), .customShort("g")], parsing: .unconditional, help: "Only this group.")
    var group = ""
    @OptionGroup var raw: RawOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard service == "pfs" || service == "pps" else {
            throw Failure("\"\(service)\" queues nothing: write pfs or pps")
        }
        // The original prints messages whether asked or not.
        let output = try raw.format ?? RawOutput("")
        let session = try await Session.open(global)
        let request = Taskapi_ListTaskRequest.with {
            $0.group.namespace = namespace
            $0.group.group = group
        }
        if service == "pfs" {
            try await session.pfs.listTask(request) { response in
                for try await task in response.messages { try output.show(task) }
            }
        } else {
            try await session.pps.listTask(request) { response in
                for try await task in response.messages { try output.show(task) }
            }
        }
    }
}
