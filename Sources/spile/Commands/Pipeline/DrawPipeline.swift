import API
import ArgumentParser

struct DrawVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "draw", abstract: "Draw pipelines and what they read.", subcommands: [DrawPipeline.self])
}

struct DrawPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Draw a project's pipelines, and the repos that they read.",
            discussion: """
                  \(Program.name) draw pipeline
                  \(Program.name) draw pipeline --commit <id> > pipelines.txt

                Repos that no pipeline writes have round corners. A line belongs to the box above it: + is a corner or \
                a fork of it, and where lines cross without one, each goes on straight.
                """)
    }

    /// Scripts name one, as the original takes it, and as there it says nothing.
    @Argument(help: .hidden)
    var ignored: String?
    @Option(
        name: [.customLong("commit"), .customShort("c")], parsing: .unconditional,
        help: "Draw them as they were when this commit set was made.")
    var commit: String?
    @Option(
        name: .customLong("box-width"), parsing: .unconditional,
        help: "Columns of text in a box; a longer name takes several lines.")
    var boxWidth = 11
    @Option(
        name: .customLong("edge-height"), parsing: .unconditional,
        help: "Lines between two rows of boxes; there are more where many arrows cross.")
    var edgeHeight = 5
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard (1...200).contains(boxWidth) else { throw Failure("--box-width \(boxWidth) is not from 1 to 200") }
        guard (1...200).contains(edgeHeight) else { throw Failure("--edge-height \(edgeHeight) is not from 1 to 200") }
        let session = try await Session.open(global)
        let name = project.name(session)
        let request = PpsV2_ListPipelineRequest.with {
            $0.details = true
            $0.projects = [.with { $0.name = name }]
            if let commit { $0.commitSet.id = commit }
        }
        let pipelines = try await session.pps.listPipeline(request) { response in
            var pipelines: [PpsV2_PipelineInfo] = []
            for try await info in response.messages { pipelines.append(info) }
            return pipelines
        }
        if pipelines.isEmpty { return Console.note("project \(name) has no pipelines") }
        let style = Diagram.Style(boxWidth: boxWidth, edgeHeight: edgeHeight)
        try Console.write(Diagram(pipelines, of: name).text(style))
    }
}

extension Diagram {
    /// Pipelines of a project and what they read; what is of another project stands as `project/name`.
    init(_ pipelines: [PpsV2_PipelineInfo], of project: String) {
        func label(_ name: String, _ home: String) -> String {
            home.isEmpty || home == project ? name : "\(home)/\(name)"
        }
        var boxes: [Box] = []
        var arrows: [(from: String, to: String)] = []
        for info in pipelines {
            let target = label(info.pipeline.name, info.pipeline.project.name)
            boxes.append(Box(label: target, isRound: false))
            for repo in info.details.input.repos(readBy: info.pipeline) {
                arrows.append((from: label(repo.name, repo.project), to: target))
            }
        }
        // After the pipelines: the first box of a label counts.
        boxes += arrows.map { Box(label: $0.from, isRound: true) }
        self.init(boxes, arrows: arrows)
    }
}

extension PpsV2_Input {
    /// The repos of all its parts, with their projects.
    func repos(readBy pipeline: PpsV2_Pipeline) -> [(project: String, name: String)] {
        var result: [(project: String, name: String)] = []
        if hasPfs {
            let type = ["", "user"].contains(pfs.repoType) ? "" : ".\(pfs.repoType)"
            result.append((pfs.project.isEmpty ? pipeline.project.name : pfs.project, pfs.repo + type))
        }
        if hasCron {
            let repo = cron.repo.isEmpty ? "\(pipeline.name)_\(cron.name)" : cron.repo
            result.append((cron.project.isEmpty ? pipeline.project.name : cron.project, repo))
        }
        for part in join + group + cross + union { result += part.repos(readBy: pipeline) }
        return result
    }
}
