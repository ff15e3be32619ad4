import API
import ArgumentParser

/// What `create pipeline` and `update pipeline` share.
struct SpecOptions: ParsableArguments {
    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The spec: a path, a URL, or - for stdin, the default. YAML or JSON, one spec or several.")
    var file = ""
    @Option(parsing: .unconditional, help: "A jsonnet template instead; the server renders it.")
    var jsonnet = ""
    @Option(
        name: .customLong("arg"), parsing: .unconditionalSingleValue,
        help: "A parameter of the template, name=value; repeat it.")
    var arguments: [String] = []
    @Flag(name: [.customLong("push-images"), .customShort("p")], help: .hidden)
    var pushImages = false
    @Option(name: [.customLong("registry"), .customShort("r")], parsing: .unconditional, help: .hidden)
    var registry = "index.docker.io"
    @Option(name: [.customLong("username"), .customShort("u")], parsing: .unconditional, help: .hidden)
    var username = ""
    @Flag(name: .customLong("dry-run"), help: "Print the spec as it would be, and change nothing.")
    var dryRun = false

    init() {}
}

struct CreatePipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Make a pipeline from a spec.",
            discussion: """
                  \(Program.name) create pipeline -f spout.yaml

                A spec of a spout, code that reads an outside source and writes what it reads:

                  pipeline: {name: ticks}
                  transform: {cmd: [python3, /code/ticks.py]}
                  spout: {}
                """)
    }

    @OptionGroup var spec: SpecOptions
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await PipelineApplication(options: spec, raw: try raw.format, update: false, reprocess: false)
            .run(project, global)
    }
}

struct UpdatePipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Change a pipeline to what a spec says, or make it.",
            discussion: "  \(Program.name) update pipeline -f spout.yaml")
    }

    @OptionGroup var spec: SpecOptions
    @Flag(help: "Run it again on everything it has done.")
    var reprocess = false
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await PipelineApplication(options: spec, raw: try raw.format, update: true, reprocess: reprocess)
            .run(project, global)
    }
}

/// Reads specs, checks them all, then sends one after the other.
struct PipelineApplication {
    let options: SpecOptions
    let raw: RawOutput?
    let update: Bool
    let reprocess: Bool

    func run(_ project: ProjectOption, _ global: GlobalOptions) async throws {
        if options.pushImages {
            throw Failure(
                "--push-images is not offered: push the image with docker, and name it with its tag in the spec")
        }
        if !options.file.isEmpty && !options.jsonnet.isEmpty {
            throw Failure("--file and --jsonnet exclude each other")
        }
        var specs: [SpecDocument] = []
        if options.jsonnet.isEmpty { specs = try Self.readSpecs(options.file) }
        let session = try await Session.open(global, .init(joinsTransaction: true))
        if !options.jsonnet.isEmpty { specs = try await render(session) }
        let name = project.name(session)
        var isFirst = true
        for spec in specs {
            let answer = try await session.pps.createPipelineV2(request(spec, project: name))
            if options.dryRun {
                let effective = try JSON(parsing: answer.effectiveCreatePipelineRequestJson)
                try Console.write(raw?.text(effective, isFirst: isFirst) ?? effective.pretty + "\n")
                isFirst = false
            } else {
                session.noteTransaction()
            }
        }
    }

    /// Reads and checks every spec before anything is sent.
    static func readSpecs(_ place: String) throws -> [SpecDocument] {
        let (text, name) = try TextSource.text(place, hint: "Reading the pipeline spec from stdin; end it with Ctrl-D.")
        let specs = try SpecReader.read(text, source: name)
        for spec in specs {
            try SpecCheck.check(spec)
            if let warning = SpecCheck.imageWarning(spec) { Console.note(warning) }
        }
        return specs
    }

    private func render(_ session: Session) async throws -> [SpecDocument] {
        let (template, name) = try TextSource.text(options.jsonnet, hint: "Reading the template from stdin.")
        var request = PpsV2_RenderTemplateRequest.with { $0.template = template }
        for argument in options.arguments {
            guard let equals = argument.firstIndex(of: "=") else {
                throw Failure("--arg \(argument) has no value: write --arg name=value")
            }
            request.args[String(argument[..<equals])] = String(argument[argument.index(after: equals)...])
        }
        let answer = try await session.pps.renderTemplate(request)
        let specs = try SpecReader.read(answer.json, source: name)
        try specs.forEach(SpecCheck.check)
        return specs
    }

    /// The call for one spec. What the spec says about update and reprocess is above the flags, for this spec only.
    func request(_ spec: SpecDocument, project: String) -> PpsV2_CreatePipelineV2Request {
        var json = spec.json
        if (json["pipeline"]?["project"]?["name"]?.text ?? "").isEmpty {
            json["pipeline"]?["project"] = .object([JSON.Member(key: "name", value: .string(project))])
        }
        return .with {
            $0.createPipelineRequestJson = json.compact
            $0.update = json["update"]?.flag ?? update
            $0.reprocess = json["reprocess"]?.flag ?? reprocess
            $0.dryRun = options.dryRun || json.either("dry_run", "dryRun")?.flag ?? false
        }
    }
}

struct ValidatePipeline: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pipeline", abstract: "Check a pipeline spec without a server.",
            discussion: "  \(Program.name) validate pipeline -f spout.yaml")
    }

    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The spec: a path, a URL, or - for stdin, the default.")
    var file = ""
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        _ = try PipelineApplication.readSpecs(file)
    }
}
