import API
import ArgumentParser
import GRPCCore

struct ListFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "List the files and folders in a folder of a commit.",
            discussion: "  \(Program.name) list file logs@master:/2026")
    }

    @Argument(help: "<repo>@<branch-or-commit>[:<path>]")
    var folder: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.file(folder, project: project.name(session))
        let request = PfsV2_ListFileRequest.with { $0.file = reference.wireFile }
        try await session.pfs.listFile(request) { try await FileRows.show($0, raw) }
    }
}

struct GlobFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "List the files of a commit that match a pattern.",
            discussion: """
                * stands for part of a name, ** for any number of folders, {a,b} for either. Quote it for the shell.

                  \(Program.name) glob file "logs@master:/**.csv"
                """)
    }

    @Argument(help: "<repo>@<branch-or-commit>:<pattern>")
    var pattern: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.file(pattern, project: project.name(session))
        let request = PfsV2_GlobFileRequest.with {
            $0.commit = reference.wireCommit
            $0.pattern = reference.path ?? ""
        }
        try await session.pfs.globFile(request) { try await FileRows.show($0, raw) }
    }
}

/// The plain table of files: two columns with a tab between, written as rows arrive.
enum FileRows {
    static func show(_ response: StreamingClientResponse<PfsV2_FileInfo>, _ raw: RawOutput?) async throws {
        var isFirst = true
        var pending = raw == nil ? row("SIZE", "NAME") : ""
        for try await info in response.messages {
            if let raw {
                pending += try raw.text(info, isFirst: isFirst)
            } else {
                pending += row(formatSize(info.sizeBytes), info.file.path)
            }
            isFirst = false
            if pending.utf8.count > 16 * 1024 {
                try Console.write(pending)
                pending = ""
            }
        }
        try Console.write(pending)
    }

    static func row(_ size: String, _ name: String) -> String {
        size + String(repeating: " ", count: max(0, 7 - size.count)) + "\t" + name + "\n"
    }
}

struct InspectFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Show a file's type and size.",
            discussion: "  \(Program.name) inspect file logs@master:/greeting")
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>")
    var file: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.file(file, project: project.name(session))
        let info = try await session.pfs.inspectFile(.with { $0.file = reference.wireFile })
        if let raw { return try raw.show(info) }
        let type = info.fileType == .dir ? "dir" : "file"
        try Console.write(
            "Path: \(info.file.path)\nDatum: \(info.file.datum)\nType: \(type)\nSize: \(formatSize(info.sizeBytes))\n")
    }
}
