import Core

/// What a stream does to each key, in the order of the keys' first appearance. As long as that is also their sorted
/// order (a walk of a directory, an archive) there is no index and nothing to sort. One owner.
struct ChangeTable {
    struct Record {
        var sequence: UInt64
        var dropsInherited: Bool
        var content: ChangeContent?
    }

    struct Item {
        let key: TreeKey
        var record: Record
    }

    private(set) var items: [Item] = []
    /// Places by key; made when the first key comes that is not the greatest.
    private var index: [TreeKey: Int]?

    var count: Int { items.count }

    /// Where a key stands.
    mutating func find(_ key: TreeKey) -> Int? {
        guard let last = items.last?.key else { return nil }
        if key == last { return items.count - 1 }
        if index == nil {
            if last < key { return nil }
            var new: [TreeKey: Int] = [:]
            new.reserveCapacity(items.count * 2)
            for place in items.indices { new[items[place].key] = place }
            index = new
        }
        return index?[key]
    }

    /// Appends a key that is not there.
    mutating func append(_ key: TreeKey, _ record: Record) {
        if let last = items.last?.key, index == nil, key < last { _ = find(key) }
        index?[key] = items.count
        items.append(Item(key: key, record: record))
    }

    subscript(_ place: Int) -> Record {
        get { items[place].record }
        set { items[place].record = newValue }
    }

    /// Takes the content out, so that it can be changed without a copy.
    mutating func takeContent(_ place: Int) -> ChangeContent? {
        defer { items[place].record.content = nil }
        return items[place].record.content
    }

    /// Places in key order.
    var sortedPlaces: [Int] {
        if index == nil { return Array(items.indices) }
        return items.indices.sorted { items[$0].key < items[$1].key }
    }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        index = nil
    }
}
