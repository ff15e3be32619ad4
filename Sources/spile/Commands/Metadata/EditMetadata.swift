import API
import ArgumentParser
import GRPCCore

struct EditMetadata: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "metadata",
            abstract: "Change the labels of projects, repos, branches, commits, pipelines or the cluster.",
            discussion: """
                Four words make one edit: what kind of thing, which one, what to do, and with what. All edits of a \
                line are made together, or none. What to do is add (the key must be new), edit, delete or replace \
                (all keys at once). With what is key=value, several parted by semicolons, or a JSON object; for \
                delete, the key.

                  \(Program.name) edit metadata project weather add owner=maria
                  \(Program.name) edit metadata commit logs@master edit checked=yes repo logs delete draft
                  \(Program.name) edit metadata cluster . replace '{"site": "north", "stage": "test"}'
                """)
    }

    @Argument(
        help: ArgumentHelp("<kind> <which> <add|edit|delete|replace> <data>, again and again.", valueName: "edit"))
    var words: [String] = []
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let edits = try MetadataWords.edits(words, project: project.name(session))
        _ = try await session.metadata.editMetadata(.with { $0.edits = edits })
        Console.note("ok")
    }
}
