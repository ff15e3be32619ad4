import Core
import Foundation
import Logging
import Storage
import Synchronization

/// Who carries out the changes of a history.
package enum CommitterDrive: Sendable {
    /// A thread of the committer's own.
    case thread
    /// Whoever calls ``History/commitWaiting()``, one thread at a time: a simulation, in which everything has its turn.
    case caller
}

/// Group commit: one thread takes all changes that are waiting, writes and syncs their slots once, commits the catalog
/// once, and answers all.
///
/// The thread owns the commit segment's writer and is the only one that writes the catalog. The queue is guarded by
/// `condition`. `@unchecked Sendable`: `queue` and `isClosing` are touched only while `condition` is held, `slots` only
/// by the thread.
final class Committer: @unchecked Sendable {
    /// The most operations in one batch, so that the first of them is not kept waiting for the last.
    static let batchLimit = 256

    private let catalog: any Catalog
    private let slots: SlotWriter
    private let world: TransactionWorld
    private let events: EventHub
    private let logger: Logger
    private let drive: CommitterDrive
    private let figures: CommitterFigures
    private let observer: (any LandingObserver)?
    private let condition = NSCondition()
    private var queue: [any Operation] = []
    private var isClosing = false
    private var hasEnded = false

    init(
        catalog: any Catalog, slots: SlotWriter, world: TransactionWorld, events: EventHub, drive: CommitterDrive,
        logger: Logger, figures: CommitterFigures, observer: (any LandingObserver)?
    ) {
        self.catalog = catalog
        self.slots = slots
        self.world = world
        self.events = events
        self.logger = logger
        self.figures = figures
        self.observer = observer
        self.drive = drive
        guard drive == .thread else { return }
        let thread = Thread { [self] in run() }
        thread.name = "committer"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Queues `body` and returns its result once it is durable (I4).
    func perform<Result: Sendable>(
        as principal: Principal, _ body: @escaping @Sendable (HistoryTransaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(QueuedOperation(principal: principal, body: body) { continuation.resume(with: $0) })
        }
    }

    /// The same for a thread that may block; never for the committer's own.
    func performBlocking<Value: Sendable>(
        as principal: Principal, _ body: @escaping @Sendable (HistoryTransaction) throws -> Value
    ) throws -> Value {
        let answered = BlockingAnswer<Value>()
        enqueue(QueuedOperation(principal: principal, body: body) { answered.give($0) })
        if drive == .caller { while commitWaiting() {} }
        return try answered.wait()
    }

    /// Whether changes wait.
    var hasWaiting: Bool {
        condition.lock()
        defer { condition.unlock() }
        return !queue.isEmpty
    }

    /// Carries out one batch of what waits; false if nothing does. Only where the caller drives.
    func commitWaiting() -> Bool {
        precondition(drive == .caller, "the committer has a thread of its own")
        guard hasWaiting, let batch = take() else { return false }
        commit(batch)
        return true
    }

    private func enqueue(_ operation: any Operation) {
        condition.lock()
        if isClosing {
            condition.unlock()
            operation.fail(SpileError(.unavailable, "the server is shutting down", remedy: "retry later"))
            return
        }
        queue.append(operation)
        figures.queued.set(queue.count)
        condition.signal()
        condition.unlock()
    }

    /// Refuses new operations, finishes those that wait, ends the thread. Blocks until it has ended.
    func close() {
        condition.lock()
        isClosing = true
        condition.broadcast()
        if drive == .caller {
            condition.unlock()
            while commitWaiting() {}
            return
        }
        while !hasEnded { condition.wait() }
        condition.unlock()
    }

    private func run() {
        while let batch = take() { commit(batch) }
        condition.lock()
        hasEnded = true
        condition.broadcast()
        condition.unlock()
    }

    private func take() -> [any Operation]? {
        condition.lock()
        defer { condition.unlock() }
        while queue.isEmpty {
            if isClosing { return nil }
            condition.wait()
        }
        defer { figures.queued.set(queue.count) }
        guard queue.count > Self.batchLimit else {
            defer { queue.removeAll(keepingCapacity: true) }
            return queue
        }
        defer { queue.removeFirst(Self.batchLimit) }
        return Array(queue[..<Self.batchLimit])
    }

    private func commit(_ batch: [any Operation]) {
        var touched: Set<Int64> = []
        // What the batch reads of trees stays until its rows are durable (docs/INVARIANTS.md, Garbage).
        let activity = world.store.beginWriting()
        defer { withExtendedLifetime(activity) {} }
        let finished = world.store.takeFinishedTails()
        do {
            try catalog.write { writer in
                forget(try writer.changesElsewhere())
                for name in finished { try writer.deleteTail(name) }
                for operation in batch {
                    let transaction = HistoryTransaction(
                        catalog: writer, slots: slots, activity: activity, world: world,
                        principal: operation.principal)
                    operation.run(transaction, alone: batch.count == 1)
                    if operation.hasFailed {
                        world.heads.takeBack(repos: transaction.touchedRepos)
                    } else {
                        touched.formUnion(transaction.touchedRepos)
                        if !transaction.landing.isEmpty { operation.landing = transaction.landing }
                    }
                }
                if batch.count == 1 && batch[0].hasFailed { throw AbandonedBatch() }
                // I1, I2: what the new rows name is durable before the rows are, or with them.
                try slots.sync { try writer.append($0.bytes, toTail: $0.name, at: $0.offset) }
                try writer.announce(touched)
            }
            slots.confirm()
            figures.committed(batch.count)
        } catch is AbandonedBatch {
            world.store.giveBack(finishedTails: finished)
            touched = []
            figures.abandoned(batch[0].failure)
            slots.forgetFailure()
        } catch {
            world.store.giveBack(finishedTails: finished)
            slots.rollback()
            world.heads.clear()
            figures.failed(error)
            logger.error("a batch of \(batch.count) changes was not committed", metadata: ["error": "\(error)"])
            for operation in batch { operation.fail(error) }
            // What has come of it may not be known where the catalog is elsewhere.
            if catalog.peers != nil { events.publishAll() }
            return
        }
        world.heads.publish()
        // I4: answers and events only after the rows are durable. Whoever they wake finds the figures of this batch.
        for operation in batch { tell(operation) }
        events.publish(repos: touched)
        for operation in batch { operation.answer() }
    }

    /// What others changed is not known any more.
    private func forget(_ changes: CatalogChanges) {
        switch changes {
        case .anything: world.heads.clear()
        case .about(let repos) where !repos.isEmpty: world.heads.takeBack(repos: repos)
        case .about: break
        }
    }

    private func tell(_ operation: any Operation) {
        guard let observer, let landing = operation.landing, case .launch(let pipeline, let epoch) = operation.principal
        else { return }
        observer.landed(landing, by: pipeline, epoch: epoch)
    }

    private struct AbandonedBatch: Error {}
}

/// One queued change, its type erased.
private protocol Operation: AnyObject {
    var principal: Principal { get }
    /// The body's own error; nil while there is none.
    var failure: (any Error)? { get }
    /// What it brought, once it has run; nil for nothing.
    var landing: Landing? { get set }
    func run(_ transaction: HistoryTransaction, alone: Bool)
    /// Gives the caller the result, or the body's own error.
    func answer()
    /// Gives the caller `error` in place of the result.
    func fail(_ error: any Error)
}

extension Operation {
    var hasFailed: Bool { failure != nil }
}

/// `@unchecked Sendable` is not needed: it is handed from the caller to the committer's thread under the queue's lock
/// and used by that thread alone.
private final class QueuedOperation<Value: Sendable>: Operation {
    let principal: Principal
    private let body: @Sendable (HistoryTransaction) throws -> Value
    private let deliver: @Sendable (Result<Value, any Error>) -> Void
    private var outcome: Result<Value, any Error>?
    var landing: Landing?

