import Core

/// When silence of a spout counts as a stall.
package struct StallPolicy: Sendable {
    /// So many times the usual gap between two commits.
    package var factor: Double
    /// Never before so many seconds.
    package var floor: Double
    /// Seconds where no gap is usual yet.
    package var withoutHabit: Double
    /// How many of the newest gaps count, and how few make no habit.
    package var window: Int
    package var fewest: Int

    package init(
        factor: Double = 10, floor: Double = 60, withoutHabit: Double = 300, window: Int = 20, fewest: Int = 3
    ) {
        self.factor = factor
        self.floor = floor
        self.withoutHabit = withoutHabit
        self.window = window
        self.fewest = fewest
    }
}

/// The rhythm of one spout's commits, as a value: told what happened, it says whether the spout is silent for longer
/// than it used to be. Gaps are those within a launch: what passes while no code runs is nobody's habit.
package struct SpoutPace: Sendable {
    private var gaps: [Double] = []
    private var last: (instant: Instant, epoch: Int64)?
    private var refusal: (instant: Instant, reason: String)?
    /// The newest launch that was heard of.
    private var epoch: Int64 = 0
    private let policy: StallPolicy

    package init(policy: StallPolicy = StallPolicy()) { self.policy = policy }

    /// The newest commit; nil before the first.
    package var lastCommit: Instant? { last?.instant }

    /// A launch begins: what an older one still sends says nothing of it.
    package mutating func began(epoch: Int64) {
        self.epoch = max(self.epoch, epoch)
        refusal = nil
    }

    /// A launch has finished a commit.
    package mutating func committed(at now: Instant, epoch: Int64) {
        if let last, last.epoch == epoch {
            gaps.append(max(0, now.seconds(since: last.instant)))
            if gaps.count > policy.window { gaps.removeFirst() }
        }
        last = (now, epoch)
        self.epoch = max(self.epoch, epoch)
        refusal = nil
    }

    /// A write of a launch was refused. That of an outdated one is no news: it is fenced.
    package mutating func refused(_ reason: String, at now: Instant, epoch: Int64) {
        if epoch >= self.epoch { refusal = (now, reason) }
    }

    /// The median gap in seconds; nil while there are too few.
    package var usualGap: Double? {
        guard gaps.count >= policy.fewest else { return nil }
        let sorted = gaps.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Whether code that is up since `start` is silent for too long; nil if it is not. `openCommit`, asked only then:
    /// since when the output branch has an open commit, if it has.
    package func stall(
        upSince start: Instant, at now: Instant, openCommit: () throws -> Instant?
    ) rethrows -> SpoutStall? {
        let quietSince = last.map { max($0.instant, start) } ?? start
        let seconds = now.seconds(since: quietSince)
        let usual = usualGap
        guard seconds > (usual.map { max(policy.floor, $0 * policy.factor) } ?? policy.withoutHabit) else { return nil }
        let cause: SpoutStall.Cause
        if let refusal, refusal.instant >= quietSince {
            cause = .refused(refusal.reason)
        } else if let open = try openCommit() {
            cause = .holdsCommit(seconds: max(0, now.seconds(since: open)))
        } else if quietSince == start {
            cause = .neverCommitted
        } else {
            cause = .waits
        }
        return SpoutStall(seconds: seconds, usualGap: usual, cause: cause)
    }
}

/// Code that runs and commits nothing.
package struct SpoutStall: Sendable, Equatable {
    /// What most likely keeps it.
    package enum Cause: Sendable, Equatable {
        /// Nothing since the launch began.
        case neverCommitted
        /// A commit is open for so many seconds.
        case holdsCommit(seconds: Double)
        /// Its newest write was refused.
        case refused(String)
        /// It sends nothing.
        case waits
    }

    /// Seconds since its last commit, or since it was started.
    package var seconds: Double
    package var usualGap: Double?
    package var cause: Cause

    /// Such as `nothing committed for 75 s (usually every 1.5 s): a commit is open for 74 s`.
    package var reason: String {
        let habit = usualGap.map { " (usually every \(Self.text($0)))" } ?? ""
        let why =
            switch cause {
            case .neverCommitted: "the code has committed nothing since it was started"
            case .holdsCommit(let seconds): "a commit is open for \(Self.text(seconds))"
            case .refused(let reason): "its last write was refused: \(reason)"
            case .waits: "the code sends nothing: it waits for its source, or hangs"
            }
        return "nothing committed for \(Self.text(seconds))\(habit): \(why)"
    }

    private static func text(_ seconds: Double) -> String {
        seconds < 10 ? "\((seconds * 10).rounded() / 10) s" : "\(Int64(min(seconds, 1e12).rounded())) s"
    }
}
