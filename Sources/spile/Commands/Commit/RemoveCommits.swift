import API
import ArgumentParser
import GRPCCore

struct SquashCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Remove the commits of one id; their data stays in the ones after.",
            discussion: "  \(Program.name) squash commit <id>")
    }

    @Argument(help: "A commit id.")
    var id: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global, .init(joinsTransaction: true))
        _ = try await session.pfs.squashCommitSet(.with { $0.commitSet.id = id })
        session.noteTransaction()
    }
}

struct DeleteCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Remove the commits of one id and those after, with their data.",
            discussion: "  \(Program.name) delete commit <id>")
    }

    @Argument(help: "A commit id.")
    var id: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global, .init(joinsTransaction: true))
        _ = try await session.pfs.dropCommitSet(.with { $0.commitSet.id = id })
        session.noteTransaction()
    }
}

struct SquashOneCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commitV2", abstract: "Remove one commit; its data stays in the next.",
            discussion: "  \(Program.name) squash commitV2 logs@<id>")
    }

    @Argument(help: "<repo>@<branch-or-commit>")
    var commit: String
    @Flag(name: [.customLong("recursive"), .customShort("r")], help: "Also the commits made from it.")
    var recursive = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let reference = try Reference.commit(commit, project: project.name(session))
        _ = try await session.pfs.squashCommit(
            .with {
                $0.commit = reference.wireCommit
                $0.recursive = recursive
            })
    }
}

struct DropCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commitV2", abstract: "Remove one commit and its data.",
            discussion: "  \(Program.name) delete commitV2 logs@<id>")
    }

    @Argument(help: "<repo>@<branch-or-commit>")
    var commit: String
    @Flag(name: [.customLong("recursive"), .customShort("r")], help: "Also the commits made from it.")
    var recursive = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let reference = try Reference.commit(commit, project: project.name(session))
        _ = try await session.pfs.dropCommit(
            .with {
                $0.commit = reference.wireCommit
                $0.recursive = recursive
            })
    }
}

struct FindCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Find the commits that changed a file, newest first.",
            discussion: "  \(Program.name) find commit logs@master:/greeting")
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>")
    var file: String
    @Flag(help: "Print one JSON object.")
    var json = false
    @Option(parsing: .unconditional, help: "Stop after this many; 0 is all.")
    var limit: UInt32 = 0
    @Option(parsing: .unconditional, help: "Stop searching after this long, for example 10s.")
    var timeout: String?
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        var options = CallOptions.defaults
        if let timeout {
            guard let duration = parseDuration(timeout) else { throw Failure("--timeout \(timeout) is not a duration") }
            if duration > .zero { options.timeout = duration }
        }
        let session = try await Session.open(global)
        let reference = try Reference.file(file, project: project.name(session))
        let request = PfsV2_FindCommitsRequest.with {
            $0.start = reference.wireCommit
            $0.filePath = reference.path ?? ""
            $0.limit = limit
        }
        let asJSON = json
        try await session.pfs.findCommits(request, options: options) { response in
            var found: [PfsV2_Commit] = []
            var last = PfsV2_Commit()
            var searched: UInt32 = 0
            for try await answer in response.messages {
                searched = max(searched, answer.commitsSearched)
                switch answer.result {
                case .foundCommit(let commit): found.append(commit)
                case .lastSearchedCommit(let commit): last = commit
                case nil: break
                }
            }
            if !asJSON {
                let lines = ["FOUND IN COMMITS"] + found.map(\.id) + ["", "LAST SEARCHED COMMIT", last.id]
                return try Console.write(lines.joined(separator: "\n") + "\n")
            }
            let document = JSON.object([
                JSON.Member(key: "FoundCommits", value: .array(try found.map(RawOutput.json))),
                JSON.Member(key: "LastSearchedCommit", value: try RawOutput.json(last)),
                JSON.Member(key: "CommitsSearched", value: .number(String(searched))),
            ])
            try Console.line(document.pretty)
        }
    }
}
