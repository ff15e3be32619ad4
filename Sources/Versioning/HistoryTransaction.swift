import Core
import Storage

/// A change to history in the making: every method writes rows of one catalog transaction.
///
/// Lives inside the closure that got it, on the committer's thread. Every commit it makes carries ``id``. What follows
/// from the changes, commits downstream and branches that are triggered, is made when the closure has ended
/// (``conclude()``), in the same catalog transaction.
package final class HistoryTransaction {
    /// The commit-set id of everything made here.
    package let id: CommitID
    /// One instant for the whole transaction.
    package let now: Instant
    package let principal: Principal
    package let catalog: any CatalogWriter
    let slots: SlotWriter
    /// What the committer's batch holds of the store: it hears of every tree made here.
    let activity: Activity
    let world: TransactionWorld
    var store: Store { world.store }
    var heads: HeadCache { world.heads }
    /// Repos whose waiters are woken once this is durable.
    var touchedRepos: Set<Int64> = []
    /// Branches whose head moved, and those whose provenance changed: what derives from them follows.
    var moved: [Int64: BranchKey] = [:]
    var derivedAnew: Set<Int64> = []
    /// Commits that were opened here because of what their branches derive from, with the branches.
    var opened: [Int64: BranchKey] = [:]
    /// Commits that were finished here, with the branch each was made on.
    var finished: [(commit: CommitRecord, branch: BranchKey)] = []
    /// What a launch brings here, for whoever watches its pipeline.
    var landing: Landing

    init(
        catalog: any CatalogWriter, slots: SlotWriter, activity: Activity, world: TransactionWorld,
        principal: Principal, id: CommitID? = nil, now: Instant? = nil
    ) {
        self.catalog = catalog
        self.slots = slots
        self.activity = activity
        self.principal = principal
        self.world = world
        self.id = id ?? CommitID(randomHigh: world.randomness.next(), randomLow: world.randomness.next())
        let now = now ?? world.clock.now()
        self.now = now
        landing = Landing(at: now)
    }

    /// Runs `body` as a commit set of its own (nil: with a fresh id) within this transaction, and concludes it.
    func within<Result>(
        id: CommitID? = nil, as principal: Principal? = nil, _ body: (HistoryTransaction) throws -> Result
    ) throws -> Result {
        let inner = HistoryTransaction(
            catalog: catalog, slots: slots, activity: activity, world: world,
            principal: principal ?? self.principal, id: id, now: now)
        defer { touchedRepos.formUnion(inner.touchedRepos) }
        let result = try body(inner)
        try inner.conclude()
        return result
    }

    /// Makes what follows from the changes: checks the graph of branches, opens commits downstream (`pfs.md` §2.3) and
    /// their jobs, moves branches that are triggered. The last call, made by the owner of the transaction.
    func conclude() throws {
        try checkGraph()
        try propagate()
        try fireTriggers()
        try openJobs()
    }

    /// Notes that something of a repo changes; what is known of its heads is forgotten.
    func touch(repo: Int64) {
        touchedRepos.insert(repo)
        heads.drop(repos: [repo])
    }

    /// Notes that a pipeline is made, changed or deleted: another server may run its code.
    package func notePipeline() { touchedRepos.insert(EventHub.pipelines) }

    /// Checks that the caller may write to `repo`.
    ///
    /// A launch may write its pipeline's output repo while it is the newest launch: an older one is fenced. Where
    /// authentication is on, whoever it is also needs the permission.
    func authorizeWrite(to repo: RepoKey) throws { try catalog.authorizeWrite(to: repo, by: principal) }

    /// Checks that the caller is not the code of a pipeline.
    package func refuseLaunches(_ what: String) throws {
        guard case .launch(let pipeline, _) = principal else { return }
        throw Principal.refusal(of: pipeline, what)
    }
}

extension CatalogReader {
    /// Checks that `principal` may write to `repo`; see ``HistoryTransaction/authorizeWrite(to:)``.
    func authorizeWrite(to repo: RepoKey, by principal: Principal) throws {
        try require([.repoWrite], on: AccessResource(repo), by: principal)
        guard case .launch(let pipeline, let epoch) = principal else { return }
        guard repo == pipeline.repo(.user) else {
            throw Principal.refusal(of: pipeline, "it may write \(pipeline) only, not \(repo)")
        }
        let newest = try launch(pipeline)
        guard newest?.epoch == epoch else {
            throw SpileError(
                .permissionDenied,
                "launch \(epoch) of pipeline \(pipeline) is not authorized to perform this operation: "
                    + (newest.map { "launch \($0.epoch) has taken over" } ?? "the pipeline is stopped"))
        }
        if newest?.isOfTransform == true {
            throw Principal.refusal(
                of: pipeline, "what a job puts out is taken from /pfs/out", remedy: "write files there")
        }
    }
}

extension BranchRecord {
    /// Only the code of its own pipeline starts commits on a branch that derives from others.
    func refuseOutput(for principal: Principal) throws {
        switch principal {
        case .server, .launch: return
        case .user, .subject, .stranger: if provenance.isEmpty { return }
        }
        throw SpileError.domain(
            "cannot start a commit on an output branch: \(key)",
            remedy: "its pipeline writes it; write to another branch or repo")
    }
}
