import API
import ArgumentParser

/// Whose defaults: the whole server's, or one project's.
struct DefaultsScope: ParsableArguments {
    @Flag(help: "The defaults of all pipelines of the server.")
    var cluster = false
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The defaults of the pipelines of one project.", valueName: "name"))
    var project: String?

    init() {}

    func validate() throws {
        if cluster == (project != nil) { throw ValidationError("say whose defaults: --cluster or --project <name>") }
    }
}

/// What follows from a change of defaults.
struct DefaultsEffect: ParsableArguments {
    @Flag(help: "Apply the change to the pipelines that exist.")
    var regenerate = false
    @Flag(help: "Also run them again on everything they have done.")
    var reprocess = false
    @Flag(name: .customLong("dry-run"), help: "Say which pipelines would change, and change nothing.")
    var dryRun = false

    init() {}
}

struct InspectDefaults: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "defaults", abstract: "Print what specs start from.",
            discussion: "  \(Program.name) inspect defaults --cluster")
    }

    @OptionGroup var scope: DefaultsScope
    @Flag(help: "Print the stored text as it is.")
    var raw = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        if let project = scope.project {
            let answer = try await session.pps.getProjectDefaults(.with { $0.project.name = project })
            return try Console.line(answer.projectDefaultsJson)
        }
        try Console.line(try await session.pps.getClusterDefaults(.init()).clusterDefaultsJson)
    }
}

struct CreateDefaults: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "defaults", abstract: "Set what specs start from.",
            discussion: """
                  echo '{"create_pipeline_request": {"datum_tries": 1}}' | \(Program.name) create defaults --cluster
                """)
    }

    @OptionGroup var scope: DefaultsScope
    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The defaults, JSON or YAML: a path, a URL, or - for stdin, the default.")
    var file = "-"
    @OptionGroup var effect: DefaultsEffect
    @OptionGroup var global: GlobalOptions

    func run() async throws { try await DefaultsChange.run(scope, file: file, effect, global) }
}

struct UpdateDefaults: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "defaults", abstract: "Change what specs start from.",
            discussion: "  \(Program.name) update defaults --project weather -f defaults.yaml --regenerate")
    }

    @OptionGroup var scope: DefaultsScope
    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "The defaults, JSON or YAML: a path, a URL, or - for stdin, the default.")
    var file = "-"
    @OptionGroup var effect: DefaultsEffect
    @OptionGroup var global: GlobalOptions

    func run() async throws { try await DefaultsChange.run(scope, file: file, effect, global) }
}

struct DeleteDefaults: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "defaults", abstract: "Clear what specs start from.",
            discussion: "  \(Program.name) delete defaults --cluster")
    }

    @OptionGroup var scope: DefaultsScope
    @OptionGroup var effect: DefaultsEffect
    @OptionGroup var global: GlobalOptions

    func run() async throws { try await DefaultsChange.run(scope, file: nil, effect, global) }
}

private enum DefaultsChange {
    /// Without a file the defaults become empty.
    static func run(
        _ scope: DefaultsScope, file: String?, _ effect: DefaultsEffect, _ global: GlobalOptions
    ) async throws {
        var text = "{}"
        if let file {
            let (given, name) = try TextSource.text(
                file, hint: "Reading the defaults from stdin; end them with Ctrl-D.")
            let documents = try SpecReader.read(given, source: name)
            guard documents.count == 1 else {
                throw Failure("\(name) holds \(documents.count) documents: one is wanted")
            }
            text = documents[0].json.compact
        }
        let session = try await Session.open(global)
        var affected: [PpsV2_Pipeline]
        if let project = scope.project {
            affected = try await session.pps.setProjectDefaults(
                .with {
                    $0.project.name = project
                    $0.projectDefaultsJson = text
                    $0.regenerate = effect.regenerate || effect.reprocess
                    $0.reprocess = effect.reprocess
                    $0.dryRun = effect.dryRun
                }
            ).affectedPipelines
        } else {
            affected = try await session.pps.setClusterDefaults(
                .with {
                    $0.clusterDefaultsJson = text
                    $0.regenerate = effect.regenerate || effect.reprocess
                    $0.reprocess = effect.reprocess
                    $0.dryRun = effect.dryRun
                }
            ).affectedPipelines
        }
        guard effect.regenerate || effect.reprocess else { return }
        if affected.isEmpty { return try Console.line("no affected pipelines") }
        try Console.line("affected pipelines:")
        for pipeline in affected { try Console.line("\t\(pipeline.project.name)/\(pipeline.name)") }
    }
}
