import Core

/// What a change adds to a file.
enum ChangeContent: Sendable {
    case bytes([UInt8])
    case entry(FileEntry)
    /// One after the other.
    indirect case sequence([ChangeContent])

    /// Appends bytes, to those at the end if there are any; returns whether that made one more piece.
    static func append(_ bytes: UnsafeRawBufferPointer, to content: inout ChangeContent?) -> Bool {
        switch content {
        case nil:
            content = .bytes(Array(bytes))
            return false
        case .bytes(var held):
            content = nil
            held.append(contentsOf: bytes)
            content = .bytes(held)
            return false
        case .entry(let entry):
            if bytes.isEmpty { return false }
            content = .sequence([.entry(entry), .bytes(Array(bytes))])
            return true
        case .sequence(var pieces):
            if bytes.isEmpty { return false }
            content = nil
            defer { content = .sequence(pieces) }
            guard case .bytes(var held)? = pieces.last else {
                pieces.append(.bytes(Array(bytes)))
                return true
            }
            pieces.removeLast()
            held.append(contentsOf: bytes)
            pieces.append(.bytes(held))
            return false
        }
    }

    static func joined(_ a: ChangeContent?, _ b: ChangeContent?) -> ChangeContent? {
        guard let a else { return b }
        guard let b else { return a }
        switch (a, b) {
        case (.sequence(let first), .sequence(let second)): return .sequence(first + second)
        case (.sequence(let first), _): return .sequence(first + [b])
        case (_, .sequence(let second)): return .sequence([a] + second)
        default: return .sequence([a, b])
        }
    }
}

/// What one stream does to one key: first inherited content may go, then content may be appended. For a directory mark
/// (a path ending in "/") the first alone has a meaning: it concerns everything below with the mark's datum tag.
struct Change: Sendable {
    var key: TreeKey
    var dropsInherited: Bool
    var content: ChangeContent?
}

/// Sorted changes of one stretch of a stream: in memory or spilled. A later run comes after an earlier one.
enum ChangeRun: Sendable {
    case memory([Change])
    case spilled([Pointer])
    /// A stored file set, read as it is needed.
    case stored(FileSet)
}

/// Everything one stream changes: immutable, to be applied to any root, any number of times while the store is open.
/// A small one carries its bytes; a large one refers to slots that were durable when it was made (I1).
package struct ChangeSet: Sendable {
    let runs: [ChangeRun]
    /// Whether its content was written to a bulk segment already. Then `Store.applyLarge` suits it.
    package let isLarge: Bool
    /// How many changes it holds, about (a key changed in several runs counts as often).
    package let count: Int
    /// Bytes given to the stream's `add`.
    package let contentBytes: UInt64
    /// Keeps garbage collection from what it refers to, as long as anybody has it.
    package let activity: Activity
    /// The same for what came of other streams.
    var companions: [Activity] = []

    package var isEmpty: Bool { count == 0 }
}

extension Store {
    /// The changes of several streams as those of one: of two that change the same key, the later one comes after the
    /// earlier one. Nil for none.
    package func joined(_ sets: [ChangeSet]) -> ChangeSet? {
        guard let first = sets.first else { return nil }
        if sets.count == 1 { return first }
        let (count, bytes) = (sets.reduce(0) { $0 + $1.count }, sets.reduce(0) { $0 + $1.contentBytes })
        let isLarge = sets.contains { $0.isLarge } || count > slots.options.smallStreamChanges
            || bytes > UInt64(slots.options.smallStreamBytes)
        return ChangeSet(
            runs: sets.flatMap(\.runs), isLarge: isLarge, count: count, contentBytes: bytes, activity: first.activity,
            companions: first.companions + sets.dropFirst().flatMap { [$0.activity] + $0.companions })
    }
}

