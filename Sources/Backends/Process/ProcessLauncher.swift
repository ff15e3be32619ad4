import Core
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Runs users' code as processes of this machine: the image is ignored, the command is run as it stands.
///
/// Each run has a private folder below `root`, which is its working folder unless the spec names another, and is gone
/// when the run is. Its name stands in the variable `SPILE_RUN_FOLDER`, by which a later server, and the end of the run
/// itself, find every process that came of it, also one that has left the group.
package final class ProcessLauncher: Launcher {
    private let root: String
    private let tool: String?
    private let logger: Logger
    private let runs = Mutex<[LaunchHandle: ProcessRun]>([:])

    private static let folderVariable = "SPILE_RUN_FOLDER"

    /// `root` is made if missing; it must be an absolute path, and no other server may use it. `tool` is the `spile`
    /// program, an absolute path, nil for one that keeps no workers.
    package init(root: String, tool: String? = nil, logger: Logger) throws {
        self.root = root
        self.tool = tool
        self.logger = logger
        try PosixFiles.makeFolder(root)
    }

    /// A process sees the machine's own file tree: nothing is put at a path that others see too.
    package func mountsSecrets(of order: LaunchOrder) -> Bool { false }

    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner {
        guard let user = try UserIdentity.toChangeTo(order.user) else { return .server }
        return .user(user.user, group: user.group)
    }

    package func workerProgram(of order: LaunchOrder) -> String? { tool }

    package func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        let run = try await BlockingThread.run { try self.launch(order) }
        let handle = LaunchHandle(run.identity.text)
        runs.withLock { $0[handle] = run }
        run.start()
        return handle
    }

    package func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
        guard let run = runs.withLock({ $0[handle] }) else {
            throw SpileError.notFound("no run \(handle) was started by this server")
        }
        let exit = await run.end()
        runs.withLock { $0[handle] = nil }
        return exit
    }

    package func isAlive(_ handle: LaunchHandle) async -> Bool {
        if let run = runs.withLock({ $0[handle] }) { return !run.isOver }
        return ProcessIdentity(text: handle.text)?.isAlive ?? false
    }

    package func stop(_ handle: LaunchHandle, grace: Double) async {
        if let run = runs.withLock({ $0[handle] }) {
            run.requestStop(grace: grace)
            _ = await run.end()
        } else if let identity = ProcessIdentity(text: handle.text), identity.isAlive {
            await Self.end([identity], grace: grace)
        }
    }

    package func endLeftovers(grace: Double) async {
        let root = root
        let leftovers = ProcessIdentity.all(withVariable: Self.folderVariable, prefix: root + "/")
        if !leftovers.isEmpty {
            logger.notice("ending what an earlier server left running", metadata: ["processes": "\(leftovers.count)"])
            await Self.end(leftovers, grace: grace)
        }
        try? await BlockingThread.run {
            for name in PosixFiles.names(root) ?? [] { PosixFiles.removeTree(root + "/" + name) }
        }
    }

    /// Ends processes that are not our children: asks at short intervals, since nobody tells of their end.
    private static func end(_ processes: [ProcessIdentity], grace: Double) async {
        try? await BlockingThread.run {
            func signal(_ number: Int32) {
                for process in processes where process.isAlive {
                    kill(getpgid(process.number) == process.number ? -process.number : process.number, number)
                }
            }
            let deadline = monotonicSeconds() + grace
            if grace > 0 { signal(SIGTERM) }
            while processes.contains(where: \.isAlive) {
                if monotonicSeconds() >= deadline { signal(SIGKILL) }
                usleep(10_000)
            }
        }
    }

    // MARK: One launch

    private func launch(_ order: LaunchOrder) throws -> ProcessRun {
        guard let command = order.command.first else {
            throw SpileError(.failedPrecondition, "nothing to run: no transform.cmd")
        }
        let user = try UserIdentity.toChangeTo(order.user)
        let folder = "\(root)/\(order.pipeline.project)/\(order.pipeline.name)/\(order.number)"
        PosixFiles.removeTree(folder)
        do {
            try prepare(folder, for: order, user: user)
            return try spawn(order, command: command, in: folder, as: user)
        } catch {
            PosixFiles.removeTree(folder)
            throw error
        }
    }

    /// Lays out the private folder: `work` to start in, `input` to read from, and the files of the order.
    private func prepare(_ folder: String, for order: LaunchOrder, user: UserIdentity?) throws {
        try PosixFiles.makeFolder(folder + "/work")
        try PosixFiles.write(order.standardInput, to: folder + "/input", mode: 0o600)
        for file in order.files {
            if let slash = file.path.lastIndex(of: "/") {
                try PosixFiles.makeFolder(folder + "/" + file.path[..<slash])
            }
            try PosixFiles.write(file.bytes, to: folder + "/" + file.path, mode: file.mode)
        }
        chmod(folder, 0o700)
        try SecretFolders.lay(order.secretFiles, in: folder, user: user)
        guard let user else { return }
        for path in ["", "/work", "/input"] + order.files.map({ "/" + $0.path }) {
            guard chown(folder + path, user.user, user.group) == 0 else {
                throw PosixFiles.fault("give to transform.user", folder + path)
            }
        }
    }

    private func spawn(
        _ order: LaunchOrder, command: String, in folder: String, as user: UserIdentity?
    ) throws -> ProcessRun {
        let start = order.workingDirectory.isEmpty ? folder + "/work" : order.workingDirectory
        let pfs = order.pfsFolder.map { PfsMount(folder: $0) }
        guard PosixFiles.isFolder(pfs?.source(of: start) ?? start) else {
            throw SpileError(
                .failedPrecondition, "transform.working_dir: there is no folder \(start) on this machine",
                remedy: "leave it out to start in a private folder")
        }
        var variables = order.environment
        variables += order.fileVariables.map { ($0.name, folder + "/" + $0.path) }
        variables += SecretFolders.variables(order.secretFiles, in: folder)
        variables.append((Self.folderVariable, folder))
        let path = order.environment.last { $0.name == "PATH" }?.value ?? ""
        let spawner = ProcessSpawner(
            program: try ProcessSpawner.find(command, path: path), arguments: order.command,
            environment: variables.map { "\($0.name)=\($0.value)" }, folder: start, user: user,
            inputPath: order.standardInput.isEmpty ? "/dev/null" : folder + "/input", outputFile: -1, errorFile: -1,
            pfs: pfs)
        return try ProcessRun.begin(spawner, deliver: order.output, cleanUp: { Self.cleanUp(folder) })
    }

    /// Ends what is left of a run, also outside of its group, and removes the private folder. Killed processes take a
    /// moment to go: they are waited for, but not for ever.
    private static func cleanUp(_ folder: String) {
        let deadline = monotonicSeconds() + 2
        while monotonicSeconds() < deadline {
            // The folder of launch 1 is also a prefix of launch 10's: the whole value counts.
            let left = ProcessIdentity.all(withVariable: folderVariable, prefix: folder).filter {
                isOf(folder, $0.number)
            }
            if left.isEmpty { break }
            for process in left where process.isAlive { kill(process.number, SIGKILL) }
            usleep(1000)
        }
        PosixFiles.removeTree(folder)
    }

    private static func isOf(_ folder: String, _ number: pid_t) -> Bool {
        let environment = PosixFiles.read("/proc/\(number)/environ") ?? []
        return environment.split(separator: 0).contains { $0.elementsEqual("\(folderVariable)=\(folder)".utf8) }
    }
}
