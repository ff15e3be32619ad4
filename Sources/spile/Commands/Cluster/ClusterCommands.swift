import API
import ArgumentParser
import GRPCCore

struct InspectCluster: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "cluster", abstract: "Print the server's id.", discussion: "  \(Program.name) inspect cluster")
    }

    @OptionGroup var raw: RawOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        var cluster = session.cluster
        if cluster == nil {
            cluster = try await session.admin.inspectCluster(.with { $0.clientVersion = ProgramVersion.wire })
        }
        if let raw { return try raw.show(cluster!) }
        try Console.line(cluster!.id)
    }
}

struct FsckCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "fsck",
            abstract: "Check that what is stored fits together; print what does not, with exit code 1.",
            discussion: "  \(Program.name) fsck")
    }

    @Flag(name: [.customLong("fix"), .customShort("f")], help: "Mend what can be mended.")
    var fix = false
    @Option(parsing: .unconditional, help: "Look for files of datums that are gone in this commit: <repo>@<commit>.")
    var zombie: String?
    @Flag(name: .customLong("zombie-all"), help: "Look for them at the head of every pipeline's branch.")
    var zombieAll = false
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        if zombie != nil && zombieAll { throw Failure("--zombie and --zombie-all exclude each other") }
        let session = try await Session.open(global)
        var request = PfsV2_FsckRequest.with { $0.fix = fix }
        if let zombie {
            request.zombieTarget = try Reference.commit(zombie, project: project.name(session)).wireCommit
        } else if zombieAll {
            request.zombieAll = true
        }
        let errors = try await session.pfs.fsck(request) { response in
            var errors = 0
            for try await finding in response.messages {
                let isError = !finding.error.isEmpty
                if isError { errors += 1 }
                try Console.line(isError ? "Error: \(finding.error)" : "Fix applied: \(finding.fix)")
            }
            return errors
        }
        if errors > 0 { throw Failure("fsck found \(errors) error\(errors == 1 ? "" : "s")") }
    }
}

struct DeleteAll: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "all", abstract: "Delete everything on the server, after asking.",
            discussion: "  yes | \(Program.name) delete all")
    }

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let repos = try await session.pfs.listRepo(.with { $0.type = "user" }) { response in
            var names: [String] = []
            for try await info in response.messages { names.append("\(info.repo.project.name)/\(info.repo.name)") }
            return names
        }
        let pipelines = try await session.pps.listPipeline(.init()) { response in
            var names: [String] = []
            for try await info in response.messages {
                names.append("\(info.pipeline.project.name)/\(info.pipeline.name)")
            }
            return names
        }
        if !repos.isEmpty { Console.note("Repos to delete: \(repos.joined(separator: ", "))") }
        if !pipelines.isEmpty { Console.note("Pipelines to delete: \(pipelines.joined(separator: ", "))") }
        guard try Console.confirm("Delete all repos, files, commits and pipelines on this server?") else {
            throw Failure("nothing is deleted")
        }
        try await ignoringInactiveAuth { _ = try await session.identity.deleteAll(.init()) }
        try await ignoringInactiveAuth { _ = try await session.auth.deactivate(.init()) }
        _ = try await session.pps.deleteAll(.init())
        _ = try await session.pfs.deleteAll(.init())
        _ = try await session.transactions.deleteAll(.init())
        let store = ConfigStore(environment: .process)
        if let config = try? store.load(), let active = try? config.active(.process),
            !active.context.activeTransaction.isEmpty
        {
            try store.update { $0[context: active.name]?.activeTransaction = "" }
        }
    }

    private func ignoringInactiveAuth(_ call: () async throws -> Void) async throws {
        do {
            try await call()
        } catch let error as RPCError
            where error.code == .unimplemented || error.message.contains("the auth service is not activated")
        {
            // A server without accounts has none to delete.
        }
    }
}
