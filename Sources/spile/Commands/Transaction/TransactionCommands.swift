import API
import ArgumentParser

/// The active transaction: an id kept in the context, sent along by the commands that take part.
enum ActiveTransaction {
    static func id() throws -> String {
        try ConfigStore(environment: .process).load().active(.process).context.activeTransaction
    }

    /// The id given, else the active one.
    static func id(or given: String?) throws -> String {
        if let given, !given.isEmpty { return given }
        let id = try id()
        if id.isEmpty { throw Failure("no transaction is active: name one, or start one with \"start transaction\"") }
        return id
    }

    static func set(_ id: String) throws {
        try ConfigStore(environment: .process).update { config in
            let name = try config.active(.process).name
            config[context: name]?.activeTransaction = id
        }
    }
}

struct StartTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Collect the changes that follow, to make them all at once.",
            discussion: """
                  \(Program.name) start transaction
                  \(Program.name) create repo a
                  \(Program.name) create repo b
                  \(Program.name) finish transaction
                """)
    }

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let active = try ActiveTransaction.id()
        if !active.isEmpty {
            throw Failure("transaction \(active) is active: finish it, or leave it with \"stop transaction\"")
        }
        let session = try await Session.open(global)
        let transaction = try await session.transactions.startTransaction(.init())
        try ActiveTransaction.set(transaction.id)
        try Console.line("started new transaction: \"\(transaction.id)\"")
    }
}

struct StopTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Leave the active transaction open and go on without it.",
            discussion: "  \(Program.name) stop transaction")
    }

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try ActiveTransaction.id(or: nil)
        try ActiveTransaction.set("")
        try Console.line("Cleared active transaction: \(id)")
    }
}

struct FinishTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Make all changes of a transaction.",
            discussion: "  \(Program.name) finish transaction")
    }

    @Argument(help: "The transaction's id (default: the active one).")
    var id: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try ActiveTransaction.id(or: id)
        let session = try await Session.open(global)
        let info = try await session.transactions.finishTransaction(.with { $0.transaction.id = id })
        try ActiveTransaction.set("")
        try Console.line("Completed transaction with \(info.requests.count) requests: \(info.transaction.id)")
    }
}

struct DeleteTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Drop a transaction and its changes.",
            discussion: "  \(Program.name) delete transaction")
    }

    @Argument(help: "The transaction's id (default: the active one).")
    var id: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try ActiveTransaction.id(or: id)
        let session = try await Session.open(global)
        _ = try await session.transactions.deleteTransaction(.with { $0.transaction.id = id })
        if try ActiveTransaction.id() == id { try ActiveTransaction.set("") }
    }
}

struct ResumeTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Make an open transaction the active one.",
            discussion: "  \(Program.name) resume transaction <id>")
    }

    @Argument(help: "The transaction's id.")
    var id: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let info = try await session.transactions.inspectTransaction(.with { $0.transaction.id = id })
        try ActiveTransaction.set(info.transaction.id)
        try Console.line("Resuming existing transaction with \(info.requests.count) requests: \(info.transaction.id)")
    }
}

struct InspectTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "Show a transaction and its changes.",
            discussion: "  \(Program.name) inspect transaction")
    }

    @Argument(help: "The transaction's id (default: the active one).")
    var id: String?
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let id = try ActiveTransaction.id(or: id)
        let session = try await Session.open(global)
        let info = try await session.transactions.inspectTransaction(.with { $0.transaction.id = id })
        if let raw { return try raw.show(info) }
        var text =
            "ID: \(info.transaction.id)\nStarted: \(times.style.text(info.started, if: info.hasStarted))\nRequests:\n"
        for request in info.requests { text += "  \(Self.text(request))\n" }
        try Console.write(text)
    }

    static func text(_ request: TransactionV2_TransactionRequest) -> String {
        func repo(_ repo: PfsV2_Repo) -> String { "\(repo.project.name)/\(PfsText.repo(repo))" }
        func branch(_ branch: PfsV2_Branch) -> String { "\(repo(branch.repo))@\(branch.name)" }
        if request.hasCreateRepo {
            return "\(request.createRepo.update ? "update" : "create") repo \(repo(request.createRepo.repo))"
        }
        if request.hasDeleteRepo { return "delete repo \(repo(request.deleteRepo.repo))" }
        if request.hasStartCommit { return "start commit \(branch(request.startCommit.branch))" }
        if request.hasFinishCommit {
            let commit = request.finishCommit.commit
            let handle = commit.id.isEmpty ? commit.branch.name : commit.id
            return "finish commit \(repo(PfsText.repo(of: commit)))@\(handle)"
        }
        if request.hasSquashCommitSet { return "squash commit \(request.squashCommitSet.commitSet.id)" }
        if request.hasCreateBranch { return "create branch \(branch(request.createBranch.branch))" }
        if request.hasDeleteBranch { return "delete branch \(branch(request.deleteBranch.branch))" }
        if request.hasUpdateJobState { return "update job \(request.updateJobState.job.id)" }
        if request.hasStopJob { return "stop job \(request.stopJob.job.pipeline.name)@\(request.stopJob.job.id)" }
        if request.hasCreatePipelineV2 {
            let pipeline = request.createPipelineV2.createPipelineRequest.pipeline
            return "create pipeline \(pipeline.project.name)/\(pipeline.name)"
        }
        return "unknown request"
    }
}

struct ListTransaction: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "transaction", abstract: "List the open transactions.",
            discussion: "  \(Program.name) list transaction")
    }

    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let style = times.style
        var listing = Listing<TransactionV2_TransactionInfo>("TRANSACTION|STARTED|OPS", raw: raw) { info in
            [info.transaction.id, style.text(info.started, if: info.hasStarted), String(info.requests.count)]
        }
        for info in try await session.transactions.listTransaction(.init()).transactionInfo { try listing.add(info) }
        try listing.finish()
    }
}
