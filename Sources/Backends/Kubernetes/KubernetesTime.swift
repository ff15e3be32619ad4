import Core
import Synchronization

/// Time and chance for what talks to Kubernetes; in a test, a test's own.
package struct KubernetesTime: Sendable {
    package var clock: any Clock
    package var randomness: any Randomness
    /// Returns after so many seconds; throws when its task is cancelled.
    package var sleep: @Sendable (Double) async throws -> Void
    /// Seconds of a clock that nobody sets, which only goes forward.
    package var monotonic: @Sendable () -> Double

    /// `sleep` and `monotonic` are the system's own unless given.
    package init(
        clock: any Clock, randomness: any Randomness,
        sleep: @escaping @Sendable (Double) async throws -> Void = { try await Task.sleep(for: .seconds($0)) },
        monotonic: (@Sendable () -> Double)? = nil
    ) {
        self.clock = clock
        self.randomness = randomness
        self.sleep = sleep
        self.monotonic = monotonic ?? { monotonicSeconds() }
    }

    /// Seconds before the try that follows `failures` failures in a row (1 or more): doubled each time from a quarter
    /// of a second up to half a minute, and jittered down to half of it, so that many servers do not come at once.
    func pause(after failures: Int) -> Double {
        min(30, 0.25 * Double(1 << min(max(failures, 1) - 1, 7))) * (0.5 + randomness.fraction() / 2)
    }
}

/// Something that happens once, and those who wait for it. Guarded by its mutex.
final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [AsyncStream<Value>.Continuation] = []
    }

    private let state = Mutex(State())

    var value: Value? { state.withLock { $0.value } }

    /// The first one counts.
    func send(_ value: Value) {
        let waiters = state.withLock { state -> [AsyncStream<Value>.Continuation] in
            if state.value != nil { return [] }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters {
            waiter.yield(value)
            waiter.finish()
        }
    }

    /// Nil where the waiting task is cancelled before.
    func wait() async -> Value? {
        let (stream, waiter) = AsyncStream<Value>.makeStream()
        let value = state.withLock { state in
            if state.value == nil { state.waiters.append(waiter) }
            return state.value
        }
        if let value { return value }
        for await value in stream { return value }
        return nil
    }

    /// Waits so many seconds at most; nil if nothing has happened by then.
    func wait(_ seconds: Double, _ time: KubernetesTime) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await self.wait() }
            group.addTask {
                try? await time.sleep(seconds)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? value
        }
    }
}
