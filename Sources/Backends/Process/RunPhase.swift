/// How far the end of a run has come, as a value: told what happened, it says which signal to send to the group.
///
/// When the leader ends by itself the rest of its group is killed at once. When the run is being stopped, the group has
/// the grace time to end in peace also after its leader; closed output shows that nobody is left.
struct RunPhase {
    enum Signal: Equatable { case terminate, kill }

    /// How long output is read on after everybody was killed: somebody outside of the group may hold it open.
    static let drainSeconds = 1.0

    private var openStreams: Int
    private var hasLeaderEnded = false
    private var isKilled = false
    private var stopDeadline: Double?
    private var drainDeadline: Double?

    init(openStreams: Int) { self.openStreams = openStreams }

    mutating func leaderEnded(at now: Double) -> Signal? {
        hasLeaderEnded = true
        if isKilled {
            drainDeadline = now + Self.drainSeconds
            return nil
        }
        return stopDeadline != nil && openStreams > 0 ? nil : kill(at: now)
    }

    mutating func stopRequested(grace: Double, at now: Double) -> Signal? {
        let isFirst = stopDeadline == nil
        stopDeadline = min(stopDeadline ?? .infinity, now + grace)
        if isKilled { return nil }
        if grace <= 0 { return kill(at: now) }
        return isFirst ? .terminate : nil
    }

    mutating func streamEnded(at now: Double) -> Signal? {
        openStreams -= 1
        return hasLeaderEnded && openStreams == 0 && !isKilled ? kill(at: now) : nil
    }

    mutating func timePassed(to now: Double) -> Signal? {
        guard let stopDeadline, now >= stopDeadline, !isKilled else { return nil }
        return kill(at: now)
    }

    private mutating func kill(at now: Double) -> Signal {
        isKilled = true
        drainDeadline = now + Self.drainSeconds
        return .kill
    }

    func isOver(at now: Double) -> Bool {
        hasLeaderEnded && isKilled && (openStreams == 0 || drainDeadline.map { now >= $0 } == true)
    }

    /// When ``timePassed(to:)`` or ``isOver(at:)`` is to be asked again at the latest; nil for never.
    var deadline: Double? {
        if isKilled { return hasLeaderEnded ? drainDeadline : nil }
        return stopDeadline
    }
}
