import API
import ArgumentParser

struct CheckStatus: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "status", abstract: "List the pipelines that are not well, and why.",
            discussion: "  \(Program.name) check status --all-projects")
    }

    @Argument(help: .hidden) var ignored: [String] = []
    @Flag(help: "Print the messages of the API instead of a table.")
    var raw = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = project.name(session)
        let request = PpsV2_CheckStatusRequest.with {
            if everywhere.all { $0.all = true } else { $0.project.name = name }
        }
        let raw = raw ? try RawOutput("json") : nil
        try await session.pps.checkStatus(request) { response in
            var table = Table("PROJECT|PIPELINE|ALERT", flushesEachRow: true)
            for try await answer in response.messages {
                if let raw {
                    try raw.show(answer)
                    continue
                }
                for alert in answer.alerts { try table.add([answer.project.name, answer.pipeline.name, alert]) }
            }
            if raw == nil { try table.flush() }
        }
    }
}
