import Core
import Storage

/// A change to history in the making: every method writes rows of one catalog transaction.
///
/// Lives inside the closure that got it, on the committer's thread. Every commit it makes carries ``id``.
package final class HistoryTransaction {
    /// The commit-set id of everything made here.
    package let id: CommitID
    /// One instant for the whole transaction.
    package let now: Instant
    package let principal: Principal
    package let catalog: any CatalogWriter
    let slots: SlotWriter
    let store: Store
    let heads: HeadCache
    /// Repos whose waiters are woken once this is durable.
    var touchedRepos: Set<Int64> = []

    init(catalog: any CatalogWriter, slots: SlotWriter, world: TransactionWorld, principal: Principal) {
        self.catalog = catalog
        self.slots = slots
        self.principal = principal
        store = world.store
        heads = world.heads
        id = CommitID(randomHigh: world.randomness.next(), randomLow: world.randomness.next())
        now = world.clock.now()
    }

    /// Notes that something of a repo changes; what is known of its heads is forgotten.
    func touch(repo: Int64) {
        touchedRepos.insert(repo)
        heads.drop(repos: [repo])
    }

    /// Checks that the caller may write to `repo`.
    ///
    /// A launch may write its pipeline's output repo while it is the newest launch: an older one is fenced.
    func authorizeWrite(to repo: RepoKey) throws { try catalog.authorizeWrite(to: repo, by: principal) }

    /// Checks that the caller is not the code of a pipeline.
    func refuseLaunches(_ what: String) throws {
        guard case .launch(let pipeline, _) = principal else { return }
        throw SpileError(
            .permissionDenied, "pipeline:\(pipeline) is not authorized to perform this operation: \(what)")
    }
}

extension CatalogReader {
    /// Checks that `principal` may write to `repo`; see ``HistoryTransaction/authorizeWrite(to:)``.
    func authorizeWrite(to repo: RepoKey, by principal: Principal) throws {
        guard case .launch(let pipeline, let epoch) = principal else { return }
        guard repo == pipeline.repo(.user) else {
            throw SpileError(
                .permissionDenied,
                "pipeline:\(pipeline) is not authorized to perform this operation: it may write \(pipeline) only, "
                    + "not \(repo)")
        }
        let newest = try launch(pipeline)?.epoch
        guard newest == epoch else {
            throw SpileError(
                .permissionDenied,
                "launch \(epoch) of pipeline \(pipeline) is not authorized to perform this operation: "
                    + (newest.map { "launch \($0) has taken over" } ?? "the pipeline is stopped"))
        }
    }
}

extension BranchRecord {
    /// Only the code of its own pipeline starts commits on a branch that derives from others.
    func refuseOutput(for principal: Principal) throws {
        guard !provenance.isEmpty, case .user = principal else { return }
        throw SpileError.domain(
            "cannot start a commit on an output branch: \(key)",
            remedy: "its pipeline writes it; write to another branch or repo")
    }
}
