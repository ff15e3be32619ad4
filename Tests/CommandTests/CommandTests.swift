import API
import ArgumentParser
import Core
import GRPCCore
import Testing

@testable import spile

@Suite struct CommandTests {
    /// The command a line names, parsed.
    private func parse<C: ParsableCommand>(_ line: [String], as type: C.Type) throws -> C {
        try #require(try RootCommand.parseAsRoot(CommandLineForm(line).arguments) as? C)
    }

    @Test func `every command of the table can be parsed for`() throws {
        for command in FlagTable.commands.map(\.name) {
            let line = command.split(separator: " ").map(String.init) + ["--help"]
            let error = #expect(throws: (any Error).self) {
                var help = try RootCommand.parseAsRoot(line)
                try help.run()
            }
            let help = RootCommand.fullMessage(for: try #require(error))
            #expect(help.contains("USAGE: \(Program.name) \(command)"), "\(command)")
        }
    }

    @Test func `flags reach their command`() throws {
        let put = try parse(["put", "file", "r@b:/x", "-raf", "dir", "--progress=false", "-v"], as: PutFile.self)
        #expect(put.target == "r@b:/x")
        #expect(put.file == ["dir"])
        #expect(put.recursive && put.append && put.global.verbose)
        #expect(put.progress == false)
    }

    /// What a line tells a command to do, by way of the parser.
    private func order(_ line: [String]) throws -> (any DirectCommand)? {
        switch try RootCommand.parseAsRoot(line) {
        case let command as PutFile: command.order
        case let command as GetFile: command.order
        case let command as StartCommit: command.order
        case let command as FinishCommit: command.order
        default: nil
        }
    }

    private func isEqual<C: DirectCommand>(_ one: C, _ other: any DirectCommand) -> Bool { one == other as? C }

    @Test(arguments: [
        "put file r@b:/x",
        "put file r@b -f a -f b -i list -rca -p 3 --progress --full-path --untar -o --project p -v --no-color",
        "put file r@b --rpc-timeout 3s --progress=false",
        "get file r@b:/x", "get file r@b:/x -r -o d --progress --offset 5 --retry --project p",
        "start commit r@b", "start commit r@b -p x -m y --description z --project p",
        "put file r@b --metadata a=1 --metadata -b=2 --idempotency-key k --expected-head none",
        "start commit r@b --metadata a=1 --idempotency-key k --expected-head=",
        "finish commit r@b --metadata a=1,2 --idempotency-key k --expected-head x",
        "finish commit r@b", "finish commit r@b -m y --description z -f --project p",
    ])
    func `a command read without the parser holds what the parser would give it`(line: String) throws {
        let form = try CommandLineForm(line.split(separator: " ").map(String.init))
        let direct = try #require(DirectCommands.command(for: form))
        let parsed = try #require(try order(form.arguments))
        let same = isEqual(direct, parsed)
        #expect(same, "\(direct) is not \(parsed)")
    }

    @Test func `a line the direct way cannot read is left to the parser`() throws {
        for line in [["put", "file"], ["put", "file", "r@b", "-p", "x"], ["put", "file", "r@b", "--help"]] {
            #expect(DirectCommands.command(for: try CommandLineForm(line)) == nil)
        }
    }

    @Test func `lists accumulate and single values keep the last`() throws {
        let list = try parse(["list", "job", "--state", "a", "--state=b", "-p", "x", "-p", "y"], as: ListJob.self)
        #expect(list.state == ["a", "b"])
        #expect(list.pipeline == "y")
    }

    @Test func `an operand may start with a dash after two dashes`() throws {
        #expect(try parse(["create", "repo", "--", "-odd"], as: CreateRepo.self).repo == "-odd")
    }

    @Test func `a noun alone lists its commands`() throws {
        let text = try #require(Topics.text(for: ["repos"]))
        #expect(text.contains("Associated Commands:"))
        #expect(text.contains("create repo"))
        #expect(Topics.text(for: ["list", "repo"]) == nil)
        #expect(Topics.text(for: ["config"]) == nil)
    }

