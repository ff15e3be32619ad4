import Core
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The `podman` or `docker` command of this machine: told what to do, and read.
///
/// Commands are used, not the engines' sockets: they are the same for both, they work where podman has no service, and
/// they follow the settings of the machine.
final class ContainerTool: Sendable {
    enum Flavour: Sendable { case podman, docker }

    /// What a command printed, and whether it ended with status 0.
    struct Answer: Sendable {
        var succeeded: Bool
        var output: [String]
        var errors: [String]

        /// Whether the engine knows nothing of the name it was asked for.
        var saysMissing: Bool {
            let said = errors.joined(separator: " ").lowercased()
            return !succeeded && (said.contains("no such") || said.contains("not known"))
        }
    }

    let program: String
    private let environment: [String]
    /// Guarded by the lock around it; nil until somebody asks.
    private let known = Mutex<Flavour?>(nil)

    /// Seconds that a command may take which does no more than talk to the engine.
    private static let patience = 120.0
    private static let keptLines = 1000

    init(program: String, environment: [String: String]) {
        self.program = program
        self.environment = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    /// The command that `named` names, or the first there is of podman and docker.
    static func find(_ named: String?, environment: [String: String]) throws(SpileError) -> ContainerTool {
        let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for name in named.map({ [$0] }) ?? ["podman", "docker"] {
            if let program = try? ProcessSpawner.find(name, path: path), PosixFiles.size(program) != nil {
                return ContainerTool(program: program, environment: environment)
            }
        }
        if let named {
            throw SpileError(
                .failedPrecondition, "there is no program \"\(named)\" to run containers with",
                remedy: "--container-command names podman or docker; PATH is \(path)")
        }
        throw SpileError(
            .failedPrecondition, "there is neither podman nor docker on this machine to run containers with",
            remedy: "install one of them, name it with --container-command, or use the process launcher")
    }

    /// Which of the two it is; a `docker` may be podman under another name.
    func flavour() async throws -> Flavour {
        if let flavour = known.withLock({ $0 }) { return flavour }
        let answer = try await command(["--version"])
        let flavour: Flavour =
            answer.output.contains { $0.lowercased().contains("podman") } ? .podman : .docker
        known.withLock { $0 = flavour }
        return flavour
    }

    /// Runs a command to its end and returns what it said, whatever its status. One that takes too long is killed.
    /// `variables` are added to the command's environment.
    func ask(_ arguments: [String], variables: [String] = []) async throws -> Answer {
        let lines = ToolLines(limit: Self.keptLines)
        let run = try await spawn(arguments, variables: variables) { lines.add($0) }
        // Not a child task: it has to tell the time also where the caller has been cancelled.
        let timer = Task {
            try await Task.sleep(for: .seconds(Self.patience))
            run.requestStop(grace: 0)
        }
        let exit = await run.end()
        timer.cancel()
        return Answer(
            succeeded: exit == .exited(code: 0), output: lines[.standardOutput], errors: lines[.standardError])
    }

    /// Runs a command to its end and throws what it said if it failed.
    func command(_ arguments: [String], variables: [String] = []) async throws -> Answer {
        let answer = try await ask(arguments, variables: variables)
        guard answer.succeeded else { throw ContainerFault.error(of: arguments[0], answer.errors, program: program) }
        return answer
    }

    /// Starts a command, with the lines it prints handed on as they come.
    func spawn(
        _ arguments: [String], variables: [String] = [], input: String = "/dev/null",
        deliver: @escaping @Sendable (LaunchOutput) -> Void
    ) async throws -> ProcessRun {
        let (program, environment) = (program, environment + variables)
        return try await BlockingThread.run {
            let run = try ProcessRun.begin(
                ProcessSpawner(
                    program: program, arguments: [program] + arguments, environment: environment, folder: "/",
                    user: nil, inputPath: input, outputFile: -1, errorFile: -1),
                deliver: deliver)
            run.start()
            return run
        }
    }
}

/// The first lines that a command printed on each of its streams.
final class ToolLines: Sendable {
    private let kept = Mutex<[LaunchOutput.Stream: [String]]>([:])
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func add(_ line: LaunchOutput) {
        kept.withLock { kept in
            if kept[line.stream, default: []].count < limit { kept[line.stream, default: []].append(line.line) }
        }
    }

    subscript(stream: LaunchOutput.Stream) -> [String] { kept.withLock { $0[stream] ?? [] } }
}
