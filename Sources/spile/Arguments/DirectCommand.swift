/// A command that is filled from the argument line without the parser.
///
/// User scripts run these once per message. The parser builds the whole command tree by reflection, which costs more
/// than the rest of the command; for these few the line, which is in canonical form already, is read here. Lines with
/// a wrong number of operands or with a value that does not fit are left to the parser, which words the error.
///
/// An order is what the command is to do, in plain values: even one command's declarations for the parser take longer
/// to make than the line takes to read.
protocol DirectCommand: Equatable, Sendable {
    init?(form: CommandLineForm)
    func run() async throws
}

/// The commands read without the parser.
enum DirectCommands {
    static func command(for form: CommandLineForm) -> (any DirectCommand)? {
        if form.has("help") { return nil }
        switch form.command {
        case ["put", "file"]: return PutFile.Order(form: form)
        case ["get", "file"]: return GetFile.Order(form: form)
        case ["start", "commit"]: return StartCommit.Order(form: form)
        case ["finish", "commit"]: return FinishCommit.Order(form: form)
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

/// What a line says about the server and the project, as plain values.
struct Scope: Equatable, Sendable {
    var project: String?
    var rpcTimeout: String?

    init(_ project: ProjectOption, _ global: GlobalOptions) {
        (self.project, rpcTimeout) = (project.project, global.rpcTimeout)
    }

    init(form: CommandLineForm) {
        (project, rpcTimeout) = (form.value("project"), form.value("rpc-timeout"))
    }

    func open(_ options: Session.Options = Session.Options()) async throws -> Session {
        try await Session.open(timeout: GlobalOptions.timeout(rpcTimeout), options)
    }

    /// The project of names that say none.
    func name(_ session: Session) -> String { ProjectOption.name(project, session) }
}

extension PutFile.Order {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1, Int(form.value("parallelism") ?? "10") != nil else { return nil }
        target = form.operands[0]
        file = form.values("file")
        inputFile = form.value("input-file")
        recursive = form.has("recursive")
        compress = form.has("compress")
        append = form.has("append")
        progress = form.toggle("progress")
        fullPath = form.has("full-path")
        untar = form.has("untar")
        write = WriteFlags(form: form)
        scope = Scope(form: form)
    }
}

extension GetFile.Order {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1, let offset = Int64(form.value("offset") ?? "0") else { return nil }
        source = form.operands[0]
        recursive = form.has("recursive")
        output = form.value("output") ?? ""
        progress = form.toggle("progress")
        self.offset = offset
        retry = form.has("retry")
        scope = Scope(form: form)
    }
}

extension StartCommit.Order {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1 else { return nil }
        branch = form.operands[0]
        parent = form.value("parent")
        message = form.value("message") ?? ""
        description = form.value("description") ?? ""
        write = WriteFlags(form: form)
        scope = Scope(form: form)
    }
}

extension FinishCommit.Order {
    init?(form: CommandLineForm) {
        guard form.operands.count == 1 else { return nil }
        commit = form.operands[0]
        message = form.value("message") ?? ""
        description = form.value("description") ?? ""
        write = WriteFlags(form: form)
        force = form.has("force")
        scope = Scope(form: form)
    }
}
