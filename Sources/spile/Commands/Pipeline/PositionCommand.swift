import API
import ArgumentParser
import GRPCCore

struct PositionCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "position", abstract: "Show where a spout got to: the metadata of its newest good commit.",
            discussion: """
                A spout writes the position of its source into the commit that holds what it has read up to there, and \
                goes on from there when it is started again:

                  next=$(\(Program.name) position clicks offset)
                  \(Program.name) put file clicks@master:/1 -f batch --metadata offset=1000

                Without a key it prints key=value lines, with line ends and backslashes as \\n, \\r and \\\\. What \
                is open or in error, and what the server made itself, does not count. Where there is nothing to tell \
                it prints nothing.
                """)
    }

    @Argument(help: "A pipeline.")
    var pipeline: String
    @Argument(help: "Print the value of this key alone, as it is.")
    var key: String?
    @OptionGroup var raw: RawOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let name = project.name(session)
        let info = try await session.pps.inspectPipeline(
            .with {
                $0.pipeline.project.name = name
                $0.pipeline.name = pipeline
                $0.details = true
            })
        let branch = info.details.outputBranch.isEmpty ? "master" : info.details.outputBranch
        let newest = try await Self.newest(Reference.branch("\(pipeline)@\(branch)", project: name), session)
        if let key {
            if let value = newest?.metadata[key] { try Console.line(value) }
            return
        }
        if let raw { return try Console.write(raw.text(Self.document(newest), isFirst: true)) }
        let pairs = (newest?.metadata ?? [:]).sorted { $0.key < $1.key }
        try Console.write(pairs.map { Self.line($0.key) + "=" + Self.line($0.value) + "\n" }.joined())
    }

    /// The newest commit of a branch that is finished, is not in error, and was not made by the server.
    private static func newest(_ branch: Reference, _ session: Session) async throws -> PfsV2_CommitInfo? {
        let request = PfsV2_ListCommitRequest.with {
            $0.repo = branch.wireRepo
            $0.to.repo = branch.wireRepo
            $0.to.branch = branch.wireBranch
            $0.originKind = .user
        }
        do {
            return try await session.pfs.listCommit(request) { response in
                for try await info in response.messages where info.hasFinished && info.error.isEmpty { return info }
                return nil
            }
        } catch let error as RPCError where error.code == .notFound && error.message.contains("branch") {
            // It has written nothing yet.
            return nil
        }
    }

    /// What the file of `SPILE_RESUME_FILE` holds, too.
    static func document(_ info: PfsV2_CommitInfo?) -> JSON {
        let pairs = (info?.metadata ?? [:]).sorted { $0.key < $1.key }
        return .object([
            JSON.Member(key: "commit", value: .string(info?.commit.id ?? "")),
            JSON.Member(
                key: "metadata", value: .object(pairs.map { JSON.Member(key: $0.key, value: .string($0.value)) })),
        ])
    }

    static func line(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
