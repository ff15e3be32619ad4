import Core

/// Starts workers by a launcher: the program `spile worker`, which connects to a socket in the launch's `/pfs`. Where
/// that is on another machine, a sidecar made that socket, and connects to this server's ``WorkerDoor``.
package struct LaunchedWorkers: WorkerHost {
    private let launcher: any Launcher
    private let door: WorkerDoor?
    private let randomness: any Randomness

    /// Seconds that a worker may take to be ready once it runs.
    private static let patience = 60.0
    private static let quotedLines = 3

    /// `door`: where workers come to that have their files elsewhere; nil where there can be none.
    package init(launcher: any Launcher, door: WorkerDoor? = nil, randomness: any Randomness) {
        self.launcher = launcher
        self.door = door
        self.randomness = randomness
    }

    package func place(of order: LaunchOrder) -> WorkerPlace? {
        guard launcher.workerProgram(of: order) != nil else { return nil }
        if launcher.mountsFolders(of: order) { return .near }
        return door == nil ? nil : .far
    }

    package func start(_ order: LaunchOrder) async throws -> any Worker {
        switch place(of: order) {
        case .near: try await startNear(order)
        case .far: try await startFar(order)
        case nil: throw SpileError.bug("a worker of \(order.pipeline) was to be started where none can be")
        }
    }

    private func startNear(_ order: LaunchOrder) async throws -> any Worker {
        guard let folder = order.pfsFolder else { throw SpileError.bug("a near worker has no folder") }
        let scratch = folder + "/" + WorkerScratch.name
        let listener = try await BlockingThread.run { try WorkerSocket.listen(WorkerScratch.socket, in: scratch) }
        return try await launch(order, listener, tools: false) { [launcher] socket, handle, exit in
            let link = WorkerLink(socket: socket, handle: handle, launcher: launcher)
            return (link, await link.start(watching: exit))
        }
    }

    private func startFar(_ order: LaunchOrder) async throws -> any Worker {
        guard let door else { throw SpileError.bug("there is no door for a far worker") }
        let key = Digest(words: (randomness.next(), randomness.next(), randomness.next(), randomness.next()))
        let (guest, host, port) = try await BlockingThread.run { try door.expect("\(key)") }
        defer { guest.shut() }
        var order = order
        order.sidecar = LaunchSidecar(host: host, port: port, key: "\(key)")
        return try await launch(order, guest, tools: true) { [launcher] socket, handle, exit in
            let link = FarLink(socket: socket, handle: handle, launcher: launcher)
            return (link, await link.start(watching: exit))
        }
    }

    /// Launches a worker and waits until it is ready. `tools`: whether code finds the program's folder by its PATH.
    private func launch(
        _ order: LaunchOrder, _ listener: any WorkerListener, tools: Bool,
        _ greet: (WorkerSocket, LaunchHandle, Task<LaunchExit, Never>) async -> (any Worker, WorkerLink.Greeting)
    ) async throws -> any Worker {
        guard let program = launcher.workerProgram(of: order) else {
            throw SpileError.bug("there is no worker program")
        }
        let said = OutputTail(limit: Self.quotedLines)
        var order = order
        order.command = [program, "worker", WorkerScratch.path + "/" + WorkerScratch.socket]
        if tools, let end = program.lastIndex(of: "/") { order.command.append(String(program[..<end])) }
        order.standardInput = []
        let output = order.output
        order.output = { line in
            said.append(line.line)
            output(line)
        }
        let (launcher, handle) = (launcher, try await launcher.start(order))
        let exit = Task { (try? await launcher.wait(handle)) ?? .unknown }
        do {
            guard let socket = await meet(listener, exit) else {
                throw listener.metOtherVersion ? Self.otherVersion : Self.absence(said)
            }
            let (worker, greeting) = await greet(socket, handle, exit)
            switch greeting {
            case .ready: return worker
            case .none: throw Self.absence(said)
            case .otherVersion: throw Self.otherVersion
            }
        } catch {
            await launcher.stop(handle, grace: 0)
            throw error
        }
    }

    private static let otherVersion = SpileError(
        .failedPrecondition, "the program that workers run is of another version than the server",
        remedy: "let --tool-binary or --kubernetes-image name a spile of this version")

    private static func absence(_ said: OutputTail) -> SpileError {
        let lines = said.lines.isEmpty ? "" : ": " + said.lines.joined(separator: " | ")
        return SpileError(.unavailable, "a worker could not be started, or took too long\(lines)")
    }

    /// Waits for the worker, or its sidecar, to connect; nil where it does not.
    private func meet(_ listener: any WorkerListener, _ exit: Task<LaunchExit, Never>) async -> WorkerSocket? {
        let timer = Task { try await Task.sleep(for: .seconds(Self.patience)) }
        defer { timer.cancel() }
        Task {
            _ = await timer.result
            listener.shut()
        }
        Task {
            _ = await exit.value
            listener.shut()
        }
        return await withCheckedContinuation { continuation in
            BlockingThread.start { continuation.resume(returning: listener.accept()) }
        }
    }
}
