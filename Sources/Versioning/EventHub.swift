import Core
import Synchronization

/// Tells waiters that something about a repo became durable. Carries no content: a waiter reads the catalog, so an
/// event can be late but never lost.
///
/// All state is behind one mutex. Any thread may call.
package final class EventHub: Sendable {
    private struct Channel {
        var generation: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private struct State {
        var channels: [Int64: Channel] = [:]
        /// Events of all channels, also of those that nobody has asked for yet.
        var ofAll: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var isClosed = false
    }

    /// Stands for the triggers of all branches, where a repo's number does for a repo: no repo has it.
    static let triggers: Int64 = 0
    /// Stands for the jobs of all pipelines: one was made or has changed, or what one waits for is finished.
    package static let jobs: Int64 = -1
    /// Stands for what pipelines are to do: one was made, changed or deleted.
    package static let pipelines: Int64 = -2
    /// Stands for authentication, which was turned on or off.
    static let access: Int64 = -3

    private let state = Mutex(State())

    package init() {}

    /// The number of events of a repo so far: take it before reading the catalog, then wait for a later one.
    package func generation(repo: Int64) -> UInt64 { state.withLock { Self.generation(repo, $0) } }

    private static func generation(_ repo: Int64, _ state: State) -> UInt64 {
        (state.channels[repo]?.generation ?? 0) + state.ofAll
    }

    /// Returns when the repo has had an event after `generation`, at once if it has had one already.
    /// Throws `CancellationError` when the task is cancelled and `unavailable` when the server shuts down.
    package func wait(repo: Int64, after generation: UInt64) async throws {
        let ticket = state.withLock { state -> UInt64 in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state -> Bool in
                    if state.isClosed || Task.isCancelled { return true }
                    if Self.generation(repo, state) > generation { return true }
                    state.channels[repo, default: Channel()].waiters[ticket] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { $0.channels[repo]?.waiters.removeValue(forKey: ticket) }
            waiter?.resume()
        }
        try Task.checkCancellation()
        if state.withLock({ $0.isClosed }) { throw SpileError(.unavailable, "the server is shutting down") }
    }

    /// Announces an event of each repo.
    package func publish(repos: Set<Int64>) {
        let waiters = state.withLock { state in
            // In the order in which they came, so that a simulation runs the same way again.
            repos.sorted().flatMap { repo -> [CheckedContinuation<Void, Never>] in
                state.channels[repo, default: Channel()].generation += 1
                defer { state.channels[repo]?.waiters.removeAll() }
                return state.channels[repo]?.waiters.sorted { $0.key < $1.key }.map(\.value) ?? []
            }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Announces an event of everything: it is not known what happened.
    package func publishAll() {
        let waiters = state.withLock { state in
            state.ofAll += 1
            defer { for repo in state.channels.keys { state.channels[repo]?.waiters.removeAll() } }
            return state.channels.values.flatMap { Array($0.waiters.values) }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Whether ``close()`` was called: the server shuts down.
    package var hasClosed: Bool { state.withLock { $0.isClosed } }

    /// Wakes all waiters for good.
    package func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { for repo in state.channels.keys { state.channels[repo]?.waiters.removeAll() } }
            return state.channels.values.flatMap { Array($0.waiters.values) }
        }
        for waiter in waiters { waiter.resume() }
    }
}
