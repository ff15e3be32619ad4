import Core
import Storage

/// One ModifyFile stream (`pfs.md` §4.6): collects changes, then makes them one layer of an open commit or one commit
/// of its own, whole or not at all.
///
/// Owned by one task; calls block on disk. Nothing is visible before ``finish()`` returns, and dropping an
/// upload leaves only bytes that nothing refers to.
package final class Upload: FileOperations {
    enum Target: Sendable {
        case openCommit(CommitKey)
        case newCommit(BranchKey)
    }

    package let history: History
    package let principal: Principal
    private let target: Target
    private let terms: WriteTerms
    package let changes: ChangeWriter
    private var isDone = false

    /// Decides where the stream goes; throws at once what could only fail at the end.
    ///
    /// A stream with a key may come again when the commit that it names is finished: that is found out at the end.
    package init(
        to handle: CommitHandle, in history: History, as principal: Principal, _ terms: WriteTerms = WriteTerms()
    ) throws {
        self.history = history
        self.principal = principal
        self.terms = terms
        let isKeyed = terms.key != nil
        if let known = try Self.knownTarget(handle, history.heads, principal) {
            target = known
        } else {
            target = try history.read { try Self.authorize(Self.target(handle, isKeyed, $0), $0, principal) }
        }
        changes = history.store.beginChanges()
    }

    deinit { if !isDone { changes.abandon() } }

    /// Makes the changes durable and visible and returns the commit that holds them.
    package func finish() async throws -> CommitKey {
        isDone = true
        return try await history.lay(try changes.finish(), over: target, terms, as: principal)
    }

    // MARK: Choosing the target (`pfs.md` §4.6.1)

    /// The target of a user's write to a branch that was written lately: found without a look at the catalog.
    private static func knownTarget(
        _ handle: CommitHandle, _ heads: HeadCache, _ principal: Principal
    ) throws -> Target? {
        guard case .user = principal, handle.id.isEmpty, let name = handle.branch, !name.isEmpty,
            let known = heads.durableEntry(handle.repo.branch(name))
        else { return nil }
        if known.head.isOpen { return .openCommit(known.head.key) }
        try known.branch.refuseOutput(for: principal)
        return .newCommit(known.branch.key)
    }

    private static func target(
        _ handle: CommitHandle, _ isKeyed: Bool, _ catalog: any CatalogReader
    ) throws -> Target {
        var handle = handle
        if handle.branch == "", !handle.id.isEmpty, CommitID(handle.id) == nil, NameRules.isPlain(handle.id) {
            handle = CommitHandle(repo: handle.repo, branch: handle.id)
        }
        let branch = handle.branch.flatMap { $0.isEmpty ? nil : handle.repo.branch($0) }
        let commit: CommitRecord
        do {
            commit = try catalog.existingCommit(handle)
        } catch let error as SpileError where error.code == .notFound {
            guard let branch, try catalog.repo(handle.repo) != nil else { throw error }
            return .newCommit(branch)
        }
        if commit.isOpen { return .openCommit(commit.key) }
        guard handle.id.isEmpty, let branch else {
            if isKeyed { return .openCommit(commit.key) }
            throw SpileError.alreadyFinished(commit.key)
        }
        return .newCommit(branch)
    }

    /// What would be refused at the end is refused before anything is sent (and at the end again).
    private static func authorize(
        _ target: Target, _ catalog: any CatalogReader, _ principal: Principal
    ) throws -> Target {
        switch target {
        case .openCommit(let key): try catalog.authorizeWrite(to: key.repo, by: principal)
        case .newCommit(let key):
            try catalog.authorizeWrite(to: key.repo, by: principal)
            guard let repo = try catalog.repo(key.repo) else { break }
            if let branch = try catalog.branch(repo: repo.id, name: key.name) {
                try branch.refuseOutput(for: principal)
            } else {
                try NameRules.checkBranch(key.name)
            }
        }
        return target
    }
}
