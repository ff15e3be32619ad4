import Core
import Synchronization

/// A clock that stands until a test moves it, and sleepers that wake when it does.
package final class ScriptedTime: Clock {
    /// Guarded by the lock around it.
    private struct State {
        var now: Instant
        var sleepers: [(id: Int, until: Instant, continuation: CheckedContinuation<Void, any Error>)] = []
        var cancelled: Set<Int> = []
        var nextID = 0
    }

    private let state: Mutex<State>
    /// How long each sleep that began is to last, in seconds.
    package let sleeps = ScriptedMailbox<Double>()

    package init(_ start: Instant = Instant(seconds: 1_700_000_000)) { state = Mutex(State(now: start)) }

    package func now() -> Instant { state.withLock { $0.now } }

    /// Moves the clock and wakes whom it passes.
    package func advance(by seconds: Double) {
        let due = state.withLock { state in
            state.now = state.now.adding(seconds: seconds)
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due.sorted(by: { $0.until < $1.until }) { sleeper.continuation.resume() }
    }

    /// Returns when the clock has moved on by so much; throws when the task is cancelled.
    package func sleep(_ seconds: Double) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers.append((id, state.now.adding(seconds: seconds), continuation))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) } else { sleeps.put(seconds) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil as CheckedContinuation<Void, any Error>?
                }
                return state.sleepers.remove(at: index).continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }
}
