import Core

/// How far a run has come, as a value: told what its pod says and how time goes, it says what to do.
struct KubernetesRunPhase {
    enum Action: Equatable {
        /// The program runs, or has run: read what it prints.
        case begin
        /// The program cannot be started, for this reason.
        case refuse(KubernetesPodState.Reason)
        /// Nothing of it runs any more; what there is to say beside its exit.
        case conclude(LaunchExit, remark: String?)
    }

    private enum State { case starting, running, over }

    private var state = State.starting
    private var last: KubernetesPodState?
    private let scheduleDeadline: Double
    private let startDeadline: Double

    /// Times are seconds of a clock that only goes forward.
    init(at now: Double, options: KubernetesOptions) {
        scheduleDeadline = now + options.schedulePatience
        startDeadline = now + max(options.startPatience, options.schedulePatience)
    }

    /// What the pod says now. More than one action stands for a program that was too quick to be seen running.
    mutating func saw(_ pod: KubernetesPodState, at now: Double) -> [Action] {
        if case .over = state { return [] }
        last = pod
        var actions: [Action] = []
        if case .starting = state {
            if let fault = pod.startFault { return refuse(fault) }
            if pod.hasStarted {
                state = .running
                actions.append(.begin)
            }
        }
        if pod.isOver {
            if case .starting = state {
                return refuse(.init(reason: "the pod ended before its program ran", message: ""))
            }
            state = .over
            actions.append(.conclude(pod.exit, remark: pod.remark))
        }
        return refuseUnscheduled(at: now) ?? actions
    }

    /// One that fits no node, and has had its time to wait for one.
    private mutating func refuseUnscheduled(at now: Double) -> [Action]? {
        guard case .starting = state, now >= scheduleDeadline, let message = last?.unschedulable else { return nil }
        return refuse(.init(reason: "Unschedulable", message: message))
    }

    /// There is no such pod any more.
    mutating func vanished() -> [Action] {
        switch state {
        case .over: return []
        case .starting: return refuse(.init(reason: "somebody deleted the pod before its program ran", message: ""))
        case .running:
            state = .over
            return [.conclude(last?.exit ?? .unknown, remark: nil)]
        }
    }

    mutating func timePassed(to now: Double) -> [Action] {
        guard case .starting = state else { return [] }
        if let refusal = refuseUnscheduled(at: now) { return refusal }
        guard now >= startDeadline else { return [] }
        return refuse(last?.waiting ?? .init(reason: "the pod did not start in time", message: ""))
    }

    private mutating func refuse(_ reason: KubernetesPodState.Reason) -> [Action] {
        state = .over
        return [.refuse(reason)]
    }

    /// When ``timePassed(to:)`` has to be called next; nil for never.
    func deadline(after now: Double) -> Double? {
        guard case .starting = state else { return nil }
        return [scheduleDeadline, startDeadline].first { $0 > now } ?? now
    }

    var isOver: Bool { if case .over = state { true } else { false } }
}
