import Core
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Runs users' code in containers, by podman or docker: the image is honoured, and gets `pachctl` mounted in.
///
/// Each run is a container that bears this server's label, by which a later server finds it, and has a private folder
/// below `root` with the files it is given. Container and folder are gone when the run is.
package final class ContainerLauncher: Launcher {
    private let root: String
    private let options: ContainerOptions
    private let tool: ContainerTool
    private let toolBinary: String
    private let logger: Logger
    private let runs = Mutex<[LaunchHandle: ContainerRun]>([:])
    /// Names of containers that are being started: they are watched from then on.
    private let starting = Mutex<Set<String>>([])
    private let hasWarned = Mutex(false)

    /// `root` must be an absolute path, and no other server may use it; it is made by the first launch. `environment`
    /// is what the tool gets: the server's own.
    ///
    /// Throws `failedPrecondition` if there is no tool on this machine. Whether its engine answers is seen at the first
    /// launch.
    package init(root: String, options: ContainerOptions, environment: [String: String], logger: Logger) throws {
        self.root = root
        self.options = options
        self.logger = logger
        tool = try ContainerTool.find(options.command, environment: environment)
        toolBinary = try options.toolBinary ?? ToolFolder.running()
        guard PosixFiles.size(toolBinary) != nil else {
            throw SpileError(.failedPrecondition, "there is no file \(toolBinary) to give to containers as pachctl")
        }
    }

    package func publishesPort(of order: LaunchOrder) -> Bool { options.publishesPorts }

    /// Which user the image or the spec means, the image alone knows.
    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner { .everybody }

    /// A program that needs this machine's libraries runs in few images.
    package func workerProgram(of order: LaunchOrder) -> String? {
        ExecutableFile.isStatic(toolBinary) == true ? ContainerPlan.toolFolder + "/spile" : nil
    }

    package func reachesLoopback(from order: LaunchOrder) -> Bool { options.network == "host" }

    package func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        if order.command.isEmpty { throw SpileError(.failedPrecondition, "nothing to run: no transform.cmd") }
        guard var image = order.image else {
            throw SpileError(.failedPrecondition, "nothing to run in: no transform.image")
        }
        let folder = "\(root)/\(order.pipeline.project)/\(order.pipeline.name)/\(order.number)"
        warnOfDynamicTool()
        do {
            try await endOthers(of: order.pipeline)
            try await BlockingThread.run { try Self.prepare(folder, for: order) }
            let found = try await ContainerImages(tool: tool, pull: options.pull).prepare(image, folder: folder)
            image.name = found.name
            let plan = ContainerPlan(
                order: order, image: image, options: options, flavour: try await tool.flavour(), folder: folder,
                tool: toolBinary, imageEnvironment: found.environment)
            return try await launch(plan)
        } catch {
            try? await BlockingThread.run { PosixFiles.removeTree(folder) }
            throw error
        }
    }

    package func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
        guard let run = runs.withLock({ $0[handle] }) else {
            throw SpileError.notFound("no container \(handle) was started by this server")
        }
        let exit = await run.end()
        runs.withLock { $0[handle] = nil }
        return exit
    }

    package func isAlive(_ handle: LaunchHandle) async -> Bool {
        if let run = runs.withLock({ $0[handle] }) { return !run.isOver }
        guard Self.isContainer(handle) else { return false }
        return (try? await ContainerState(of: handle.text, tool: tool))?.isRunning ?? false
    }

    package func stop(_ handle: LaunchHandle, grace: Double) async {
        if let run = runs.withLock({ $0[handle] }) {
            await run.stop(grace: grace)
        } else if Self.isContainer(handle) {
            await end(handle.text, grace: grace)
        }
    }

    package func endLeftovers(grace: Double) async {
        // Without the folder no container was ever started from here, and the engine need not be woken to hear it.
        guard PosixFiles.isFolder(root) else { return }
        do {
            let leftovers = try await list("\(ContainerPlan.ownerLabel)=\(options.owner)")
            if !leftovers.isEmpty {
                logger.notice(
                    "ending what an earlier server left running", metadata: ["containers": "\(leftovers.count)"])
            }
            await withDiscardingTaskGroup { group in
                for container in leftovers { group.addTask { await self.end(container.id, grace: grace) } }
            }
        } catch {
            logger.warning("cannot look for containers of an earlier server", metadata: ["error": "\(error)"])
        }
        try? await BlockingThread.run { [root] in
            for name in PosixFiles.names(root) ?? [] { PosixFiles.removeTree(root + "/" + name) }
        }
    }

    // MARK: One launch

    /// Lays out the private folder. Nobody else of this machine gets into it, so that the files in it can be open to
    /// whatever user the container runs as.
    private static func prepare(_ folder: String, for order: LaunchOrder) throws {
        PosixFiles.removeTree(folder)
        try PosixFiles.makeFolder(folder + "/files")
        chmod(folder, 0o700)
        try PosixFiles.write(order.standardInput, to: folder + "/input", mode: 0o600)
        for file in order.files {
            let path = folder + "/files/" + file.path
            if let slash = path.lastIndex(of: "/") { try PosixFiles.makeFolder(String(path[..<slash])) }
            try PosixFiles.write(file.bytes, to: path, mode: file.mode)
            let owners = file.mode & 0o500
            chmod(path, file.mode | owners >> 3 | owners >> 6)
        }
        chmod(folder + "/files", 0o755)
        try SecretFolders.lay(order.secretFiles, in: folder, folderMode: 0o755, fileMode: 0o444)
    }

    private func launch(_ plan: ContainerPlan) async throws -> LaunchHandle {
        let variables = plan.lines.map { $0 + "\n" }.joined()
        starting.withLock { _ = $0.insert(plan.name) }
        defer { starting.withLock { _ = $0.remove(plan.name) } }
        try await BlockingThread.run {
            try PosixFiles.write(Array(variables.utf8), to: plan.environmentFile, mode: 0o600)
        }
        let created = try await tool.command(
            plan.arguments, variables: plan.others.filter(\.isPassed).map(\.text))
        guard let container = created.output.last(where: { Self.isContainer(LaunchHandle($0)) }) else {
            throw SpileError(.internal, "\(tool.program) create said \(created.output)")
        }
        do {
            return try await begin(container, plan)
        } catch {
            await end(container, grace: 0)
            throw error
        }
    }

    private func begin(_ container: String, _ plan: ContainerPlan) async throws -> LaunchHandle {
        let lines = HeldLines(plan.order.output)
        var arguments = ["start", "--attach"]
        if !plan.order.standardInput.isEmpty { arguments.append("--interactive") }
        // Bytes of the input must not be taken for the keys that end an attachment; docker looks for them in terminals
        // only.
        if plan.flavour == .podman { arguments += ["--sig-proxy=false", "--detach-keys="] }
        let attachment = try await tool.spawn(
            arguments + [container], input: plan.order.standardInput.isEmpty ? "/dev/null" : plan.input
        ) { lines.add($0) }
        guard try await hasStarted(container, attachment) else {
            let answer = try? await tool.ask(["container", "inspect", "--format", "{{.State.Error}}", container])
            throw ContainerFault.error(of: "start", lines.take() + (answer?.output ?? []), program: tool.program)
        }
        lines.release()
        let handle = LaunchHandle(container)
        let run = ContainerRun(container: container, tool: tool, lines: lines) {
            try? await BlockingThread.run { PosixFiles.removeTree(plan.folder) }
        }
        runs.withLock { $0[handle] = run }
        run.start(attachment)
        return handle
    }

    /// Waits until the engine has started the program, or could not. The tools tell of a start by nothing but what they
    /// answer when asked.
    private func hasStarted(_ container: String, _ attachment: ProcessRun) async throws -> Bool {
        while !attachment.isOver {
            if try await ContainerState(of: container, tool: tool)?.wasStarted == true { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await ContainerState(of: container, tool: tool)?.wasStarted == true
    }

    // MARK: Containers that nobody watches

    /// Ends what an earlier launch of the pipeline may have left, so that it never runs beside a later one. Those of
    /// this server, of which a launch may have several at a time, are watched or being started.
    private func endOthers(of pipeline: PipelineKey) async throws {
        let label = "\(ContainerPlan.pipelineLabel)=\(pipeline)"
        let found = try await list("\(ContainerPlan.ownerLabel)=\(options.owner)", label)
        // In this order: what is no longer being started is watched already.
        let begun = starting.withLock { $0 }
        let watched = runs.withLock { Set($0.values.map(\.container)) }
        for container in found where !watched.contains(container.id) && !begun.contains(container.name) {
            await end(container.id, grace: 0)
        }
    }

    private func list(_ labels: String...) async throws -> [(id: String, name: String)] {
        let filters = labels.flatMap { ["--filter", "label=\($0)"] }
        let arguments = ["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"] + filters
        return try await tool.command(arguments).output.compactMap { line in
            let words = line.split(separator: " ")
            return words.count == 2 ? (String(words[0]), String(words[1])) : nil
        }
    }

    private func end(_ container: String, grace: Double) async {
        var isRunning = true
        if let state = try? await ContainerState(of: container, tool: tool) { isRunning = state.isRunning }
        if isRunning, grace > 0 {
            _ = try? await tool.ask(["kill", "--signal", "TERM", container])
            let deadline = monotonicSeconds() + grace
            while monotonicSeconds() < deadline,
                (try? await ContainerState(of: container, tool: tool))?.isRunning ?? false
            { try? await Task.sleep(for: .milliseconds(100)) }
        }
        if isRunning { _ = try? await tool.ask(["kill", "--signal", "KILL", container]) }
        _ = try? await tool.ask(["rm", "--force", "--volumes", container])
    }

    /// Says once that `pachctl` will run in few images.
    private func warnOfDynamicTool() {
        let isFirst = hasWarned.withLock { hasWarned in
            defer { hasWarned = true }
            return !hasWarned
        }
        guard isFirst, ExecutableFile.isStatic(toolBinary) == false else { return }
        logger.warning(
            "pachctl in containers needs this machine's libraries: name a static program by --tool-binary",
            metadata: ["program": "\(toolBinary)"])
    }

    private static func isContainer(_ handle: LaunchHandle) -> Bool {
        handle.text.utf8.count == 64 && handle.text.allSatisfy(\.isHexDigit)
    }
}
