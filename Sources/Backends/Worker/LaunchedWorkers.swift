import Core

/// Starts workers by a launcher: the program `spile worker`, which connects to a socket in the launch's `/pfs`.
package struct LaunchedWorkers: WorkerHost {
    private let launcher: any Launcher

    /// Seconds that a worker may take to be ready once it runs.
    private static let patience = 60.0
    private static let quotedLines = 3
    private static let socketName = "worker"

    package init(launcher: any Launcher) { self.launcher = launcher }

    package func keepsWorkers(for order: LaunchOrder) -> Bool { launcher.workerProgram(of: order) != nil }

    package func start(_ order: LaunchOrder) async throws -> any Worker {
        guard let program = launcher.workerProgram(of: order), let folder = order.pfsFolder else {
            throw SpileError.bug("a worker of \(order.pipeline) was to be started where none can be")
        }
        let scratch = folder + "/" + WorkerScratch.name
        let listener = try await BlockingThread.run { try UnixSocket.listen(Self.socketName, in: scratch) }
        let said = OutputTail(limit: Self.quotedLines)
        var order = order
        order.command = [program, "worker", WorkerScratch.path + "/" + Self.socketName]
        order.standardInput = []
        let output = order.output
        order.output = { line in
            said.append(line.line)
            output(line)
        }
        let (launcher, handle) = (launcher, try await launcher.start(order))
        let exit = Task { (try? await launcher.wait(handle)) ?? .unknown }
        do {
            return try await meet(listener, handle, exit, said)
        } catch {
            await launcher.stop(handle, grace: 0)
            throw error
        }
    }

    /// Waits for the worker to connect and to say that it is ready.
    private func meet(
        _ listener: UnixSocket, _ handle: LaunchHandle, _ exit: Task<LaunchExit, Never>, _ said: OutputTail
    ) async throws -> any Worker {
        let (timer, end) = (Task { try await Task.sleep(for: .seconds(Self.patience)) }, Task { await exit.value })
        defer { timer.cancel() }
        Task {
            _ = await timer.result
            listener.shut()
        }
        Task {
            _ = await end.value
            listener.shut()
        }
        guard let socket = await withCheckedContinuation({ continuation in
            BlockingThread.start { continuation.resume(returning: listener.accept()) }
        }) else {
            let lines = said.lines.isEmpty ? "" : ": " + said.lines.joined(separator: " | ")
            throw SpileError(.unavailable, "a worker could not be started, or took too long\(lines)")
        }
        let link = WorkerLink(socket: socket, handle: handle, launcher: launcher)
        guard await link.start(watching: exit) else {
            throw SpileError(
                .failedPrecondition, "the program that workers run is of another version than the server",
                remedy: "let --tool-binary name a spile of this version")
        }
        return link
    }
}
