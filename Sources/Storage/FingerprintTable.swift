import Core
import Synchronization

/// Where chunks are, by their hash: a set-associative table of fixed greatest size. A miss costs space, never
/// correctness; a hit is checked against the slot's directory. Guarded by its mutex.
final class FingerprintTable: Sendable {
    private struct Item {
        var tag: UInt64 = 0
        var segment: UInt64 = 0
        var slot: UInt32 = 0
        var age: UInt32 = 0
    }

    private struct State {
        var items: [Item] = []
        var sets = 0
        var clock: UInt32 = 0
        var filled = false
    }

    private static let ways = 8
    private let limit: Int
    private let state = Mutex(State())

    /// At most `capacity` chunks, 24 bytes each.
    init(capacity: Int) { limit = max(Self.ways, capacity) }

    var needsFilling: Bool { state.withLock { !$0.filled } }

    /// True for the one caller that shall fill the table from what is stored.
    func beginFilling() -> Bool {
        state.withLock { state in
            defer { state.filled = true }
            return !state.filled
        }
    }

    func find(_ hash: Digest) -> Pointer? {
        let tag = hash.words.0
        return state.withLock { state in
            guard state.sets > 0 else { return nil }
            let start = Int(hash.words.1 % UInt64(state.sets)) * Self.ways
            for at in start..<(start + Self.ways) where state.items[at].tag == tag && state.items[at].segment != 0 {
                state.clock &+= 1
                state.items[at].age = state.clock
                return Pointer(segment: state.items[at].segment, slot: state.items[at].slot)
            }
            return nil
        }
    }

    func insert(_ hash: Digest, _ pointer: Pointer) {
        let tag = hash.words.0
        state.withLock { state in
            if state.sets == 0 {
                state.sets = limit / Self.ways
                state.items = Array(repeating: Item(), count: state.sets * Self.ways)
            }
            let start = Int(hash.words.1 % UInt64(state.sets)) * Self.ways
            var victim = start
            for at in start..<(start + Self.ways) {
                if state.items[at].tag == tag || state.items[at].segment == 0 {
                    victim = at
                    break
                }
                if state.items[at].age < state.items[victim].age { victim = at }
            }
            state.clock &+= 1
            state.items[victim] = Item(tag: tag, segment: pointer.segment, slot: pointer.slot, age: state.clock)
        }
    }
}
