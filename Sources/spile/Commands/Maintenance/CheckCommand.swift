import API
import ArgumentParser

struct CheckVerb: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check", abstract: "Verify all that is stored; print what is wrong, with exit code 1.",
            discussion: """
                Every commit, directory and slot is looked at; with --data every byte, too, which takes as long as \
                reading it all. The server may be in use meanwhile. For one that is stopped, or does not start:

                  \(Program.name) check
                  \(Program.name) check --data
                  \(Program.name) check --offline --data-folder /srv/spile
                """,
            subcommands: [CheckStatus.self])
    }

    @Flag(help: "Read every byte of every file, too.")
    var data = false
    @Flag(help: "Check a data folder on which no server runs.")
    var offline = false
    @Option(
        name: .customLong("data-folder"), parsing: .unconditional,
        help: ArgumentHelp(
            "With --offline: the folder (default: $SPILE_DATA, or ~/.local/share/spile).", valueName: "folder"))
    var dataFolder: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard offline || dataFolder == nil else {
            throw Failure("--data-folder is for --offline; add that, or leave it")
        }
        let count = offline ? try checkStopped() : try await checkServer()
        if count > 0 { throw Failure("\(count) \(count == 1 ? "thing is" : "things are") wrong") }
    }

    private func checkStopped() throws -> Int {
        let folder = try ServerCommand.dataFolder(dataFolder, .process)
        var count = 0
        try StoppedServer.check(folder, data: data) { text in
            count += 1
            try Console.line(text)
        }
        return count
    }

    private func checkServer() async throws -> Int {
        let session = try await Session.open(global)
        let data = data
        return try await session.maintenance.check(.with { $0.data = data }) { response in
            var count = 0
            for try await finding in response.messages {
                count += 1
                try Console.line(Self.text(finding))
            }
            return count
        }
    }

    static func text(_ finding: Spile_V1_CheckResponse) -> String {
        finding.subject + ": " + (finding.path.isEmpty ? "" : "\(finding.path): ")
            + (finding.slot.isEmpty ? "" : "slot \(finding.slot): ") + finding.problem
    }
}
