import API
import ArgumentParser

extension PpsV2_Pipeline {
    /// A pipeline by name; a project may stand in front: `project/name`.
    static func named(_ text: String, project: String) throws -> PpsV2_Pipeline {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.last, !name.isEmpty else { throw Failure("a pipeline's name cannot be empty") }
        return .with {
            $0.name = name
            $0.project.name = parts.count == 2 ? parts[0] : project
        }
    }
}

struct ListPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "List pipelines, with the state of each and of its last job.",
            discussion: "  \(Program.name) list pipeline --state crashing --state failure")
    }

    static let states: Set<String> = [
        "PIPELINE_STARTING", "PIPELINE_RUNNING", "PIPELINE_RESTARTING", "PIPELINE_FAILURE", "PIPELINE_PAUSED",
        "PIPELINE_STANDBY", "PIPELINE_CRASHING",
    ]

    @Argument(help: "Only this pipeline.")
    var pipeline: String?
    @Flag(name: [.customLong("spec"), .customShort("s")], help: "Print the specs.")
    var spec = false
    @Option(parsing: .unconditional, help: "Older versions too: none, all, or how many.")
    var history = "none"
    @Option(name: [.customLong("commit"), .customShort("c")], parsing: .unconditional, help: "As of this commit's id.")
    var commit: String?
    @Option(parsing: .unconditionalSingleValue, help: "Only pipelines in this state; repeat it for several.")
    var state: [String] = []
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if spec && raw.raw { throw Failure("--spec and --raw exclude each other: specs are printed raw already") }
        let raw = try raw.format
        let filter = try PpsText.stateFilter(state, prefix: "PIPELINE_", known: Self.states)
        let versions = try PpsText.history(history)
        let session = try await Session.open(global)
        let name = project.name(session)
        var request = PpsV2_ListPipelineRequest.with {
            $0.history = versions
            $0.details = true
            $0.jqFilter = filter
            if let commit { $0.commitSet.id = commit }
            if !everywhere.all { $0.projects = [.with { $0.name = name }] }
        }
        if let pipeline { request.pipeline = try .named(pipeline, project: name) }
        let (style, palette, wantsSpec) = (times.style, Palette(global), spec)
        let alerts = try await session.pps.listPipeline(request) { response in
            var listing = Listing<PpsV2_PipelineInfo>(PpsText.pipelineHeader, raw: raw) {
                PpsText.pipelineRow($0, style, palette)
            }
            var alerts = 0
            for try await info in response.messages {
                if PpsText.needsAttention(info.state) { alerts += 1 }
                if wantsSpec {
                    try Console.write((raw ?? RawOutput("")).text(JSON(parsing: info.userSpecJson), isFirst: true))
                } else {
                    try listing.add(info)
                }
            }
            if !wantsSpec { try listing.finish() }
            return alerts
        }
        if alerts > 0, raw == nil, !spec {
            Console.note("Pipelines marked with * are not healthy; \"inspect pipeline <name>\" tells the reason.")
        }
    }
}

struct InspectPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Show a pipeline: its state and why, its workers, its spec.",
            discussion: "  \(Program.name) inspect pipeline ticks")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        let info = try await session.pps.inspectPipeline(
            .with {
                $0.pipeline = name
                $0.details = true
            })
        if let raw { return try raw.show(info) }
        try Console.write(PpsText.inspect(info, times.style, Palette(global)))
    }
}
