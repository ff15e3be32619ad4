import Core
import Versioning

/// How far the ticks of a cron input have got. Their repo is the one ledger of that: nothing else is kept.
struct CronPosition: Sendable, Equatable {
    /// The commit that the next tick is laid over, and its files' digest: an open one changes under the same number.
    private var basis: Int64?
    private var digest: Digest
    /// The time that the last tick file is named by; nil where there is none.
    var last: Instant?

    /// Whether nothing was written to the branch since this was found.
    func holds(for branch: BranchKey, in catalog: any CatalogReader) throws -> Bool {
        let commit = try catalog.writeBasis(of: branch)
        return commit?.sequence == basis && (commit?.root.digest ?? .zero) == digest
    }

    /// Looks at the branch. Blocks shortly on disk, however many ticks there are.
    init(of branch: BranchKey, in history: History) async throws {
        digest = .zero
        guard let key = try history.read({ try $0.writeBasis(of: branch) })?.key else { return }
        let files = try history.files(CommitHandle(key))
        basis = files.commit.sequence
        digest = files.commit.root.digest
        var found: Instant?
        // Names of ticks begin with a digit and are ordered as their times are: the last that reads as a time is it,
        // and what users keep beside them is passed over.
        try await files.list("/", page: Page(marker: "/:", limit: Limits.filesPerPage, isReverse: true)) { file in
            found = SpecTimestamp.parse(String(file.path.dropFirst()))
            return found == nil
        }
        last = found
    }
}

extension MarkWrite {
    /// A tick: an empty file named by its time (`pps.md` §13).
    init(tickAt instant: Instant, of leaf: InputLeaf, in history: History) throws {
        try self.init(at: "/" + SpecTimestamp.formatSeconds(instant), alone: leaf.isOverwriting, in: history)
    }
}
