/// The keys of a store.
///
/// | key, behind the prefix | what it is |
/// |---|---|
/// | `NAME` | a finished object |
/// | `open/NAME/begun` | empty: there is an unfinished object of that name |
/// | `open/NAME/OFFSET` | its bytes from that offset (16 hex digits) on, up to where the next such object begins |
/// | `probe/conditions` | empty: stays from the first start on (``S3Probe``) |
/// | `open/NAME/ends-as/FINAL` | empty: it is about to become the finished object `FINAL`, or has |
struct S3Names: Sendable {
    let prefix: String

    enum Part: Equatable {
        case begun
        case extent(Int)
        case end(String)
        case other
    }

    enum Place: Equatable {
        case finished(String)
        case open(String, Part)
    }

    var probe: String { prefix + "probe/conditions" }
    func object(_ name: String) -> String { prefix + name }
    func group(_ name: String) -> String { "\(prefix)open/\(name)/" }
    func begun(_ name: String) -> String { group(name) + "begun" }
    func end(_ name: String, as final: String) -> String { "\(group(name))ends-as/\(final)" }

    func extent(_ name: String, _ offset: Int) -> String {
        let digits = String(offset, radix: 16)
        return group(name) + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// What a key stands for; nil for keys of others.
    func place(_ key: String) -> Place? {
        guard key.hasPrefix(prefix) else { return nil }
        let words = key.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if words.count == 1, !words[0].isEmpty { return .finished(words[0]) }
        guard words.count >= 3, words[0] == "open" else { return nil }
        return .open(words[1], part(Array(words[2...])))
    }

    private func part(_ words: [String]) -> Part {
        if words == ["begun"] { return .begun }
        if words.count == 2, words[0] == "ends-as" { return .end(words[1]) }
        guard words.count == 1, words[0].count == 16, let offset = Int(words[0], radix: 16), offset >= 0 else {
            return .other
        }
        return .extent(offset)
    }
}

/// What the bucket holds of one unfinished object.
struct S3Group: Sendable {
    struct Extent: Sendable, Equatable {
        var offset: Int
        var size: Int
    }

    var isBegun = false
    /// What it may have become.
    var ends: [String] = []
    private(set) var extents: [Extent] = []
    /// All keys but that of the beginning.
    var rest: [String] = []

    mutating func add(_ item: S3Item, _ part: S3Names.Part) {
        if part == .begun {
            isBegun = true
            return
        }
        rest.append(item.key)
        switch part {
        case .extent(let offset):
            // Mostly in order already: a page comes in the order of keys.
            let place = extents.lastIndex { $0.offset < offset }.map { $0 + 1 } ?? 0
            extents.insert(Extent(offset: offset, size: item.size), at: place)
        case .end(let final): ends.append(final)
        case .begun, .other: break
        }
    }

    /// The extents that follow each other without a gap from 0 on, each cut where the next begins: what was synced.
    /// What lies behind a gap belongs to a sync that did not succeed.
    var synced: [Extent] {
        var result: [Extent] = []
        for extent in extents {
            let end = result.last.map { $0.offset + $0.size } ?? 0
            guard extent.offset <= end else { break }
            if let last = result.indices.last { result[last].size = extent.offset - result[last].offset }
            result.append(extent)
        }
        return result
    }

    /// Bytes.
    var size: Int { synced.last.map { $0.offset + $0.size } ?? 0 }
}

/// What a list of the bucket says about all objects.
struct S3Inventory {
    private(set) var finished: [String: Int] = [:]
    private(set) var open: [String: S3Group] = [:]

    mutating func add(_ item: S3Item, _ names: S3Names) {
        switch names.place(item.key) {
        case .finished(let name): finished[name] = item.size
        case .open(let name, let part): open[name, default: S3Group()].add(item, part)
        case nil: break
        }
    }
}