    @Test func `an error shows its message alone, and its code when asked`() {
        let error = RPCError(code: .notFound, message: "repo default/x not found")
        #expect(Program.describe(error, isVerbose: false) == "repo default/x not found")
        #expect(Program.describe(error, isVerbose: true)?.contains("code: notFound") == true)
        #expect(Program.describe(Failure("x"), isVerbose: true) == "x")
        #expect(Program.describe(SpileError.invalid("x", remedy: "y"), isVerbose: false) == "x (y)")
    }

    @Test func `a failed dial is told with its address and its cause`() throws {
        let environment = Environment(["PACHD_ADDRESS": "127.0.0.1:1"])
        let endpoint = try Endpoint.choose(context: nil, name: "", environment: environment)
        let system = RPCError(
            code: .unavailable, message: "Could not establish a connection",
            cause: RPCError(code: .unavailable, message: "connection reset (error set): refused) (errno: 111)"))
        #expect(Greeting.reason(system).hasSuffix("connection refused"))
        #expect(
            endpoint.unreachable("connection refused", within: "2 seconds").hasPrefix(
                """
                could not connect to pachd at "grpc://127.0.0.1:1": connection refused \
                (context deadline exceeded: no connection within 2 seconds; address from PACHD_ADDRESS)
                """))
        #expect(!endpoint.unreachable("x").contains("deadline"))
    }

    @Test(arguments: [
        (true, false, false, false, true), (true, true, false, false, true), (false, true, false, false, false),
        (false, true, true, false, true), (true, false, true, false, false), (false, false, false, true, true),
        (true, false, false, true, false), (false, false, true, true, true), (false, true, true, true, true),
    ])
    func `logs show the code's lines, or what the flags ask for`(
        user: Bool, fromMaster: Bool, master: Bool, worker: Bool, isShown: Bool
    ) {
        let record = PpsV2_LogMessage.with {
            $0.user = user
            $0.master = fromMaster
        }
        #expect(LogsCommand.isShown(record, master: master, worker: worker) == isShown)
    }

    @Test func `a job is named by its pipeline and its id`() throws {
        let job = try PpsV2_Job.named("q/p@abc", project: "d")
        #expect((job.pipeline.project.name, job.pipeline.name, job.id) == ("q", "p", "abc"))
        #expect(throws: Failure.self) { try PpsV2_Job.named("p", project: "d") }
    }

    @Test func `inputs are shown in a few characters`() {
        let pfs = PpsV2_Input.with {
            $0.pfs.project = "d"
            $0.pfs.repo = "r"
            $0.pfs.glob = "/*"
        }
        let cron = PpsV2_Input.with {
            $0.cron.name = "tick"
            $0.cron.spec = "@daily"
        }
        #expect(PpsText.shorthand(.with { $0.cross = [pfs, cron] }) == "(d/r:/* ⨯ tick:@daily)")
        #expect(PpsText.shorthand(.init()) == "none")
    }

    @Test func `a commit's lines name its error`() {
        let info = PfsV2_CommitInfo.with {
            $0.commit.id = "abc"
            $0.commit.repo.name = "r"
            $0.commit.repo.type = "meta"
            $0.finished.seconds = 5
            $0.started.seconds = 0
            $0.details.sizeBytes = 3
            $0.error = "it broke"
        }
        #expect(
            PfsText.inspect(info, TimeStyle(full: true)) == """
                Commit: r.meta@abc
                Description: \("")
                Started: 1970-01-01T00:00:00Z
                Finished: 1970-01-01T00:00:05Z
                Size: 3B
                Error: it broke

                """)
    }

    @Test func `the data folder is the flag's, the variable's or below the home folder`() throws {
        let environment = Environment(["HOME": "/h", "SPILE_DATA": "/s"])
        #expect(try ServerCommand.dataFolder("/f", environment) == "/f")
        #expect(try ServerCommand.dataFolder(nil, environment) == "/s")
        #expect(try ServerCommand.dataFolder(nil, Environment(["HOME": "/h"])) == "/h/.local/share/spile")
        #expect(throws: Failure.self) { try ServerCommand.dataFolder(nil, Environment()) }
    }
}
