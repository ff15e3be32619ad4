import API
import ArgumentParser
import GRPCCore

struct DeleteFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Delete a file, or with -r a folder, in a new version of the branch.",
            discussion: "  \(Program.name) delete file logs@master:/greeting")
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>")
    var file: String
    @Flag(name: [.customLong("recursive"), .customShort("r")], help: "Delete a folder and all below it.")
    var recursive = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let reference = try Reference.file(file, project: project.name(session))
        guard let path = reference.path, !path.isEmpty else {
            throw Failure("\"\(file)\" names no file: write <repo>@<branch>:<path>")
        }
        var target = path
        if recursive {
            while target.hasSuffix("/") { target.removeLast() }
            target += "/"
        }
        try await modify(session, reference) { [target] in $0.deleteFile.path = target }
    }
}

struct CopyFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Copy a file or folder without moving its bytes.",
            discussion: "  \(Program.name) copy file logs@master:/2026 archive@master:/logs/2026")
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>")
    var source: String
    @Argument(help: "<repo>@<branch-or-commit>:<path>")
    var destination: String
    @Flag(name: [.customLong("append"), .customShort("a")], help: "Add to a file that exists instead of replacing it.")
    var append = false
    @Option(name: .customLong("src-project"), parsing: .unconditional, help: "Project of the source.")
    var sourceProject: String?
    @Option(name: .customLong("dest-project"), parsing: .unconditional, help: "Project of the destination.")
    var destinationProject: String?
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let common = project.name(session)
        let from = try Reference.file(source, project: sourceProject ?? common)
        let to = try Reference.file(destination, project: destinationProject ?? common)
        try await modify(session, to) { [append] request in
            request.copyFile = .with {
                $0.dst = to.path ?? ""
                $0.src = from.wireFile
                $0.append = append
            }
        }
    }
}

/// One change to a commit, in a stream of its own.
private func modify(
    _ session: Session, _ reference: Reference, _ change: @escaping @Sendable (inout PfsV2_ModifyFileRequest) -> Void
) async throws {
    _ = try await session.pfs.modifyFile { writer in
        // A stream the server has ended already: its answer says why.
        try? await writer.write(contentsOf: [.with { $0.setCommit = reference.wireCommit }, .with(change)])
    }
}
