/// A command that is filled from the argument line without the parser.
///
/// User scripts run these once per message. The parser builds the whole command tree by reflection, which costs more
/// than the rest of the command; for these few the line, which is in canonical form already, is read here. Lines with
/// a wrong number of operands or with a value that does not fit are left to the parser, which words the error.
protocol DirectCommand {
    init?(form: CommandLineForm)
    mutating func run() async throws
}

/// The commands read without the parser.
enum DirectCommands {
    static func command(for form: CommandLineForm) -> (any DirectCommand)? {
        if form.has("help") { return nil }
        switch form.command {
        case ["put", "file"]: return PutFile(form: form)
        case ["get", "file"]: return GetFile(form: form)
        case ["start", "commit"]: return StartCommit(form: form)
        case ["finish", "commit"]: return FinishCommit(form: form)
        default: return nil
        }
    }
}

extension CommandLineForm {
    func has(_ name: String) -> Bool { flags.contains { $0.name == name && $0.setting == .on } }

    /// On or off where the line says so.
    func toggle(_ name: String) -> Bool? { flags.last { $0.name == name }.map { $0.setting == .on } }

    func values(_ name: String) -> [String] {
        flags.compactMap { flag in
            if flag.name == name, case .value(let value) = flag.setting { value } else { nil }
        }
    }

    func value(_ name: String) -> String? { values(name).last }
}

extension GlobalOptions {
    init(form: CommandLineForm) {
        self.init()
        verbose = form.has("verbose")
        noColor = form.has("no-color")
        rpcTimeout = form.value("rpc-timeout")
    }
}

extension ProjectOption {
    init(form: CommandLineForm) {
        self.init()
        project = form.value("project")
    }
}

extension PutFile: DirectCommand {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1, let parallelism = Int(form.value("parallelism") ?? "10") else { return nil }
        self.init()
        target = form.operands[0]
        file = form.values("file")
        inputFile = form.value("input-file")
        recursive = form.has("recursive")
        compress = form.has("compress")
        self.parallelism = parallelism
        append = form.has("append")
        progress = form.toggle("progress")
        fullPath = form.has("full-path")
        untar = form.has("untar")
        overwrite = form.has("overwrite")
        project = ProjectOption(form: form)
        global = GlobalOptions(form: form)
    }
}

extension GetFile: DirectCommand {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1, let offset = Int64(form.value("offset") ?? "0") else { return nil }
        self.init()
        source = form.operands[0]
        recursive = form.has("recursive")
        output = form.value("output") ?? ""
        progress = form.toggle("progress")
        self.offset = offset
        retry = form.has("retry")
        project = ProjectOption(form: form)
        global = GlobalOptions(form: form)
    }
}

extension StartCommit: DirectCommand {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1 else { return nil }
        self.init()
        branch = form.operands[0]
        parent = form.value("parent")
        message = form.value("message") ?? ""
        description = form.value("description") ?? ""
        project = ProjectOption(form: form)
        global = GlobalOptions(form: form)
    }
}

extension FinishCommit: DirectCommand {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1 else { return nil }
        self.init()
        commit = form.operands[0]
        message = form.value("message") ?? ""
        description = form.value("description") ?? ""
        force = form.has("force")
        project = ProjectOption(form: form)
        global = GlobalOptions(form: form)
    }
}
