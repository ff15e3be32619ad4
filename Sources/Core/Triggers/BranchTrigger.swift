/// When a branch moves to the head of another one of its repo (`pfs.md` §4.3.5).
package struct BranchTrigger: Sendable, Equatable {
    /// Name of the branch it follows.
    package var branch: String
    /// Whether all conditions have to hold, not one of them.
    package var all: Bool
    /// At most once in each period of this schedule; empty for no such condition.
    package var rateLimit: String
    /// After this many bytes more, as text; empty for no such condition.
    package var size: String
    /// After this many commits; 0 for no such condition.
    package var commits: Int64
    /// At these times whatever else is given; empty for none.
    package var cron: String

    package init(
        branch: String, all: Bool = false, rateLimit: String = "", size: String = "", commits: Int64 = 0,
        cron: String = ""
    ) {
        self.branch = branch
        self.all = all
        self.rateLimit = rateLimit
        self.size = size
        self.commits = commits
        self.cron = cron
    }

    /// Checks what can be checked without looking at the repo.
    package func validate() throws(SpileError) {
        if branch.isEmpty { throw .invalid("triggers must specify a branch to trigger on") }
        try NameRules.checkBranch(branch)
        if !size.isEmpty, ByteCount.parse(size) == nil {
            throw .invalid("invalid trigger size: \"\(size)\"", remedy: "write for example 500k, 10MB or 1GB")
        }
        if commits < 0 { throw .invalid("can't trigger on a negative number of commits: \(commits)") }
        try Self.check(rateLimit, "invalid trigger rate limit spec")
        try Self.check(cron, "invalid trigger cron spec")
    }

    private static func check(_ schedule: String, _ prefix: String) throws(SpileError) {
        if schedule.isEmpty { return }
        do { _ = try CronSchedule(schedule) } catch { throw error.wrapped(prefix) }
    }

    /// What the conditions look at.
    package struct Situation: Sendable {
        /// Bytes of the new commit less those of the branch's head.
        package var growth: Int64
        /// When the branch's head and the new commit were finished; nil for a head that is not.
        package var headFinished: Instant?
        package var newFinished: Instant
        /// Commits from the branch's head (left out) to the new one, counted as far as ``commits`` asks for.
        package var commitsBetween: Int64

        package init(growth: Int64, headFinished: Instant?, newFinished: Instant, commitsBetween: Int64) {
            self.growth = growth
            self.headFinished = headFinished
            self.newFinished = newFinished
            self.commitsBetween = commitsBetween
        }
    }

    /// Whether a commit moves the branch. Not for triggers by time.
    package func fires(in situation: Situation) -> Bool {
        var answers: [Bool] = []
        if let size = ByteCount.parse(size) { answers.append(situation.growth >= size) }
        if !rateLimit.isEmpty, let schedule = try? CronSchedule(rateLimit) {
            let next = schedule.next(after: situation.headFinished ?? Instant(nanoseconds: 0))
            answers.append(next.map { $0 < situation.newFinished } ?? false)
        }
        if commits > 0 { answers.append(situation.commitsBetween >= commits) }
        if answers.isEmpty { return all }
        return all ? answers.allSatisfy { $0 } : answers.contains(true)
    }
}
