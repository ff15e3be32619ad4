import Core
import Logging
import Storage
import Synchronization

/// What transactions need besides the catalog's rows.
struct TransactionWorld: Sendable {
    let store: Store
    let clock: any Clock
    let randomness: any Randomness
    let heads: HeadCache
    let discards: Counter
}

/// The versioned store: projects, repos, branches, commits and their files.
///
/// Changes go through ``transact(as:_:)``, are grouped with others and durable when it returns. Reads take a snapshot
/// of the catalog and block shortly; call them from threads that may block. Any task may call anything.
package final class History: Sendable {
    package let store: Store
    package let clock: any Clock
    package let randomness: any Randomness
    /// Announces, by repo, that something became durable.
    package let events: EventHub
    let catalog: any Catalog
    let heads: HeadCache
    /// How often a commit that stays gave up files: was cleared, forgotten, or written again while it was open.
    let discards = Counter()
    /// Takes part in other servers' collections of garbage; nil where there are none.
    let follower: CollectionFollower?
    private let committer: Committer
    /// About group commit.
    package let figures = CommitterFigures()
    /// What ``expectsGarbage()`` had counted when garbage was last collected; guarded by the mutex.
    let collectedLeftovers = Mutex(0)
    /// Whether authentication is on, beside the catalog that says so, because every call asks.
    let authSwitch: Atomic<Bool>
    /// Whose turn it is to take over what the catalog says into ``authSwitch``.
    let authSwitching = Mutex(())
    /// Of the open commit that was read last, so that many reads of one cost one check; guarded by the mutex.
    let lastCheck = Mutex<ContentCheck?>(nil)

    /// Takes over a catalog and a store that belong together; makes the project `default` on first use. `observer`
    /// hears of what launches write.
    package init(
        catalog: any Catalog, store: Store, clock: any Clock, randomness: any Randomness,
        drive: CommitterDrive = .thread, logger: Logger, observer: (any LandingObserver)? = nil
    ) throws {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.catalog = catalog
        events = EventHub()
        heads = HeadCache(hasPeers: catalog.peers != nil)
        follower = catalog.peers.map { CollectionFollower(store, $0) }
        try Self.prepare(catalog, now: clock.now())
        authSwitch = Atomic(try catalog.read { try $0.hasAuth() })
        committer = Committer(
            catalog: catalog, slots: try store.makeCommitWriter(),
            world: TransactionWorld(
                store: store, clock: clock, randomness: randomness, heads: heads, discards: discards),
            events: events, drive: drive, logger: logger, figures: figures, observer: observer)
    }

    private static func prepare(_ catalog: any Catalog, now: Instant) throws {
        guard try catalog.read({ try $0.setting("prepared") }) == nil else { return }
        try catalog.write { writer in
            if try writer.project(.standard) == nil {
                _ = try writer.insert(ProjectRecord(key: .standard, description: "", createdAt: now))
            }
            try writer.setSetting("prepared", to: "1")
        }
    }

    /// Runs `body` in one durable transaction with a fresh commit-set id and returns what it returns.
    ///
    /// `body` runs on the committer's thread beside nothing else: it must not block or wait. If it throws, all its
    /// changes vanish and the error is thrown here. Throws ``SpileError/noToken`` for a `user` once authentication is
    /// on. Transient errors (disk full, shutting down) may be retried.
    package func transact<Result: Sendable>(
        as principal: Principal, _ body: @escaping @Sendable (HistoryTransaction) throws -> Result
    ) async throws -> Result {
        try await committer.perform(as: principal) { transaction in
            try self.refuseNobody(principal)
            return try body(transaction)
        }
    }

    /// A caller that came while authentication was off has no rights once it is on. Asked here and not of the catalog:
    /// where authentication is off each change costs a glance more.
    private func refuseNobody(_ principal: Principal) throws {
        if case .user = principal, isAuthOn { throw SpileError.noToken }
    }

    /// The same for threads that may block: returns when it is durable.
    package func transactBlocking<Result: Sendable>(
        _ body: @escaping @Sendable (HistoryTransaction) throws -> Result
    ) throws -> Result {
        try committer.performBlocking(as: .server, body)
    }

    /// Whether changes wait to be carried out.
    package var hasWaitingChanges: Bool { committer.hasWaiting }

    /// Carries out one batch of changes that wait; false if none does. For a history that was opened with
    /// ``CommitterDrive/caller``, from one thread at a time.
    @discardableResult
    package func commitWaiting() -> Bool { committer.commitWaiting() }

    /// Runs `body` on one snapshot of the catalog.
    package func read<Result>(_ body: (any CatalogReader) throws -> Result) throws -> Result {
        try catalog.read(body)
    }

    /// Finishes what waits, then refuses everything. Blocks.
    package func close() throws {
        events.close()
        committer.close()
        try store.close()
        let finished = store.takeFinishedTails()
        // What stays of them is cleared away by the next start.
        if !finished.isEmpty { try? catalog.write { for name in finished { try $0.deleteTail(name) } } }
        try catalog.close()
    }
}
