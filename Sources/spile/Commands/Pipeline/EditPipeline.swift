import API
import ArgumentParser

struct EditPipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Change a pipeline's spec in an editor.",
            discussion: "  \(Program.name) edit pipeline ticks")
    }

    @Argument(help: "The pipeline's name.")
    var pipeline: String
    @Option(parsing: .unconditional, help: "The editor (default: $EDITOR, or vim).")
    var editor: String?
    @Option(
        name: [.customLong("output"), .customShort("o")], parsing: .unconditional,
        help: "Form of the text to edit: json or yaml.")
    var output = ""
    @Flag(help: "Run it again on everything it has done.")
    var reprocess = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try RawOutput(output)
        let session = try await Session.open(global, .init(joinsTransaction: true))
        let name = try PpsV2_Pipeline.named(pipeline, project: project.name(session))
        let info = try await session.pps.inspectPipeline(
            .with {
                $0.pipeline = name
                $0.details = true
            })
        let before = try raw.text(JSON(parsing: info.userSpecJson), isFirst: true)
        let after = try edit(before, suffix: raw.format == .yaml ? "yaml" : "json")
        if after == before { return Console.note("Pipeline unchanged, no update will be performed") }
        let specs = try SpecReader.read(after, source: pipeline)
        guard specs.count == 1 else { throw Failure("the text holds \(specs.count) specs: edit one at a time") }
        try SpecCheck.check(specs[0])
        let edited = specs[0].json["pipeline"]
        let editedProject = edited?["project"]?["name"]?.text ?? name.project.name
        guard edited?["name"]?.text == name.name, editedProject == name.project.name else {
            throw Failure(
                "a pipeline cannot be renamed: keep the name \(name.name) and the project \(name.project.name)")
        }
        let application = PipelineApplication(
            options: try SpecOptions.parse([]), raw: nil, update: true, reprocess: reprocess)
        _ = try await session.pps.createPipelineV2(application.request(specs[0], project: name.project.name))
        session.noteTransaction()
    }

    /// Lets the user change a text. It stays on disk if the new one cannot be used, so that no work is lost.
    private func edit(_ text: String, suffix: String) throws -> String {
        let folder = Environment.process.nonEmpty("TMPDIR") ?? "/tmp"
        let path = "\(folder)/\(pipeline.filter { $0 != "/" })-\(makeCommitID()).pipeline.\(suffix)"
        try Files.replace(path, with: Array(text.utf8))
        let program = editor ?? Environment.process.nonEmpty("EDITOR") ?? "vim"
        let code = try waitFor(try spawn(program.split(separator: " ").map(String.init) + [path]))
        if code != 0 { throw Failure("the editor \(program) ended with code \(code); nothing is changed") }
        let edited = String(decoding: try Files.read(path), as: UTF8.self)
        Console.note("The text is kept in \(path)")
        return edited
    }
}
