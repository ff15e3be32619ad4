import API
import ArgumentParser

struct LineageCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "lineage", abstract: "Show what a file was made of, or what was made of it.",
            discussion: """
                From a file through the datums that made it to the files that those read, and so on, to the files that \
                no pipeline made. With each of those stands the commit that last changed it, and what its writer put \
                down about that commit: for a spout, how far it had read its source.

                  \(Program.name) lineage edges@master:/cats.png
                  \(Program.name) lineage images@master:/cats.png --forward
                  \(Program.name) lineage edges@master:/cats.png --raw | jq .node.file.source

                A file or datum that was shown already is marked with ^, and what belongs below it is left out. Files \
                of repos that you may not read are left out, and a note says how many.
                """)
    }

    @Argument(help: ArgumentHelp("A file or directory.", valueName: "repo@branch-or-commit:/path"))
    var file: String
    @Flag(help: "Show what was made of the file.")
    var forward = false
    @Option(parsing: .unconditional, help: "How many datums away from the file to go; 0 is all the way.")
    var depth: UInt64 = 0
    @Option(parsing: .unconditional, help: "End after so many files and datums.")
    var limit: UInt64 = 10_000
    @Flag(help: "Print each file, datum and edge as an object of JSON, as it is found.")
    var raw = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard limit > 0 else { throw Failure("--limit 0 shows nothing: leave it out, or give it a number") }
        let session = try await Session.open(global)
        let home = project.name(session)
        let reference = try Reference.file(file, project: home)
        guard let path = reference.path, !path.isEmpty else {
            throw Failure("\"\(file)\" names no file: write <repo>@<branch or commit>:<path>, or :/ for all")
        }
        let request = Spile_V1_TraceRequest.with {
            $0.file = reference.wireFile
            $0.forward = forward
            $0.maxDepth = depth
            $0.maxNodes = limit
        }
        let (isRaw, isForward) = (raw, forward)
        let (tree, summary) = try await session.lineage.trace(request) { response in
            var tree = LineageTree(isForward: isForward, project: home)
            var summary = Spile_V1_LineageSummary()
            for try await message in response.messages {
                if isRaw {
                    try Console.write(try RawOutput("").text(message, isFirst: true))
                } else {
                    tree.add(message)
                }
                if case .summary(let last) = message.message { summary = last }
            }
            return (tree, summary)
        }
        if !isRaw { try tree.write { try Console.line($0) } }
        if summary.hidden > 0 {
            Console.note("\(summary.hidden) more \(summary.hidden == 1 ? "is" : "are") of repos that you may not read")
        }
        if summary.isCutOff { Console.note("there is more: --limit or --depth ended the walk") }
    }
}
