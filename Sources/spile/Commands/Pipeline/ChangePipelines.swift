import API
import ArgumentParser

struct StartPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Start a stopped pipeline again.",
            discussion: "  \(Program.name) start pipeline ticks")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        _ = try await session.pps.startPipeline(.with { $0.pipeline = name })
    }
}

struct StopPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Stop a pipeline; its repo and its place in the source stay.",
            discussion: "  \(Program.name) stop pipeline ticks")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        _ = try await session.pps.stopPipeline(
            .with {
                $0.pipeline = name
                $0.mustExist = true
            })
    }
}

struct RerunPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Run a pipeline again on the newest of its inputs.",
            discussion: "  \(Program.name) rerun pipeline means --reprocess")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @Flag(help: "Also the datums that were done.")
    var reprocess = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        _ = try await session.pps.rerunPipeline(
            .with {
                $0.pipeline = name
                $0.reprocess = reprocess
            })
    }
}

struct RunCron: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "cron", abstract: "Let a pipeline's clock strike now.",
            discussion: """
                Makes one tick in each cron input of the pipeline, named by the present time. An @every schedule \
                counts on from it.

                  \(Program.name) run cron nightly
                """)
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        _ = try await session.pps.runCron(.with { $0.pipeline = name })
    }
}

struct DeletePipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Delete a pipeline and what it made.",
            discussion: "  \(Program.name) delete pipeline ticks --keep-repo")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String?
    @Flag(help: "Delete every pipeline of the project.")
    var all = false
    @Flag(name: [.customLong("force"), .customShort("f")], help: "Delete it also where others depend on it.")
    var force = false
    @Flag(name: .customLong("keep-repo"), help: "Keep the output repo and its data.")
    var keepRepo = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if all == (pipeline != nil) { throw Failure("name one pipeline, or give --all") }
        if everywhere.all && !all { throw Failure("--all-projects goes with --all only") }
        let session = try await Session.open(global)
        let scope = project.name(session)
        guard let pipeline else {
            let request = PpsV2_DeletePipelinesRequest.with {
                if everywhere.all { $0.all = true } else { $0.projects = [.with { $0.name = scope }] }
                $0.force = force
                $0.keepRepo = keepRepo
            }
            _ = try await session.pps.deletePipelines(request)
            return
        }
        let name = try PpsV2_Pipeline.named(pipeline, project: scope)
        _ = try await session.pps.deletePipeline(
            .with {
                $0.pipeline = name
                $0.force = force
                $0.keepRepo = keepRepo
                $0.mustExist = true
            })
    }
}
