import Core
import Synchronization

/// A container under watch: a process of the tool is attached to it, and its end is asked after when that one is gone.
final class ContainerRun: Sendable {
    let container: String
    private let tool: ContainerTool
    private let lines: HeldLines
    /// Runs when the container is gone, before anybody is told.
    private let cleanUp: @Sendable () async -> Void
    private let isTerminated = Mutex(false)
    private let ending = LaunchEnding()

    init(
        container: String, tool: ContainerTool, lines: HeldLines, cleanUp: @escaping @Sendable () async -> Void
    ) {
        self.container = container
        self.tool = tool
        self.lines = lines
        self.cleanUp = cleanUp
    }

    var isOver: Bool { ending.isOver }

    /// Watches until the container has ended; `attachment` is the tool's process that reads what it prints.
    func start(_ attachment: ProcessRun) { Task { await follow(attachment) } }

    /// Waits until nothing of the run is left.
    func end() async -> LaunchExit { await ending.value() }

    /// SIGTERM, then SIGKILL after `grace` seconds; returns when nothing is left. May be called by several at a time:
    /// the shortest grace counts.
    func stop(grace: Double) async {
        let isFirst = isTerminated.withLock { isTerminated in
            defer { isTerminated = true }
            return !isTerminated
        }
        if grace > 0, isFirst, !isOver { await signal("TERM") }
        // Not a child task: it has to wait out the grace also where the caller has been cancelled.
        let killer = Task {
            if grace > 0 { try await Task.sleep(for: .seconds(grace)) }
            while !isOver {
                await signal("KILL")
                try await Task.sleep(for: .seconds(2))
            }
        }
        _ = await end()
        killer.cancel()
    }

    /// What the container does not hear, because it has just ended, needs no answer.
    private func signal(_ name: String) async { _ = try? await tool.ask(["kill", "--signal", name, container]) }

    private func follow(_ first: ProcessRun) async {
        var attachment = first
        var exit = LaunchExit.unknown
        var faults = 0
        while true {
            _ = await attachment.end()
            do {
                let found = try await ContainerState(of: container, tool: tool)
                guard let found, found.isRunning else {
                    exit = found?.exit ?? .unknown
                    if found?.wasOutOfMemory == true { lines.add(Self.outOfMemory) }
                    break
                }
                // Somebody ended the tool's process, not the container: what was printed in between is lost.
                try await Task.sleep(for: .milliseconds(200))
                let lines = lines
                attachment = try await tool.spawn(["attach", "--no-stdin", "--sig-proxy=false", container]) {
                    lines.add($0)
                }
                faults = 0
            } catch {
                // The engine does not answer. Should the container outlive it, the next launch ends it.
                faults += 1
                if faults == 30 { break }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        _ = try? await tool.ask(["rm", "--force", "--volumes", container])
        await cleanUp()
        lines.release()
        ending.conclude(exit)
    }

    private static let outOfMemory = LaunchOutput(
        stream: .standardError, line: "the container was ended because it used more than resource_limits.memory")
}

/// What the engine says of a container.
struct ContainerState {
    /// `created`, `running`, `exited`, ...
    var status: String
    var code: Int32
    var wasOutOfMemory: Bool
    var wasStarted: Bool

    /// Nil if there is no such container.
    init?(of container: String, tool: ContainerTool) async throws {
        let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.StartedAt}}"
        let answer = try await tool.ask(["container", "inspect", "--format", format, container])
        if answer.saysMissing { return nil }
        guard answer.succeeded else {
            throw ContainerFault.error(of: "inspect", answer.errors, program: tool.program)
        }
        let words = answer.output.first?.split(separator: " ").map(String.init) ?? []
        guard words.count >= 4, let code = Int32(words[1]) else {
            throw SpileError(.internal, "\(tool.program) inspect said \(answer.output)")
        }
        status = words[0]
        self.code = code
        wasOutOfMemory = words[2] == "true"
        wasStarted = !words[3].hasPrefix("0001-01-01")
    }

    /// Whether code may be running in it.
    var isRunning: Bool { ["running", "paused", "restarting", "stopping", "removing"].contains(status) }

    /// Engines tell of an end by a signal as shells do, by 128 and its number; a program that exits so is taken for
    /// one that was ended.
    var exit: LaunchExit {
        guard wasStarted else { return .unknown }
        return 129...192 ~= code ? .signalled(number: code - 128) : .exited(code: code)
    }
}

/// Lines on their way to their receiver, held until the program is known to have started: what comes before may be the
/// tool's own complaint.
final class HeldLines: Sendable {
    /// Guarded by the lock around it; `held` is nil once lines pass.
    private let held: Mutex<[LaunchOutput]?>
    private let deliver: @Sendable (LaunchOutput) -> Void
    /// So many lines come from no tool.
    private static let limit = 1000

    init(_ deliver: @escaping @Sendable (LaunchOutput) -> Void) {
        held = Mutex([])
        self.deliver = deliver
    }

    func add(_ line: LaunchOutput) {
        held.withLock { held in
            guard held != nil else { return deliver(line) }
            held?.append(line)
            if held?.count == Self.limit { Self.pass(&held, to: deliver) }
        }
    }

    /// Lets all pass, now and later.
    func release() { held.withLock { Self.pass(&$0, to: deliver) } }

    /// What is held, dropped.
    func take() -> [String] {
        held.withLock { held in
            defer { held = nil }
            return held?.map(\.line) ?? []
        }
    }

    private static func pass(_ held: inout [LaunchOutput]?, to deliver: (LaunchOutput) -> Void) {
        let lines = held ?? []
        held = nil
        for line in lines { deliver(line) }
    }
}
