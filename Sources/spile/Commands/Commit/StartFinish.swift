import API
import ArgumentParser

struct StartCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Open a commit on a branch and print its id.",
            discussion: """
                Puts go into it until it is finished; without an open commit each put makes one of its own.

                  \(Program.name) start commit logs@master
                  \(Program.name) start commit logs@master --expected-head none     fail if it has a commit
                """)
    }

    @Argument(help: "<repo>@<branch>")
    var branch: String
    @Option(name: [.customLong("parent"), .customShort("p")], parsing: .unconditional, help: "The commit to build on.")
    var parent: String?
    @Option(
        name: [.customLong("message"), .customShort("m")], parsing: .unconditional, help: "What the commit is about.")
    var message = ""
    @Option(name: .customLong("description"), parsing: .unconditional, help: "The same as --message.")
    var description = ""
    @OptionGroup var write: WriteOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    var order: Order {
        Order(
            branch: branch, parent: parent, message: message, description: description, write: write.flags,
            scope: Scope(project, global))
    }

    func run() async throws { try await order.run() }
}

extension StartCommit {
    /// Where to open a commit.
    struct Order: DirectCommand {
        var branch: String
        var parent: String?
        var message: String
        var description: String
        var write: WriteFlags
        var scope: Scope
    }
}

extension StartCommit.Order {
    func run() async throws {
        let headers = try write.headers()
        let session = try await scope.open(Session.Options(joinsTransaction: true))
        let name = scope.name(session)
        let reference = try Reference.branch(branch, project: name)
        var request = PfsV2_StartCommitRequest.with {
            $0.branch = reference.wireBranch
            $0.description_p = description.isEmpty ? message : description
        }
        if let parent, !parent.isEmpty {
            request.parent = try Reference.commit("\(reference.project)/\(reference.repo)@\(parent)", project: name)
                .wireCommit
        }
        let commit = try await session.pfs.startCommit(request, metadata: headers)
        session.noteTransaction()
        try Console.line(commit.id)
    }
}

struct FinishCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Close a commit: what it holds never changes again.",
            discussion: """
                  \(Program.name) finish commit logs@master
                  \(Program.name) finish commit logs@master --metadata offset=7 --idempotency-key batch-7
                """)
    }

    @Argument(help: "<repo>@<branch-or-commit>")
    var commit: String
    @Option(
        name: [.customLong("message"), .customShort("m")], parsing: .unconditional, help: "What the commit is about.")
    var message = ""
    @Option(name: .customLong("description"), parsing: .unconditional, help: "The same as --message.")
    var description = ""
    @Flag(name: [.customLong("force"), .customShort("f")], help: "Finish it also where others are waited for.")
    var force = false
    @OptionGroup var write: WriteOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    var order: Order {
        Order(
            commit: commit, message: message, description: description, force: force, write: write.flags,
            scope: Scope(project, global))
    }

    func run() async throws { try await order.run() }
}

extension FinishCommit {
    /// Which commit to close.
    struct Order: DirectCommand {
        var commit: String
        var message: String
        var description: String
        var force: Bool
        var write: WriteFlags
        var scope: Scope
    }
}

extension FinishCommit.Order {
    func run() async throws {
        let headers = try write.headers()
        let session = try await scope.open(Session.Options(joinsTransaction: true))
        let reference = try Reference.commit(commit, project: scope.name(session))
        let request = PfsV2_FinishCommitRequest.with {
            $0.commit = reference.wireCommit
            $0.description_p = description.isEmpty ? message : description
            $0.force = force
        }
        _ = try await session.pfs.finishCommit(request, metadata: headers)
        session.noteTransaction()
    }
}

struct InspectCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Show a commit, or with an id alone all commits of that id.",
            discussion: "  \(Program.name) inspect commit logs@master")
    }

    @Argument(help: "<repo>@<branch-or-commit>, or an id.")
    var commit: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let style = times.style
        if isCommitID(commit) {
            let request = PfsV2_InspectCommitSetRequest.with { $0.commitSet.id = commit }
            return try await session.pfs.inspectCommitSet(request) { response in
                try await Listing.show(response, PfsText.commitHeader, raw: raw) { PfsText.commitRow($0, style) }
            }
        }
        let reference = try Reference.commit(commit, project: project.name(session))
        let info = try await session.pfs.inspectCommit(
            .with {
                $0.commit = reference.wireCommit
                $0.wait = .started
            })
        if let raw { return try raw.show(info) }
        try Console.write(PfsText.inspect(info, style))
    }
}

struct WaitCommit: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "commit", abstract: "Wait until a commit is finished, then show it; exit code 1 if it failed.",
            discussion: "  \(Program.name) wait commit results@master")
    }

    @Argument(help: "<repo>@<branch-or-commit>")
    var commit: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let reference = try Reference.commit(commit, project: project.name(session))
        let info = try await session.pfs.inspectCommit(
            .with {
                $0.commit = reference.wireCommit
                $0.wait = .finished
            })
        if let raw { try raw.show(info) } else { try Console.write(PfsText.inspect(info, times.style)) }
        if !info.error.isEmpty { throw Failure("commit \(PfsText.commit(info.commit)) failed: \(info.error)") }
    }
}