/// Gives the changes of several runs as one sorted sequence, each key once. One owner.
struct ChangeMerge {
    private struct Source {
        var run: ChangeRun
        var changes: [Change] = []
        var next = 0
        var nextSlot = 0
        var trees: FileSetCursor?
    }

    private let slots: SlotStore
    private var sources: [Source]
    /// Marks met, with the run they stand in, whose range is not passed yet.
    private var marks: [(key: TreeKey, run: Int)] = []

    init(_ set: ChangeSet, nodes: NodeStore) throws {
        slots = nodes.slots
        sources = set.runs.map { run in
            guard case .stored(let set) = run else { return Source(run: run) }
            return Source(run: run, trees: FileSetCursor(set, nodes: nodes))
        }
        for index in sources.indices { try refill(index) }
    }

    /// Loads the next stretch of a run if the present one is used up.
    private mutating func refill(_ index: Int) throws {
        guard sources[index].next >= sources[index].changes.count else { return }
        switch sources[index].run {
        case .memory(let changes):
            if sources[index].nextSlot == 0 { sources[index].changes = changes } else { sources[index].changes = [] }
        case .spilled(let pointers):
            guard sources[index].nextSlot < pointers.count else {
                sources[index].changes = []
                break
            }
            let bytes = try slots.readVerified(pointers[sources[index].nextSlot]).bytes
            sources[index].changes = try SpilledRun.decode(bytes)
        case .stored: sources[index].changes = try sources[index].trees?.next() ?? []
        }
        sources[index].nextSlot += 1
        sources[index].next = 0
    }

    private func head(_ index: Int) -> Change? {
        let source = sources[index]
        return source.next < source.changes.count ? source.changes[source.next] : nil
    }

    mutating func next() throws -> Change? {
        if sources.count == 1 {
            guard let change = head(0) else { return nil }
            sources[0].next += 1
            try refill(0)
            return change
        }
        while true {
            guard let key = sources.indices.compactMap({ head($0)?.key }).min() else { return nil }
            if let change = try fold(key) { return change }
        }
    }

    /// Joins what the runs say about one key, in their order. A mark of a later run takes away what earlier runs added.
    private mutating func fold(_ key: TreeKey) throws -> Change? {
        marks.removeAll { mark in !key.bytes.withUnsafeBytes { mark.key.covers($0) } }
        let newest = key.isDirectoryMark ? -1 : marks.map(\.run).max() ?? -1
        var result = Change(key: key, dropsInherited: false, content: nil)
        for index in sources.indices {
            guard let change = head(index), change.key == key else { continue }
            sources[index].next += 1
            try refill(index)
            if key.isDirectoryMark { marks.append((key, index)) }
            if change.dropsInherited {
                result.dropsInherited = true
                result.content = nil
            }
            if index >= newest { result.content = ChangeContent.joined(result.content, change.content) }
        }
        return result.dropsInherited || result.content != nil ? result : nil
    }
}

/// How a spilled stretch of changes stands in a slot.
enum SpilledRun {
    static let slotSize = 64 << 10

    static func append(_ change: Change, entry: [UInt8]?, to bytes: inout [UInt8]) {
        bytes.appendVarint(change.key.bytes.count)
        bytes.append(contentsOf: change.key.bytes)
        bytes.append((change.dropsInherited ? 1 : 0) | (entry != nil ? 2 : 0))
        guard let entry else { return }
        bytes.appendVarint(entry.count)
        bytes.append(contentsOf: entry)
    }

    static func decode(_ bytes: [UInt8]) throws -> [Change] {
        try bytes.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            var changes: [Change] = []
            while reader.remaining > 0 {
                let key = TreeKey(try reader.bytes(try reader.count()))
                let flags = try reader.byte()
                var content: ChangeContent?
                if flags & 2 != 0 { content = .entry(try FileEntry(try reader.bytes(try reader.count()))) }
                changes.append(Change(key: key, dropsInherited: flags & 1 != 0, content: content))
            }
            return changes
        }
    }
}
