import Core

/// The life of one spout's or service's code, as a value: told what happened, it says what to do. It does no I/O.
///
/// At most one run exists at a time. What is wanted may change at any moment; a run that no longer fits is stopped, and
/// what comes next is decided when it has ended.
package struct SpoutLifecycle: Sendable {
    /// What the catalog wants of the pipeline's code.
    package enum Wish: Sendable, Equatable {
        /// This version runs; a service's, for the newest of its jobs that can run.
        case run(version: Int64, job: CommitID? = nil)
        /// Nothing has to run: a service has no job yet whose input is complete.
        case wait(version: Int64)
        /// Nothing runs: the pipeline is stopped.
        case rest(version: Int64)
        /// Nothing can run until the spec is changed.
        case fail(version: Int64, reason: String)
        /// The pipeline's code is run by others: it has become a transform.
        case elsewhere
        /// There is no such pipeline (any more).
        case nothing
    }

    package enum State: Sendable, Equatable {
        case idle
        /// Waits for the end of a pause; only the wake-up with this ticket counts.
        case pausing(ticket: Int)
        case launching(version: Int64, job: CommitID?)
        case running(version: Int64, job: CommitID?, handle: LaunchHandle, since: Instant)
        /// The launcher has been asked to end the run.
        case stopping
        /// Nothing runs, and nothing will: the server is going down.
        case closed
    }

    package enum Action: Sendable, Equatable {
        case launch(version: Int64, job: CommitID? = nil, failures: Int64)
        /// The run that is being started is wanted no more: its start may be given up. What comes of it is told all the
        /// same.
        case abandon
        case stop(LaunchHandle)
        case wake(after: Double, ticket: Int)
        case report(StateReport)
        /// The token of the last launch is good for nothing from now on.
        case revoke
        /// Nothing runs and nothing is wanted: drop this lifecycle, and with `keepsLogs` not what was printed.
        case forget(keepsLogs: Bool)
    }

    package private(set) var state = State.idle
    private var wish = Wish.nothing
    /// Runs in a row that ended before they were healthy.
    private var failures: Int64
    private var crash = ""
    private var ticket: Int
    private var isShuttingDown = false
    /// Whether the start under way is wanted no more.
    private(set) var isAbandoned = false
    private let policy: RestartPolicy

    /// `failures` is what an earlier server counted.
    package init(policy: RestartPolicy, failures: Int64 = 0, firstTicket: Int = 0) {
        ticket = firstTicket
        self.policy = policy
        self.failures = failures
    }

    /// Whether no run exists or is being made.
    package var isQuiet: Bool {
        switch state {
        case .idle, .pausing, .closed: true
        case .launching, .running, .stopping: false
        }
    }

    /// Whether a run is up and has not been asked to end.
    var isRunning: Bool { if case .running = state { true } else { false } }

    /// The catalog wants this now; may be told again and again.
    package mutating func wanted(_ new: Wish) -> [Action] {
        let old = wish
        wish = new
        if isShuttingDown { return [] }
        if old != new, old != .nothing { failures = 0 }
        switch state {
        case .idle: return begin(changed: old != new)
        case .pausing:
            if old == new { return [] }
            state = .idle
            return begin(changed: true)
        case .launching(let version, let job):
            return new == .run(version: version, job: job) ? [] : abandon()
        case .stopping, .closed: return []
        case .running(let version, let job, let handle, _):
            if new == .run(version: version, job: job) { return [] }
            state = .stopping
            var actions = [Action.stop(handle)]
            if case .run(let next, _) = new, next != version {
                actions.append(report(next, .restarting, "version \(next) takes the place of version \(version)"))
            }
            return actions
        }
    }

    /// The launcher has started the run.
    package mutating func launched(_ handle: LaunchHandle, at now: Instant) -> [Action] {
        guard case .launching(let version, let job) = state else { return [.stop(handle)] }
        guard !isShuttingDown, wish == .run(version: version, job: job) else {
            state = .stopping
            return [.stop(handle)]
        }
        state = .running(version: version, job: job, handle: handle, since: now)
        if failures == 0 { return [report(version, .running, "", startedAt: now)] }
        ticket += 1
        let wake = Action.wake(after: policy.healthyAfter, ticket: ticket)
        if failures < policy.crashingAfter { return [report(version, .running, "", startedAt: now), wake] }
        return [report(version, .crashing, crash, startedAt: now), wake]
    }

    /// The run could not be started.
    package mutating func launchFailed(_ reason: String, chance: Double) -> [Action] {
        guard case .launching(let version, let job) = state else { return [] }
        if isAbandoned {
            state = .idle
            return begin(changed: true)
        }
        return rest(version, job, after: "could not be started: \(reason)", chance: chance)
    }

    /// The run is over; `output` is the last it printed.
    package mutating func ended(_ exit: LaunchExit, output: [String], at now: Instant, chance: Double) -> [Action] {
        guard case .running(let version, let job, _, let since) = state else {
            state = .idle
            return begin(changed: true)
        }
        let lasted = now.seconds(since: since)
        if lasted >= policy.healthyAfter { failures = 0 }
        return rest(version, job, after: Self.describe(exit, lasted: lasted, output: output), chance: chance)
    }

    /// A wake-up that was asked for has come.
    package mutating func woke(ticket: Int) -> [Action] {
        guard ticket == self.ticket else { return [] }
        switch state {
        case .pausing:
            state = .idle
            return begin(changed: false)
        case .running(let version, _, _, let since):
            let wasCrashing = failures >= policy.crashingAfter
            failures = 0
            return wasCrashing ? [report(version, .running, "", startedAt: since)] : []
        default: return []
        }
    }

    /// The server goes down: no more launches, and the run ends.
    package mutating func shutDown() -> [Action] {
        isShuttingDown = true
        switch state {
        case .running(_, _, let handle, _):
            state = .stopping
            return [.stop(handle)]
        case .idle, .pausing:
            state = .closed
            return []
        case .launching: return abandon()
        case .stopping, .closed: return []
        }
    }

    private mutating func abandon() -> [Action] {
        if isAbandoned { return [] }
        isAbandoned = true
        return [.abandon]
    }

    /// Nothing runs: do what is wanted.
    private mutating func begin(changed: Bool) -> [Action] {
        if isShuttingDown {
            state = .closed
            return []
        }
        switch wish {
        case .run(let version, let job):
            state = .launching(version: version, job: job)
            isAbandoned = false
            return [.launch(version: version, job: job, failures: failures)]
        case .wait(let version): return changed ? [.revoke, report(version, .running, "")] : []
        case .rest(let version):
            failures = 0
            return changed ? [.revoke, report(version, .paused, "")] : []
        case .fail(let version, let reason):
            return changed ? [.revoke, report(version, .failure, reason)] : []
        case .elsewhere: return [.forget(keepsLogs: true)]
        case .nothing: return [.forget(keepsLogs: false)]
        }
    }

    /// A run, or the attempt at one, is over by itself.
    private mutating func rest(_ version: Int64, _ job: CommitID?, after what: String, chance: Double) -> [Action] {
        guard !isShuttingDown, wish == .run(version: version, job: job) else {
            state = .idle
            return begin(changed: true)
        }
        failures += 1
        ticket += 1
        state = .pausing(ticket: ticket)
        let pause = policy.pause(failures: failures, chance: chance)
        let wake = Action.wake(after: pause, ticket: ticket)
        guard failures >= policy.crashingAfter else {
            return [report(version, .restarting, "\(what); next start in \(Self.seconds(pause))"), wake]
        }
        crash = "\(failures) short runs in a row; the last one \(what)"
        return [report(version, .crashing, crash), wake]
    }

    private func report(
        _ version: Int64, _ state: PipelineState, _ reason: String, startedAt: Instant? = nil
    ) -> Action {
        .report(StateReport(version: version, state: state, reason: reason, startedAt: startedAt))
    }

    /// Such as `exited with code 1 after 0.2 s; its last output: no such broker | giving up`.
    private static func describe(_ exit: LaunchExit, lasted: Double, output: [String]) -> String {
        let how =
            switch exit {
            case .exited(let code): "exited with code \(code)"
            case .signalled(let number): "was ended by signal \(number)"
            case .unknown: "ended unseen"
            }
        let text = "\(how) after \(seconds(lasted))"
        return output.isEmpty
            ? text + " without output" : text + "; its last output: " + output.joined(separator: " | ")
    }

    private static func seconds(_ value: Double) -> String { "\((value * 10).rounded() / 10) s" }
}

/// What the catalog shall say of a version's code.
package struct StateReport: Sendable, Equatable {
    package var version: Int64
    package var state: PipelineState
    package var reason: String
    /// When the run began; nil while none does.
    package var startedAt: Instant?

    package init(version: Int64, state: PipelineState, reason: String, startedAt: Instant? = nil) {
        self.version = version
        self.state = state
        self.reason = reason
        self.startedAt = startedAt
    }
}
