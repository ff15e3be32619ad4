import Core

/// The files of a join or a group by key, as texts of bytes: spellings that only look alike are two keys.
///
/// Holds each file once, with its path and digest: with keys that few files share, about 300 bytes a file.
struct KeyTable {
    /// For one key: the files of each child of the node.
    typealias Entry = [[FilePair]]

    private var places: [[UInt8]: Int] = [:]
    /// In the order in which the keys came up.
    private(set) var entries: [Entry] = []
    let children: Int

    init(children: Int) { self.children = children }

    mutating func add(_ pair: FilePair, _ key: [UInt8], child: Int) {
        let place: Int
        if let known = places[key] {
            place = known
        } else {
            place = entries.count
            places[key] = place
            entries.append(Array(repeating: [], count: children))
        }
        entries[place][child].append(pair)
    }

    /// Puts each child's files in the order of the tree, which those of nested joins do not come in.
    mutating func sort() {
        for place in entries.indices {
            for child in 0..<children where !isSorted(entries[place][child]) {
                entries[place][child].sort(by: FilePair.precedes)
            }
        }
    }

    private func isSorted(_ files: [FilePair]) -> Bool {
        zip(files, files.dropFirst()).allSatisfy { !FilePair.precedes($1, $0) }
    }
}

extension DatumEvaluation {
    /// The files by key, for one key after the other.
    ///
    /// Cost: one walk over the files of all children. For changes only the keys of files that changed are held, and
    /// without any nothing is walked; but where there are some, the files of *all* children are walked and their keys
    /// computed to find those that share one, because nothing on disk is sorted by key.
    func eachEntry(
        _ children: [DatumNode], _ key: (FilePair) -> String, _ scope: Scope,
        _ body: (KeyTable.Entry) async throws -> Bool
    ) async throws -> Bool {
        var affected: Set<[UInt8]>?
        if scope == .changes, changed != nil {
            var keys: Set<[UInt8]> = []
            for child in children {
                try await eachFile(child, .changes) { pair in
                    keys.insert(Array(key(pair).utf8))
                    return true
                }
            }
            if keys.isEmpty { return true }
            affected = keys
        }
        var table = KeyTable(children: children.count)
        for (index, child) in children.enumerated() {
            try await eachFile(child, .all) { pair in
                let key = Array(key(pair).utf8)
                if affected?.contains(key) ?? true { table.add(pair, key, child: index) }
                return true
            }
        }
        table.sort()
        for entry in table.entries { guard try await body(entry) else { return false } }
        return true
    }

    // MARK: Join

    /// Which children take part in the datums of one key on one side: all if each of them has a file there, else those
    /// with a file of an outer input.
    private static func taking(part entry: KeyTable.Entry, _ side: Side) -> [Int] {
        if entry.allSatisfy({ $0.contains { $0[side] != nil } }) { return Array(entry.indices) }
        return entry.indices.filter { entry[$0].contains { $0[side] != nil && $0.input.leaf.isOuter } }
    }

    /// The product of the files of one key.
    func joined(
        _ entry: KeyTable.Entry, _ scope: Scope, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        let old = Self.taking(part: entry, .old)
        let new = Self.taking(part: entry, .new)
        func factors(_ children: [Int], _ files: (FilePair) -> FilePair?) -> [Factor] {
            children.map { child in
                .list(
                    entry[child].filter { children.count == entry.count || $0.input.leaf.isOuter }
                        .compactMap(files).map { DatumPair([$0]) })
            }
        }
        if old == new { return try await product(factors(new) { $0 }, scope, body) }
        // Datums of other inputs than before: none is the same.
        if scope == .kept { return true }
        for (side, children) in [(Side.old, old), (.new, new)] {
            guard try await product(factors(children) { $0.only(side) }, .all, body) else { return false }
        }
        return true
    }

    // MARK: Group

    /// The one datum of a key; where files came or went, one that is gone and one that is new.
    func grouped(
        _ entry: KeyTable.Entry, _ scope: Scope, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        let files = entry.flatMap { $0 }
        let sides = Side.allCases.map { side in files.compactMap { $0.only(side) } }.filter { !$0.isEmpty }
        let isSame = sides.count < 2 || files.allSatisfy { $0.old != nil && $0.new != nil }
        for pair in isSame ? [DatumPair(files)] : sides.map(DatumPair.init) where pair.isIn(scope) {
            guard try await body(pair) else { return false }
        }
        return true
    }
}
