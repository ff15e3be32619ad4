import Core
import Foundation
import Synchronization

/// Writes full segments to a slow store behind the committer's back, one after the other: their bytes are kept
/// elsewhere until then. What cannot be written is tried again for as long as the store is open; what is left then is
/// given its end by the next start. Safe from any thread.
final class SegmentFinishing: Sendable {
    /// Segments that may wait: each is in memory.
    static let most = 8
    /// Seconds between two tries.
    private static let pause = 1.0

    private struct State {
        var waiting = 0
        var isClosing = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "segments")

    /// Throws `unavailable` while so many wait that no more may be begun.
    func requireRoom() throws {
        guard state.withLock({ $0.waiting < Self.most }) else {
            throw SpileError(
                .unavailable, "\(Self.most) segments wait to be written to the object store",
                remedy: "retry; is the object store reachable?")
        }
    }

    func run(_ body: @escaping @Sendable () throws -> Void) {
        state.withLock { $0.waiting += 1 }
        attempt(body, after: 0)
    }

    private func attempt(_ body: @escaping @Sendable () throws -> Void, after seconds: Double) {
        queue.asyncAfter(deadline: .now() + seconds) { [self] in
            do { try body() } catch {
                if !state.withLock({ $0.isClosing }) { return attempt(body, after: Self.pause) }
            }
            state.withLock { $0.waiting -= 1 }
        }
    }

    /// Gives each that waits a last try.
    func close() {
        state.withLock { $0.isClosing = true }
        queue.sync {}
    }
}
