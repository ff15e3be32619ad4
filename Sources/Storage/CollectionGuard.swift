import Core
import Synchronization

/// What streams must tell a collection that is under way, and what it tells them: the shared state between the writers
/// and the collector (docs/INVARIANTS.md, Garbage). Safe from any thread; all state is guarded by the mutex.
final class CollectionGuard: Sendable {
    private enum Phase {
        case idle
        /// The trees of every activity that ends count as roots.
        case listing
        /// The trees of activities begun before this generation count as roots.
        case marking(generation: UInt64)
    }

    private struct State {
        var phase = Phase.idle
        /// Tops of trees made meanwhile.
        var made: [Pointer] = []
        /// Known chunks given out meanwhile.
        var given = SlotMarks()
        /// Slots found dead: never given out again in this process.
        var barred = SlotMarks()
        /// While another server collects, or may do so for all that is known, nothing is given out.
        var isSuspended = false
        /// Whether the collection under way is another server's. If that is lost, one of this server may take its
        /// place.
        var isJoined = false
    }

    private let state = Mutex(State())

    /// Begins a collection; false if one is under way.
    func begin() -> Bool {
        state.withLock { state in
            if case .idle = state.phase {} else if !state.isJoined { return false }
            Self.begin(&state, isJoined: false)
            return true
        }
    }

    /// Begins to take part in another server's, in place of one that was joined before.
    func join() { state.withLock { Self.begin(&$0, isJoined: true) } }

    private static func begin(_ state: inout State, isJoined: Bool) {
        state.phase = .listing
        state.isJoined = isJoined
        (state.made, state.given) = ([], SlotMarks())
    }

    /// The roots have been listed: from now on only what older activities made has to be told.
    func listed(generation: UInt64) { state.withLock { $0.phase = .marking(generation: generation) } }

    /// Ends a collection, carried out or not.
    func end() {
        state.withLock { state in
            state.phase = .idle
            state.isJoined = false
            state.made = []
            state.given = SlotMarks()
        }
    }

    func suspend() { state.withLock { $0.isSuspended = true } }
    func resume() { state.withLock { $0.isSuspended = false } }

    /// Tells that an activity of `generation` ends, which made these trees.
    func made(_ trees: [Pointer], by generation: UInt64) {
        state.withLock { state in
            switch state.phase {
            case .idle: return
            case .listing: break
            case .marking(let current): if generation >= current { return }
            }
            state.made += trees
        }
    }

    /// Asks whether a known chunk may be referred to anew. One that is given out is alive in the collection under way.
    func give(_ pointer: Pointer) -> Bool {
        state.withLock { state in
            if state.isSuspended || state.barred.contains(pointer) { return false }
            if case .idle = state.phase { return true }
            state.given.insert(pointer)
            return true
        }
    }

    /// Trees made so far.
    var trees: [Pointer] { state.withLock { $0.made } }

    /// Known chunks given out so far.
    var given: SlotMarks { state.withLock { $0.given } }

    /// Bars slots that were found dead for good, except those given out until this moment; returns these. The one step
    /// in which it is decided: a chunk is either given out before, and alive, or never again.
    func bar(_ dead: SlotMarks) -> SlotMarks {
        state.withLock { state in
            var barred = dead
            barred.subtract(state.given)
            state.barred.formUnion(barred)
            var spared = dead
            spared.subtract(barred)
            return spared
        }
    }

    /// A segment is gone with all its slots; its number is never used again.
    func forget(segment: UInt64) { state.withLock { $0.barred.remove(segment: segment) } }
}
