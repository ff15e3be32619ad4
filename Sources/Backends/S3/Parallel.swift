import Foundation
import Synchronization

/// Blocking steps side by side, on threads that end with them.
enum Parallel {
    private struct State {
        var next = 0
        var failure: (any Error)?
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    /// Runs `body` for each of `0..<count`, at most `width` at once, and returns when all have ended. After one has
    /// thrown no other is begun; the first error is thrown.
    static func forEach(_ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let shared = Shared()
        let work: @Sendable () -> Void = {
            while let index = take(shared, count) {
                do { try body(index) } catch {
                    shared.state.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        let threads = min(count, width)
        if threads <= 1 { work() } else { run(work, on: threads) }
        if let failure = shared.state.withLock({ $0.failure }) { throw failure }
    }

    private static func run(_ work: @escaping @Sendable () -> Void, on threads: Int) {
        let group = DispatchGroup()
        for _ in 0..<threads {
            group.enter()
            Thread {
                work()
                group.leave()
            }.start()
        }
        group.wait()
    }

    private static func take(_ shared: Shared, _ count: Int) -> Int? {
        shared.state.withLock { state in
            guard state.failure == nil, state.next < count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }
}
