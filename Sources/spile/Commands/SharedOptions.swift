import ArgumentParser

/// Flags every command takes.
struct GlobalOptions: ParsableArguments {
    @Flag(name: [.customLong("verbose"), .customShort("v")], help: "Say more on stderr, such as the code of an error.")
    var verbose = false

    @Flag(name: .customLong("no-color"), help: "Never colour the output.")
    var noColor = false

    @Option(
        name: .customLong("rpc-timeout"), parsing: .unconditional,
        help: ArgumentHelp("Give up after this long, for example 30s; 0 waits for ever.", valueName: "duration"))
    var rpcTimeout: String?

    init() {}

    /// A parsed `--rpc-timeout`; nil for none.
    static func timeout(_ text: String?) throws -> Duration? {
        guard let text else { return nil }
        guard let duration = parseDuration(text) else {
            throw Failure("--rpc-timeout \(text) is not a duration; write for example 30s or 1m30s")
        }
        return duration
    }
}

/// `--project`: the project of names that say none.
struct ProjectOption: ParsableArguments {
    @Option(
        name: .customLong("project"), parsing: .unconditional,
        help: ArgumentHelp("Project of the names on this line (default: that of the context).", valueName: "name"))
    var project: String?

    init() {}

    func name(_ session: Session) -> String { Self.name(project, session) }

    /// The project that was named, or else the session's.
    static func name(_ project: String?, _ session: Session) -> String {
        guard let project, !project.isEmpty else { return session.project }
        return project
    }
}

/// `--raw` and `-o`.
struct RawOptions: ParsableArguments {
    @Flag(name: .customLong("raw"), help: "Print the messages of the API instead of a table.")
    var raw = false

    @Option(
        name: [.customLong("output"), .customShort("o")], parsing: .unconditional,
        help: ArgumentHelp("Form of --raw: json or yaml.", valueName: "form"))
    var output = ""

    init() {}

    /// The raw form asked for, nil for the table. `-o` alone asks for it too.
    var format: RawOutput? {
        get throws { raw || !output.isEmpty ? try RawOutput(output) : nil }
    }
}

/// `--full-timestamps`.
struct TimeOptions: ParsableArguments {
    @Flag(name: .customLong("full-timestamps"), help: "Show times in full instead of as an age.")
    var full = false

    init() {}

    var style: TimeStyle { TimeStyle(full: full) }
}

/// `--all-projects`.
struct AllProjectsOption: ParsableArguments {
    @Flag(name: [.customLong("all-projects"), .customShort("A")], help: "Include every project.")
    var all = false

    init() {}
}
