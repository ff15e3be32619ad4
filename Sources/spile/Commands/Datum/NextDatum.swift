import API
import ArgumentParser
import GRPCCore

/// For code that takes its datums one by one: says how the last one went and waits until the next is laid out.
struct NextDatum: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "datum", abstract: "In a pipeline's code: wait for the next datum.",
            discussion: """
                  while \(Program.name) next datum; do ./process; done
                """)
    }

    @Argument(help: .hidden) var ignored: [String] = []
    @Option(parsing: .unconditional, help: "What went wrong with the last datum.")
    var error = ""
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard let text = Environment.process.nonEmpty("PPS_WORKER_GRPC_PORT"), let port = Int(text) else {
            throw Failure("PPS_WORKER_GRPC_PORT is not set: this works in the code of a pipeline only")
        }
        let endpoint = Endpoint(
            address: Address(kind: .plain, host: "127.0.0.1", port: port), origin: "PPS_WORKER_GRPC_PORT",
            isWorker: true)
        let headers = CallHeaders(command: CallHeaders.commandText(CommandLine.arguments))
        Watchdog.start(endpoint: endpoint, rpcTimeout: try GlobalOptions.timeout(global.rpcTimeout))
        let worker = Pachyderm_Worker_Worker.Client(wrapping: try Session.connect(endpoint, headers))
        _ = try await worker.nextDatum(.with { $0.error = error })
    }
}
