import Core
import Synchronization

/// Branches with their heads as the committer last wrote them, so that the next write to the same branch asks the
/// catalog nothing.
///
/// The committer's thread is the only writer of the catalog and the only one that puts and drops entries; any thread
/// may look. What it finds may be about to fail to become durable, so a look decides nothing for good: the transaction
/// checks again. All state is behind one mutex.
final class HeadCache: Sendable {
    struct Entry {
        var branch: BranchRecord
        var head: CommitRecord
        /// Whether nothing derives from the branch and no branch of its repo has a trigger, so that a new head has no
        /// consequences.
        var isLeaf: Bool
    }

    /// Entries are dropped all at once when there are this many.
    private static let limit = 4096

    private let entries = Mutex<[BranchKey: Entry]>([:])

    func entry(_ key: BranchKey) -> Entry? { entries.withLock { $0[key] } }

    func put(_ entry: Entry) {
        entries.withLock { entries in
            if entries.count >= Self.limit { entries.removeAll(keepingCapacity: true) }
            entries[entry.branch.key] = entry
        }
    }

    /// Forgets all branches of these repos.
    func drop(repos: Set<Int64>) {
        if repos.isEmpty { return }
        entries.withLock { entries in
            // Few repos are written at a time, and a rebuilt map costs more than a look at each entry.
            for (key, entry) in entries where repos.contains(entry.branch.repo) { entries[key] = nil }
        }
    }

    func clear() { entries.withLock { $0.removeAll() } }
}
