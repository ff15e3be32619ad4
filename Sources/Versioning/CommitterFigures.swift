import Core
import Synchronization

/// Figures about group commit since the history was opened. Any thread may ask; the committer writes.
package final class CommitterFigures: Sendable {
    /// Operations in each batch that was committed.
    package let batches = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256])
    /// Batches that could not be committed: each of their operations was refused.
    package let failures = Counter()
    /// Operations that wait for the next batch.
    package let queued = Counter()
    /// Why the newest batch was not committed; guarded by the mutex.
    private let refusal = Mutex<String?>(nil)

    init() {}

    /// Why the newest batch could not be made durable; nil while writes are.
    package var whyRefused: String? { refusal.withLock { $0 } }

    func committed(_ count: Int) {
        batches.observe(count)
        refusal.withLock { $0 = nil }
    }

    /// A change alone in its batch failed by itself: that says something of writes only where it found no room.
    func abandoned(_ error: (any Error)?) {
        if let error = error as? SpileError, error.code == .resourceExhausted { failed(error) }
    }

    func failed(_ error: any Error) {
        failures.add()
        refusal.withLock { $0 = "\(error)" }
    }
}