    init(
        principal: Principal, body: @escaping @Sendable (HistoryTransaction) throws -> Value,
        deliver: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        self.principal = principal
        self.body = body
        self.deliver = deliver
    }

    var failure: (any Error)? {
        if case .failure(let error) = outcome { error } else { nil }
    }

    func run(_ transaction: HistoryTransaction, alone: Bool) {
        outcome = Result {
            if alone { return try Self.whole(body, transaction) }
            return try transaction.catalog.savepoint { try Self.whole(body, transaction) }
        }
    }

    private static func whole(
        _ body: (HistoryTransaction) throws -> Value, _ transaction: HistoryTransaction
    ) throws -> Value {
        let value = try body(transaction)
        try transaction.conclude()
        return value
    }

    func answer() {
        guard let outcome else { return fail(SpileError.bug("an operation was answered before it ran")) }
        deliver(outcome)
    }

    func fail(_ error: any Error) {
        if case .failure(let own) = outcome { return deliver(.failure(own)) }
        deliver(.failure(error))
    }
}

/// An answer that a blocked thread waits for. `outcome` is guarded by its mutex.
private final class BlockingAnswer<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func give(_ result: Result<Value, any Error>) {
        outcome.withLock { $0 = result }
        isThere.signal()
    }

    func wait() throws -> Value {
        isThere.wait()
        guard let outcome = outcome.withLock({ $0 }) else { throw SpileError.bug("an operation gave no answer") }
        return try outcome.get()
    }
}
