import Synchronization

/// A cache bounded by cost, safe to use from any thread. Each of its shards is guarded by its own mutex; eviction is
/// second chance (CLOCK), so a hit only sets a bit.
final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Item {
        var key: Key
        var value: Value
        var cost: Int
        var recent: Bool
    }

    private struct State {
        var index: [Key: Int] = [:]
        var items: [Item] = []
        var hand = 0
        var cost = 0
        var hits = 0
        var misses = 0
    }

    private final class Shard: Sendable {
        let state = Mutex(State())
    }

    private let shards: [Shard]
    private let limit: Int

    /// Holds values of at most `limit` summed cost.
    init(limit: Int, shards: Int = 1) {
        self.shards = (0..<shards).map { _ in Shard() }
        self.limit = max(1, limit / shards)
    }

    private func shard(_ key: Key) -> Shard {
        shards.count == 1 ? shards[0] : shards[Int(truncatingIfNeeded: key.hashValue.magnitude >> 7) % shards.count]
    }

    func get(_ key: Key) -> Value? {
        shard(key).state.withLock { state in
            guard let at = state.index[key] else {
                state.misses += 1
                return nil
            }
            state.hits += 1
            state.items[at].recent = true
            return state.items[at].value
        }
    }

    func put(_ key: Key, _ value: Value, cost: Int) {
        // Evicted values are let go of outside the lock.
        var evicted: [Value] = []
        shard(key).state.withLock { state in
            if let at = state.index[key] {
                state.cost += cost - state.items[at].cost
                evicted.append(state.items[at].value)
                state.items[at] = Item(key: key, value: value, cost: cost, recent: true)
            } else {
                state.index[key] = state.items.count
                state.items.append(Item(key: key, value: value, cost: cost, recent: false))
                state.cost += cost
            }
            while state.cost > limit, state.items.count > 1 {
                if state.hand >= state.items.count { state.hand = 0 }
                if state.items[state.hand].recent || state.items[state.hand].key == key {
                    state.items[state.hand].recent = false
                    state.hand += 1
                    if state.items.count == 1 { break }
                    continue
                }
                let at = state.hand
                evicted.append(state.items[at].value)
                state.cost -= state.items[at].cost
                state.index[state.items[at].key] = nil
                let last = state.items.removeLast()
                if at < state.items.count {
                    state.items[at] = last
                    state.index[last.key] = at
                }
            }
        }
    }

    func remove(_ key: Key) {
        shard(key).state.withLock { state in
            guard let at = state.index.removeValue(forKey: key) else { return }
            state.cost -= state.items[at].cost
            let last = state.items.removeLast()
            if at < state.items.count {
                state.items[at] = last
                state.index[last.key] = at
            }
        }
    }

    func removeAll() {
        for shard in shards {
            // Let go of outside the lock.
            let items = shard.state.withLock { state in
                defer { (state.index, state.items, state.hand, state.cost) = ([:], [], 0, 0) }
                return state.items
            }
            withExtendedLifetime(items) {}
        }
    }

    /// Counters over all shards.
    var counters: (count: Int, cost: Int, hits: Int, misses: Int) {
        shards.reduce(into: (0, 0, 0, 0)) { sum, shard in
            shard.state.withLock {
                sum.0 += $0.items.count
                sum.1 += $0.cost
                sum.2 += $0.hits
                sum.3 += $0.misses
            }
        }
    }
}
