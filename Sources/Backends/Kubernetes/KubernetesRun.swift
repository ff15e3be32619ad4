import Core
import Logging
import Synchronization

/// A pod under watch: one task hears what becomes of it, one reads what it prints, one sees to its start's patience.
final class KubernetesRun: Sendable {
    let name: String
    let uid: String
    private let client: KubernetesClient
    private let logger: Logger
    private let deliver: @Sendable (LaunchOutput) -> Void
    private let phase: Mutex<KubernetesRunPhase>
    /// Whether the program runs, or why it cannot.
    private let begun = OneShot<KubernetesPodState.Reason?>()
    /// How it ended: what it printed may still be on its way.
    private let over = OneShot<LaunchExit>()
    private let ending = LaunchEnding()
    /// The shortest grace that was asked for, in seconds.
    private let grace = Mutex<Double>(.infinity)

    private static let mostLogFailures = 5

    init(
        pod: KubernetesPodState, client: KubernetesClient, options: KubernetesOptions, logger: Logger,
        deliver: @escaping @Sendable (LaunchOutput) -> Void
    ) {
        name = pod.name
        uid = pod.uid
        self.client = client
        self.logger = logger
        self.deliver = deliver
        phase = Mutex(KubernetesRunPhase(at: client.time.monotonic(), options: options))
    }

    var handle: LaunchHandle { LaunchHandle("\(name)/\(uid)") }
    var isOver: Bool { ending.isOver }

    func start() { Task { await live() } }

    /// Returns when the program runs, or has run. Nil then; else why it cannot. Also nil where the task is cancelled:
    /// the caller sees to the end.
    func begin() async -> KubernetesPodState.Reason? { await begun.wait() ?? nil }

    /// Waits until nothing of the run is left.
    func end() async -> LaunchExit { await ending.value() }

    /// SIGTERM, then SIGKILL after `grace` seconds; returns when nothing is left. May be called by several at a time:
    /// the shortest grace counts.
    func stop(grace wanted: Double) async {
        let isShorter = grace.withLock { grace in
            defer { grace = min(grace, wanted) }
            return wanted < grace
        }
        // No child task: it has to go on also where the caller has been cancelled.
        let killer = Task {
            if isShorter { await ask(grace: KubernetesClient.wholeSeconds(wanted)) }
            try await client.time.sleep(Double(KubernetesClient.wholeSeconds(wanted)) + KubernetesClient.lostSeconds)
            while !isOver {
                // Its node does not answer.
                await ask(grace: 0)
                try await client.time.sleep(KubernetesClient.lostSeconds)
            }
        }
        _ = await end()
        killer.cancel()
    }

    /// Asks for the pod's end until the server has heard it.
    private func ask(grace: Int) async {
        var failures = 0
        while over.value == nil {
            do {
                try await client.delete(.pod, name, grace: grace, uid: uid)
                return
            } catch let error as SpileError where error.code == .aborted {
                return
            } catch {
                failures += 1
                logger.warning("cannot end a pod", metadata: ["pod": "\(name)", "error": "\(error)"])
                do { try await client.time.sleep(client.time.pause(after: failures)) } catch { return }
            }
        }
    }

    // MARK: Its life

    private func live() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            group.addTask { await self.seeToStart() }
            group.addTask { await self.readLog() }
        }
        await cleanUp()
        ending.conclude(over.value ?? .unknown)
    }

    private func watch() async {
        try? await client.follow(.pod, fields: "metadata.name=\(name)") { change in
            switch change {
            case .listed(let pods):
                if let pod = pods.first(where: isIt) { saw(pod) } else { act { $0.vanished() } }
            case .changed(let pod): if isIt(pod) { saw(pod) }
            case .removed(let pod):
                if isIt(pod) {
                    saw(pod)
                    act { $0.vanished() }
                }
            case .failed(let error):
                logger.warning("cannot hear of a pod", metadata: ["pod": "\(name)", "error": "\(error)"])
            }
            return !phase.withLock { $0.isOver }
        }
        // Nothing more can be heard where the client has been closed.
        act { $0.vanished() }
    }

    private func isIt(_ pod: JSONValue) -> Bool { pod.at("metadata", "uid")?.string == uid }

    private func saw(_ pod: JSONValue) {
        let state = KubernetesPodState(pod)
        let now = client.time.monotonic()
        act { $0.saw(state, at: now) }
    }

    private func act(_ event: (inout KubernetesRunPhase) -> [KubernetesRunPhase.Action]) {
        for action in phase.withLock({ event(&$0) }) {
            switch action {
            case .begin: begun.send(nil)
            case .refuse(let reason):
                over.send(.unknown)
                begun.send(reason)
            case .conclude(let exit, let remark):
                if let remark { deliver(LaunchOutput(stream: .standardError, line: remark)) }
                over.send(exit)
            }
        }
    }

    private func seeToStart() async {
        while true {
            let now = client.time.monotonic()
            guard let deadline = phase.withLock({ $0.deadline(after: now) }) else { return }
            if await begun.wait(deadline - now, client.time) != nil { return }
            let later = max(client.time.monotonic(), deadline)
            act { $0.timePassed(to: later) }
        }
    }

    // MARK: What it prints

    private func readLog() async {
        guard await begun.wait() == .some(nil) else { return }
        var lines = KubernetesLogLines()
        var failures = 0
        while true {
            // Only a log that was opened after the end is known to be whole when it ends.
            let isLast = over.value != nil
            lines.reopen()
            do {
                var pieces = try await client.log(of: name, since: lines.since)
                while let piece = try await pieces.next() {
                    failures = 0
                    for line in lines.take(piece.readableBytesView) { print(line) }
                }
                if isLast { break }
            } catch {
                failures += 1
                if (error as? SpileError)?.code == .notFound { break }
                if isLast, failures >= Self.mostLogFailures {
                    print("the end of what it printed could not be read: \(error)")
                    break
                }
            }
            let pause = client.time.pause(after: failures + 1)
            if isLast { try? await client.time.sleep(pause) } else { _ = await over.wait(pause, client.time) }
        }
        for line in lines.finish() { print(line) }
    }

    /// A container's log does not tell its streams apart.
    private func print(_ line: String) { deliver(LaunchOutput(stream: .standardOutput, line: line)) }

    /// Removes the pod. One that stays nevertheless bears the labels by which a later launch finds it.
    private func cleanUp() async {
        for failures in 1...3 {
            do { return try await client.remove(pod: name, uid: uid, grace: 0) } catch {
                logger.warning("cannot remove a pod", metadata: ["pod": "\(name)", "error": "\(error)"])
                try? await client.time.sleep(client.time.pause(after: failures))
            }
        }
    }
}
