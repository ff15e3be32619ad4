/// Keys in the order in which they were last used, each with a cost; the sum of the costs is kept. All calls take
/// constant time. A value: whoever holds it guards it.
struct LeastRecent<Key: Hashable & Sendable>: Sendable {
    private struct Node {
        var key: Key
        var cost: Int
        var older: Int
        var newer: Int
    }

    private static var none: Int { -1 }

    private var nodes: [Node] = []
    private var free: [Int] = []
    private var places: [Key: Int] = [:]
    private var oldest = none
    private var newest = none
    /// The costs of all keys.
    private(set) var cost = 0

    var count: Int { places.count }

    func contains(_ key: Key) -> Bool { places[key] != nil }

    /// Makes a key the newest. False if it is not there.
    mutating func touch(_ key: Key) -> Bool {
        guard let place = places[key] else { return false }
        unlink(place)
        append(place)
        return true
    }

    /// Adds a key as the newest, or gives it another cost.
    mutating func insert(_ key: Key, cost: Int) {
        remove(key)
        let node = Node(key: key, cost: cost, older: Self.none, newer: Self.none)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            nodes[place] = node
        } else {
            place = nodes.count
            nodes.append(node)
        }
        places[key] = place
        self.cost += cost
        append(place)
    }

    mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        unlink(place)
        cost -= nodes[place].cost
        free.append(place)
    }

    /// Takes the key out that was not used for longest.
    mutating func removeOldest() -> Key? {
        guard oldest != Self.none else { return nil }
        let key = nodes[oldest].key
        remove(key)
        return key
    }

    private mutating func unlink(_ place: Int) {
        let node = nodes[place]
        if node.older == Self.none { oldest = node.newer } else { nodes[node.older].newer = node.newer }
        if node.newer == Self.none { newest = node.older } else { nodes[node.newer].older = node.older }
    }

    private mutating func append(_ place: Int) {
        nodes[place].older = newest
        nodes[place].newer = Self.none
        if newest == Self.none { oldest = place } else { nodes[newest].newer = place }
        newest = place
    }
}
