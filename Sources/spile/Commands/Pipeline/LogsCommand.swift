import API
import ArgumentParser
import SwiftProtobuf

struct LogsCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "logs", abstract: "Print what a pipeline's code printed.",
            discussion: """
                  \(Program.name) logs -p ticks -f
                  \(Program.name) logs -j means@<job id> --since 10m
                """)
    }

    @Option(name: [.customLong("pipeline"), .customShort("p")], parsing: .unconditional, help: "The pipeline's name.")
    var pipeline = ""
    @Option(name: [.customLong("job"), .customShort("j")], parsing: .unconditional, help: "<pipeline>@<job id>")
    var job = ""
    @Option(parsing: .unconditional, help: "Only what one datum printed.")
    var datum = ""
    @Option(parsing: .unconditional, help: "Only datums with these files or hashes, separated by commas.")
    var inputs = ""
    @Flag(help: "What the pipeline's own control printed.")
    var master = false
    @Flag(help: "What the workers themselves printed, not the code in them.")
    var worker = false
    @Flag(help: "Print whole records as JSON.")
    var raw = false
    @Flag(name: [.customLong("follow"), .customShort("f")], help: "Wait for more.")
    var follow = false
    @Option(name: [.customLong("tail"), .customShort("t")], parsing: .unconditional, help: .hidden)
    var tail: Int64 = 0
    @Option(parsing: .unconditional, help: "How far back: 10m, 24h.")
    var since: String?
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if tail != 0 { throw Failure("--tail is not offered: use --since, or pipe to tail") }
        if !pipeline.isEmpty && !job.isEmpty { throw Failure("--pipeline and --job exclude each other") }
        let session = try await Session.open(global)
        let request = try request(project: project.name(session))
        let isFiltered = request.hasPipeline || request.hasJob
        let (master, worker, raw, palette) = (master, worker, raw, Palette(global))
        try await session.pps.getLogs(request) { response in
            for try await record in response.messages {
                if isFiltered, !Self.isShown(record, master: master, worker: worker) { continue }
                if raw {
                    try Console.line(JSON(parsing: record.jsonString()).pretty)
                } else {
                    try Console.line(Self.coloured(record.message, palette))
                }
            }
        }
    }

    private func request(project: String) throws -> PpsV2_GetLogsRequest {
        var request = PpsV2_GetLogsRequest()
        if !pipeline.isEmpty { request.pipeline = try .named(pipeline, project: project) }
        if !job.isEmpty {
            let parts = job.split(separator: "@", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure("--job \(job) is not <pipeline>@<job id>") }
            request.job.pipeline = try .named(parts[0], project: project)
            request.job.id = parts[1]
        }
        if !datum.isEmpty {
            request.datum.id = datum
            if request.hasJob { request.datum.job = request.job }
        }
        request.dataFilters = inputs.split(separator: ",").map(String.init)
        request.master = master
        request.follow = follow
        request.since = Google_Protobuf_Duration()
        if let since {
            guard let duration = parseDuration(since) else { throw Failure("--since \(since) is not a duration") }
            request.since.seconds = duration.components.seconds
        }
        return request
    }

    /// Without flags the code's own lines; with a flag only what it asks for.
    static func isShown(_ record: PpsV2_LogMessage, master: Bool, worker: Bool) -> Bool {
        if master && record.master { return true }
        if worker && !record.user && !record.master { return true }
        return !master && !worker && record.user
    }

    /// The second word is coloured where it is a level.
    private static func coloured(_ message: String, _ palette: Palette) -> String {
        guard palette.isOn else { return message }
        var words = message.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count > 1 else { return message }
        switch words[1].lowercased() {
        case "info": words[1] = palette.green(words[1])
        case "warning": words[1] = palette.yellow(words[1])
        case "error": words[1] = palette.red(words[1])
        default: return message
        }
        return words.joined(separator: " ")
    }
}
