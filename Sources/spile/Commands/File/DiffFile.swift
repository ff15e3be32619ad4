import API
import ArgumentParser
import GRPCCore

struct DiffFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Show what changed in a file or folder.",
            discussion: """
                Compares with the parent commit, or with a second file.

                  \(Program.name) diff file logs@master:/
                  \(Program.name) diff file --name-only logs@master:/ logs@master^3:/
                """)
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>, the new side.")
    var new: String
    @Argument(help: "The old side (default: the parent commit).")
    var old: String?
    @Flag(name: [.customLong("shallow"), .customShort("s")], help: "Show changed folders, not the files in them.")
    var shallow = false
    @Flag(name: .customLong("name-only"), help: "Show names and sizes, not contents.")
    var nameOnly = false
    @Option(name: .customLong("diff-command"), parsing: .unconditional, help: "The program that compares two files.")
    var diffCommand: String?
    @Option(name: .customLong("old-project"), parsing: .unconditional, help: "Project of the old side.")
    var oldProject: String?
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let common = project.name(session)
        let newReference = try Reference.file(new, project: common)
        let oldReference = try old.map { try Reference.file($0, project: oldProject ?? common) }
        let request = PfsV2_DiffFileRequest.with {
            $0.newFile = newReference.wireFile
            if let oldReference { $0.oldFile = oldReference.wireFile }
            $0.shallow = shallow
        }
        let changes = try await session.pfs.diffFile(request) { response in
            var all: [PfsV2_DiffFileResponse] = []
            for try await change in response.messages { all.append(change) }
            return all
        }
        if nameOnly { return try showNames(changes) }
        let palette = Palette(global)
        for change in changes { try await showContents(change, session, palette) }
    }

    private func showNames(_ changes: [PfsV2_DiffFileResponse]) throws {
        var table = Table("OP|SIZE|NAME")
        for change in changes {
            if change.hasOldFile {
                try table.add(["-", formatSize(change.oldFile.sizeBytes), change.oldFile.file.path])
            }
            if change.hasNewFile {
                try table.add(["+", formatSize(change.newFile.sizeBytes), change.newFile.file.path])
            }
        }
        try table.flush()
    }

    /// Fetches both sides into temporary files and lets the system's diff compare them, under their names in the repo.
    private func showContents(_ change: PfsV2_DiffFileResponse, _ session: Session, _ palette: Palette) async throws {
        let oldSide = change.hasOldFile && change.oldFile.fileType == .file ? change.oldFile.file : nil
        let newSide = change.hasNewFile && change.newFile.fileType == .file ? change.newFile.file : nil
        if oldSide == nil && newSide == nil { return }
        let folder = Environment.process.nonEmpty("TMPDIR") ?? "/tmp"
        let paths = ["\(folder)/spile-diff-\(makeCommitID())-old", "\(folder)/spile-diff-\(makeCommitID())-new"]
        defer { paths.forEach(Files.remove) }
        for (side, path) in zip([oldSide, newSide], paths) {
            let sink = try Descriptor(creating: path, mode: 0o600)
            defer { sink.close() }
            guard let side else { continue }
            try await session.pfs.getFile(.with { $0.file = side }) { response in
                for try await piece in response.messages {
                    try piece.value.withUnsafeBytes { try sink.write($0, to: path) }
                }
            }
        }
        if let diffCommand {
            return try run(diffCommand.split(separator: " ").map(String.init) + paths)
        }
        let labels = [oldSide, newSide].map { side in
            side.map { PfsText.commit($0.commit) + ":" + $0.path } ?? "/dev/null"
        }
        let colour = palette.isOn ? ["--color=always"] : []
        try run(["diff", "-u"] + colour + ["--label", labels[0], "--label", labels[1]] + paths)
    }

    private func run(_ command: [String]) throws {
        let code = try waitFor(try spawn(command))
        if code > 1 { throw Failure("\(command[0]) ended with code \(code)") }
    }
}
