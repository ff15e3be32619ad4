import ArgumentParser
import Testing

@testable import spile

@Suite struct CommandLineFormTests {
    private func line(_ text: String) throws -> [String] {
        try CommandLineForm(text.split(separator: " ").map(String.init)).arguments
    }

    @Test(arguments: [
        ("list repo", "list repo"),
        ("list repos", "list repo"),
        ("config list contexts", "config list context"),
        ("put file r@b -f a", "put file --file a r@b"),
        ("put file -f a r@b -rc", "put file --file a --recursive --compress r@b"),
        ("put file r@b -rfdir", "put file --recursive --file dir r@b"),
        ("put file r@b -rf=dir", "put file --recursive --file dir r@b"),
        ("put file r@b -fa", "put file --file a r@b"),
        ("put file r@b --file=a,b", "put file --file a,b r@b"),
        ("put file r@b -f -", "put file --file - r@b"),
        ("list pipeline --history -1", "list pipeline --history -1"),
        ("logs -p x --since -1h", "logs --pipeline x --since -1h"),
        ("--project x list repo", "list repo --project x"),
        ("-v --no-color list repo", "list repo --verbose --no-color"),
        ("--rpc-timeout 3s list --raw repo", "list repo --rpc-timeout 3s --raw"),
        ("list repo --raw=true", "list repo --raw"),
        ("list repo --raw=false", "list repo"),
        ("list repo --raw --raw=0", "list repo"),
        ("put file r@b --progress=false", "put file --no-progress r@b"),
        ("get file --progress=f r@b:/x", "get file --no-progress r@b:/x"),
        ("list repo --no-pager --full-timestamps", "list repo --full-timestamps"),
        ("inspect commit r@b --no-pager", "inspect commit r@b"),
        ("diff file --no-pager r@b:/ --name-only", "diff file --name-only r@b:/"),
        ("list jobs --no-pager=false -x", "list job --expand"),
        ("--no-pager list repo", "list repo"),
        ("create repo -- -odd", "create repo -- -odd"),
        ("put file r@b -h", "put file --help r@b"),
        ("create", "create"),
        ("check", "check"),
        ("-v check --data", "check --verbose --data"),
        ("check --offline --data-folder /x", "check --offline --data-folder /x"),
        ("check status -A", "check status --all-projects"),
        ("--project x check status", "check status --project x"),
        ("config set active-context x", "config set active-context x"),
    ])
    func `a line is brought to one form`(given: String, wanted: String) throws {
        #expect(try line(given).joined(separator: " ") == wanted)
    }

    @Test func `one argument is one word of a command`() {
        let failure = #expect(throws: Failure.self) { try CommandLineForm(["put file", "r@b"]) }
        #expect(failure?.message.hasPrefix("unknown command \"put file\"") == true)
        #expect(throws: Failure.self) { try CommandLineForm([""]) }
    }

    @Test func `an explicit empty value stays a value`() throws {
        #expect(
            try line("config update context --pachd-address=") == [
                "config", "update", "context", "--pachd-address", "",
            ])
    }

    @Test func `a value is taken whatever it looks like`() throws {
        #expect(try line("create repo r -d --force") == ["create", "repo", "--description", "--force", "r"])
    }

    @Test(arguments: [
        ("lst repo", "unknown command \"lst\"; did you mean \"list\"?"),
        ("list bogus", "unknown command \"bogus\" after \"list\""),
        ("list repo --rwa", "unknown flag: --rwa; did you mean --raw?"),
        ("put file r@b --split line", "unknown flag: --split; split the data"),
        ("put file r@b -f", "flag -f needs a value"),
        ("list repo --raw=maybe", "flag --raw is either true or false, not \"maybe\""),
        ("create repo r -q", "unknown flag: -q"),
    ])
    func `a slip of the hand is named`(given: String, wanted: String) {
        let failure = #expect(throws: Failure.self) { try line(given) }
        #expect(failure?.message.hasPrefix(wanted) == true, "\(failure?.message ?? "")")
    }

    @Test func `the flag table says what the commands declare`() throws {
        for command in FlagTable.commands.map(\.name) {
            let words = command.split(separator: " ").map(String.init)
            let declared = try declaredFlags(words)
            let listed = Set(FlagTable.flags(of: command).map(describe)).subtracting(["help h flag"])
            #expect(declared.subtracting(["help h flag"]).symmetricDifference(listed) == [], "\(command)")
        }
    }

    private func describe(_ flag: FlagSpec) -> String {
        "\(flag.name) \(flag.letter.map(String.init) ?? "-") \(flag.arity == .value ? "option" : "flag")"
    }

    /// The flags the parser knows for a command, as `name letter kind`.
    private func declaredFlags(_ words: [String]) throws -> Set<String> {
        var text = ""
        do {
            _ = try RootCommand.parseAsRoot(words + ["--experimental-dump-help"])
        } catch {
            text = RootCommand.fullMessage(for: error)
        }
        var command = try JSON(parsing: text)["command"]
        for word in words where command?["commandName"]?.text != words.last {
            command = command?["subcommands"]?.elements?.first { $0["commandName"]?.text == word } ?? command
        }
        var flags: Set<String> = []
        for argument in command?["arguments"]?.elements ?? [] where argument["kind"]?.text != "positional" {
            let names = argument["names"]?.elements ?? []
            let long = names.first { $0["kind"]?.text == "long" }?["name"]?.text ?? ""
            let short = names.first { $0["kind"]?.text == "short" }?["name"]?.text ?? "-"
            if long.hasPrefix("no-"), !["no-color", "no-browser"].contains(long) { continue }
            flags.insert("\(long) \(short) \(argument["kind"]?.text ?? "")")
        }
        return flags
    }
}
