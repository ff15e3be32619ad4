import Core
import Synchronization

/// Branches with their heads as the committer last wrote them, so that the next write to the same branch asks the
/// catalog nothing.
///
/// The committer's thread is the only writer of the catalog and the only one that puts, publishes and drops entries.
/// Any thread may look at what is durable; a look decides nothing for good, the transaction checks again. All state is
/// behind one mutex.
///
/// Where other servers write as well, each transaction begins by dropping what they changed, and what is durable is
/// not known to anybody outside of one.
final class HeadCache: Sendable {
    struct Entry {
        var branch: BranchRecord
        var head: CommitRecord
        /// Whether nothing derives from the branch and no branch of its repo has a trigger, so that a new head has no
        /// consequences.
        var isLeaf: Bool
    }

    /// How far the commits of a branch with a trigger are counted: those behind `from` up to and with `to`.
    struct Distance {
        var from: CommitID?
        var to: CommitID
        var commits: Int64
    }

    /// Entries are dropped all at once when there are this many.
    private static let limit = 4096

    private struct State {
        /// As the batch under way has made them.
        var entries: [BranchKey: Entry] = [:]
        /// As they were durable last.
        var durable: [BranchKey: Entry] = [:]
        /// What differs between the two.
        var fresh: [BranchKey] = []
        /// By branch with the trigger.
        var distances: [Int64: Distance] = [:]
    }

    private let state = Mutex(State())
    private let hasPeers: Bool

    init(hasPeers: Bool = false) { self.hasPeers = hasPeers }

    /// What the committer's thread knows, inside a transaction.
    func entry(_ key: BranchKey) -> Entry? { state.withLock { $0.entries[key] } }

    /// What everybody may know.
    func durableEntry(_ key: BranchKey) -> Entry? { hasPeers ? nil : state.withLock { $0.durable[key] } }

    func put(_ entry: Entry) {
        state.withLock { state in
            if state.entries.count >= Self.limit { state = State() }
            state.entries[entry.branch.key] = entry
            state.fresh.append(entry.branch.key)
        }
    }

    /// What was put is durable now.
    func publish() {
        state.withLock { state in
            for key in state.fresh { state.durable[key] = state.entries[key] }
            state.fresh.removeAll(keepingCapacity: true)
        }
    }

    /// Forgets all branches of these repos.
    func drop(repos: Set<Int64>) {
        if repos.isEmpty { return }
        state.withLock { state in
            // Few repos are written at a time, and a rebuilt map costs more than a look at each entry.
            for (key, entry) in state.entries where repos.contains(entry.branch.repo) { state.entries[key] = nil }
            for (key, entry) in state.durable where repos.contains(entry.branch.repo) { state.durable[key] = nil }
        }
    }

    /// What the trigger of `branch` has counted from the commit `from` on.
    func distance(branch: Int64, from: CommitID?) -> Distance? {
        state.withLock { $0.distances[branch].flatMap { $0.from == from ? $0 : nil } }
    }

    func put(_ distance: Distance, branch: Int64) {
        state.withLock { state in
            if state.distances.count >= Self.limit { state.distances = [:] }
            state.distances[branch] = distance
        }
    }

    /// Forgets what a change noted that is not carried out after all: its commits are not there.
    func takeBack(repos: Set<Int64>) {
        drop(repos: repos)
        if !repos.isEmpty { dropDistances() }
    }

    /// Forgets what was counted along lineages: commits were taken out of one, or put back in.
    func dropDistances() { state.withLock { $0.distances = [:] } }

    func clear() { state.withLock { $0 = State() } }
}
