import Foundation
import Synchronization

/// Blocking steps side by side, on threads that end with them.
package enum Parallel {
    private struct State {
        var next = 0
        var failure: (any Error)?
        /// Gone in the end: a thread that has done its part may live on for a moment, and must hold nothing.
        var body: (@Sendable (Int) throws -> Void)?
    }

    private final class Shared: Sendable {
        let state: Mutex<State>

        init(_ body: @escaping @Sendable (Int) throws -> Void) { state = Mutex(State(body: body)) }
    }

    /// Runs `body` for each of `0..<count`, at most `width` at once, and returns when all have ended. After one has
    /// thrown no other is begun; the first error is thrown.
    package static func forEach(
        _ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) throws {
        let shared = Shared(body)
        let threads = min(count, width)
        if threads <= 1 { work(shared, count) } else { run(shared, count, on: threads) }
        let failure = shared.state.withLock { state in
            state.body = nil
            return state.failure
        }
        if let failure { throw failure }
    }

    private static func work(_ shared: Shared, _ count: Int) {
        while let (index, body) = take(shared, count) {
            do { try body(index) } catch {
                shared.state.withLock { $0.failure = $0.failure ?? error }
            }
        }
    }

    private static func run(_ shared: Shared, _ count: Int, on threads: Int) {
        let group = DispatchGroup()
        for _ in 0..<threads {
            group.enter()
            Thread {
                work(shared, count)
                group.leave()
            }.start()
        }
        group.wait()
    }

    private static func take(_ shared: Shared, _ count: Int) -> (Int, @Sendable (Int) throws -> Void)? {
        shared.state.withLock { state in
            guard state.failure == nil, state.next < count, let body = state.body else { return nil }
            defer { state.next += 1 }
            return (state.next, body)
        }
    }
}
