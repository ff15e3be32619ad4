import API
import ArgumentParser
import SwiftProtobuf

struct ListDatum: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "datum", abstract: "List the datums of a job, or those a spec would make.",
            discussion: """
                  \(Program.name) list datum means@<job id>
                  \(Program.name) list datum -f means.yaml
                """)
    }

    @Argument(help: "<pipeline>@<job id>")
    var job: String?
    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditional,
        help: "A pipeline spec, instead of a job: a path, a URL, or -.")
    var file: String?
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if (job == nil) == (file == nil) { throw Failure("name one job, or give a spec with --file") }
        let raw = try raw.format
        let spec = try file.map { try PipelineApplication.readSpecs($0) }?.first
        let session = try await Session.open(global)
        let name = project.name(session)
        var request = PpsV2_ListDatumRequest()
        if let job { request.job = try .named(job, project: name) }
        if let spec {
            let pipeline = try PpsV2_CreatePipelineRequest(jsonString: spec.json.compact)
            let home = pipeline.pipeline.project.name
            request.input = pipeline.input
            request.input.fillProject(home.isEmpty ? name : home)
        }
        try await session.pps.listDatum(request) { response in
            try await Listing.show(response, "ID|FILES|STATUS|TIME", raw: raw) { info in
                [
                    info.datum.id.isEmpty ? "-" : info.datum.id, info.data.map(JobText.file).joined(separator: ", "),
                    JobText.state(info.state), info.hasStats ? PpsText.span(JobText.total(info.stats)) : "-",
                ]
            }
        }
    }
}

extension PpsV2_Input {
    /// Puts the project into every part that names none.
    mutating func fillProject(_ name: String) {
        if hasPfs && pfs.project.isEmpty { pfs.project = name }
        if hasCron && cron.project.isEmpty { cron.project = name }
        for index in cross.indices { cross[index].fillProject(name) }
        for index in join.indices { join[index].fillProject(name) }
        for index in union.indices { union[index].fillProject(name) }
        for index in group.indices { group[index].fillProject(name) }
    }
}

struct InspectDatum: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "datum", abstract: "Show a datum of a job.",
            discussion: "  \(Program.name) inspect datum means@<job id> <datum id>")
    }

    @Argument(help: "<pipeline>@<job id>")
    var job: String
    @Argument(help: "The datum's id.")
    var datum: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let name = try PpsV2_Job.named(job, project: project.name(session))
        let info = try await session.pps.inspectDatum(
            .with {
                $0.datum.job = name
                $0.datum.id = datum
            })
        if let raw { return try raw.show(info) }
        try Console.write(try Self.text(info))
    }

    private static func text(_ info: PpsV2_DatumInfo) throws -> String {
        let stats = info.stats
        var text = "ID\t\(info.datum.id)\nJob ID\t\(info.datum.job.id)\nImage ID\t\(info.imageID)\n"
        text += "State\t\(JobText.state(info.state).uppercased())\n"
        text += "Data Downloaded\t\(formatSize(stats.downloadBytes))\nData Uploaded\t\(formatSize(stats.uploadBytes))\n"
        text +=
            "Total Time\t\(PpsText.span(JobText.total(stats)))\nDownload Time\t\(PpsText.span(stats.downloadTime))\n"
        text += "Process Time\t\(PpsText.span(stats.processTime))\nUpload Time\t\(PpsText.span(stats.uploadTime))\n"
        func table(_ title: String, _ files: [PfsV2_File]) throws {
            text += title + ":\n"
            var table = Table("  REPO|COMMIT|PATH") { text += $0 }
            for file in files {
                try table.add(["  " + PfsText.repo(PfsText.repo(of: file.commit)), file.commit.id, file.path])
            }
            try table.flush()
        }
        if info.hasPfsState { try table("PFS State", [info.pfsState]) }
        try table("Inputs", info.data.map(\.file))
        return text
    }
}

struct RestartDatum: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "datum", abstract: "Start the datums with these files again.",
            discussion: "  \(Program.name) restart datum means@<job id> /a.csv,/b.csv")
    }

    @Argument(help: "<pipeline>@<job id>")
    var job: String
    @Argument(help: "Paths or hashes of the datum's files, separated by commas.")
    var files: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Job.named(job, project: project.name(session))
        _ = try await session.pps.restartDatum(
            .with {
                $0.job = name
                $0.dataFilters = files.split(separator: ",").map(String.init)
            })
    }
}
