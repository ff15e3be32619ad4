import Core

/// Collects what one ModifyFile stream does. One owner, not shared; order of calls matters. Ends with ``finish()`` or
/// ``abandon()``, once. Calls may block on the disk: a slow disk slows the stream, it never grows the heap.
///
/// A small stream stays in memory. A stream that outgrows ``StoreOptions/smallStreamBytes`` leases a bulk segment,
/// where contents go as they come and changes go, sorted, when their memory is used up.
///
/// Errors: `resourceExhausted` (disk full) and `unavailable` may succeed when the whole stream is tried again;
/// `dataLoss` does not; `invalidArgument` says that a path cannot stand in a tree. After an error only ``abandon()``
/// may be called.
package final class ChangeWriter {
    private typealias Record = ChangeTable.Record

    private struct Large {
        let writer: SlotWriter
        let content: ContentWriter
    }

    private let slots: SlotStore
    /// Begun before anything is looked for: what the stream refers to stays until it, and its change set, are gone.
    private var activity: Activity?
    private var records = ChangeTable()
    /// Marks of this run by their path: when the last one came, whatever its datum tag.
    private var marks: [[UInt8]: UInt64] = [:]
    private var runs: [ChangeRun] = []
    private var sequence: UInt64 = 0
    private var memory = 0
    private var spilledCount = 0
    private var contentBytes: UInt64 = 0
    private var heldBytes = 0
    /// What came behind something of another kind in a small stream: each makes that content longer by one piece.
    private var pieces = 0
    private var large: Large?
    /// The file whose bytes are coming in; only in a large stream.
    private var active: TreeKey?
    private var isOver = false

    /// So many pieces may wait in a small stream; a large one joins them as they come.
    private static let maximumPieces = 512

    init(slots: SlotStore) {
        self.slots = slots
        activity = slots.activities.begin(.writer)
    }

    deinit { if !isOver { abandon() } }

    // MARK: Changes

    /// Appends bytes to a file: to what this stream wrote before or else to inherited content, unless that was deleted
    /// in this stream. No bytes: the file shall exist.
    package func add(path: String, datum: String, bytes: UnsafeRawBufferPointer) throws {
        let key = try TreeKey.checked(path: path, datum: datum, isDirectory: false)
        contentBytes += UInt64(bytes.count)
        if large == nil, heldBytes + bytes.count > slots.options.smallStreamBytes { try becomeLarge() }
        if let large {
            try activate(key, large)
            try large.content.append(bytes)
            return
        }
        heldBytes += bytes.count
        var isNewPiece = false
        change(key) { isNewPiece = ChangeContent.append(bytes, to: &$0) }
        if isNewPiece { pieces += 1 }
        try bound()
    }

    /// The same for a chunk of a file that ``FileCutter`` has cut, by hash and length. False where it is not stored, or
    /// cannot follow what is there of the file: its bytes have to be added then.
    package func add(path: String, datum: String, chunk hash: Digest, length: Int) throws -> Bool {
        let key = try TreeKey.checked(path: path, datum: datum, isDirectory: false)
        if large == nil {
            guard slots.known(hash) != nil else { return false }
            try becomeLarge()
        }
        guard let large else { return false }
        try activate(key, large)
        guard try large.content.append(chunk: hash, length: length) else { return false }
        contentBytes += UInt64(length)
        return true
    }

    /// Removes a file: inherited content and what this stream added.
    package func delete(path: String, datum: String) throws {
        let key = try TreeKey.checked(path: path, datum: datum, isDirectory: false)
        if active == key { discardActive() }
        set(key, Record(sequence: tick(), dropsInherited: true, content: nil))
        try bound()
    }

    /// Removes everything inherited below `prefix` (a path ending in "/"; "/" is all) that has the datum tag, and what
    /// this stream added below it with any tag.
    package func deleteTree(prefix: String, datum: String) throws {
        let mark = try TreeKey.checked(path: prefix, datum: datum, isDirectory: true)
        if let key = active {
            if key.bytes.withUnsafeBytes({ mark.covers($0) }) { discardActive() } else { try finishActive() }
        }
        let now = tick()
        marks[Array(prefix.utf8)] = now
        set(mark, Record(sequence: now, dropsInherited: true, content: nil))
        try bound()
    }

    /// Gives a file the content of an existing entry, by reference: behind what is there, or in its place.
    package func put(_ entry: FileEntry, path: String, datum: String, append: Bool) throws {
        let key = try TreeKey.checked(path: path, datum: datum, isDirectory: false)
        if !append {
            if active == key { discardActive() }
            set(key, Record(sequence: tick(), dropsInherited: true, content: .entry(entry)))
            return try bound()
        }
        if active == key { try finishActive() }
        guard let large, let known = live(key)?.content else {
            change(key) { $0 = ChangeContent.joined($0, .entry(entry)) }
            pieces += 1
            return try bound()
        }
        try finishActive()
        try start(known, large)
        try large.content.append(entry)
        let joined = try large.content.finish()
        change(key) { $0 = .entry(joined) }
        try bound()
    }

    // MARK: Records

    private func tick() -> UInt64 {
        sequence += 1
        return sequence
    }

    /// What holds for a key now: content that a later deletion of a directory covers is gone.
    private func live(_ key: TreeKey) -> Record? {
        guard let place = records.find(key) else { return nil }
        var record = records[place]
        if isCovered(key, record) { record.content = nil }
        return record
    }

    private func isCovered(_ key: TreeKey, _ record: Record) -> Bool {
        !marks.isEmpty && record.content != nil && lastMark(over: key) > record.sequence
    }

    private func lastMark(over key: TreeKey) -> UInt64 {
        var newest: UInt64 = 0
        for index in 0..<key.split where key.bytes[index] == UInt8(ascii: "/") {
            newest = max(newest, marks[Array(key.bytes[...index])] ?? 0)
        }
        return newest
    }

    private func set(_ key: TreeKey, _ record: Record) {
        if let place = records.find(key) {
            records[place] = record
        } else {
            records.append(key, record)
            memory += 192 + key.bytes.count
        }
        count(record.content)
    }

    private func count(_ content: ChangeContent?) {
        guard case .entry(let entry)? = content else { return }
        memory += 64 + 32 * entry.tailBlocks.count + 24 * entry.tail.count
    }

    private func change(_ key: TreeKey, _ body: (inout ChangeContent?) -> Void) {
        guard let place = records.find(key) else {
            var content: ChangeContent?
            body(&content)
            return set(key, Record(sequence: tick(), dropsInherited: false, content: content))
        }
        if isCovered(key, records[place]) { records[place].content = nil }
        var content = records.takeContent(place)
        body(&content)
        count(content)
        records[place].content = content
        records[place].sequence = tick()
    }

    /// Keeps memory within the bounds: a small stream becomes a large one, a large one spills.
    private func bound() throws {
        if large == nil {
            if records.count > slots.options.smallStreamChanges || pieces > Self.maximumPieces { try becomeLarge() }
        }
        if large != nil, memory > slots.options.changeBudgetBytes { try spill() }
    }

    // MARK: Large streams

    private func becomeLarge() throws {
        let writer = slots.leaseBulk()
        let new = Large(writer: writer, content: ContentWriter(slots: slots, writer: writer))
        large = new
        for place in records.sortedPlaces {
            let record = records[place]
            guard let content = record.content, !isCovered(records.items[place].key, record) else { continue }
            if case .entry = content { continue }
            let entry = try new.content.entry(content)
            records[place] = Record(sequence: tick(), dropsInherited: record.dropsInherited, content: .entry(entry))
            count(.entry(entry))
        }
        heldBytes = 0
    }

    private func start(_ content: ChangeContent?, _ large: Large) throws {
        if case .entry(let entry)? = content { try large.content.resume(entry) } else { large.content.begin() }
    }

    private func activate(_ key: TreeKey, _ large: Large) throws {
        if active == key { return }
        try finishActive()
        try bound()
        try start(live(key)?.content, large)
        active = key
    }

    private func finishActive() throws {
        guard let key = active, let large else { return }
        let entry = try large.content.finish()
        active = nil
        change(key) { $0 = .entry(entry) }
    }

    private func discardActive() {
        large?.content.discard()
        active = nil
    }

    /// The changes held in memory in key order, deletions of directories worked in.
    private func sortedChanges() -> [Change] {
        var changes: [Change] = []
        changes.reserveCapacity(records.count)
        for place in records.sortedPlaces {
            let (key, record) = (records.items[place].key, records[place])
            let content = isCovered(key, record) ? nil : record.content
            if record.dropsInherited || content != nil {
                changes.append(Change(key: key, dropsInherited: record.dropsInherited, content: content))
            }
        }
        return changes
    }

    /// Writes the changes held in memory as a sorted run.
    private func spill() throws {
        guard let large else { return }
        // A file under way ends here; what comes for it next is appended to it from the next run.
        try finishActive()
        try large.content.flushPack()
        var pointers: [Pointer] = []
        var bytes: [UInt8] = []
        let changes = sortedChanges()
        for change in changes {
            var entry: [UInt8]?
            if case .entry(let content)? = change.content { entry = content.encoded(resolve: large.content.resolve) }
            SpilledRun.append(change, entry: entry, to: &bytes)
            if bytes.count >= SpilledRun.slotSize {
                pointers.append(try bytes.withUnsafeBytes { try large.writer.append(.run, $0) })
                bytes.removeAll(keepingCapacity: true)
            }
        }
        if !bytes.isEmpty { pointers.append(try bytes.withUnsafeBytes { try large.writer.append(.run, $0) }) }
        runs.append(.spilled(pointers))
        spilledCount += changes.count
        slots.counters.spilled()
        records.removeAll()
        marks.removeAll()
        memory = 0
    }

    // MARK: End

    /// The stream's changes. What a large stream wrote is durable on return (I1). The last call.
    package func finish() throws -> ChangeSet {
        guard !isOver, let activity else { throw SpileError.bug("a stream of changes was ended twice") }
        try finishActive()
        try large?.content.flushPack()
        var changes = sortedChanges()
        if let large {
            for index in changes.indices {
                guard case .entry(var entry)? = changes[index].content else { continue }
                for at in entry.tail.indices { entry.tail[at].pointer = large.content.resolve(entry.tail[at].pointer) }
                changes[index].content = .entry(entry)
            }
            try large.writer.sync()
            slots.giveBack(large.writer)
        }
        isOver = true
        records = ChangeTable()
        let isLarge = large != nil
        large = nil
        return ChangeSet(
            runs: runs + [.memory(changes)], isLarge: isLarge, count: spilledCount + changes.count,
            contentBytes: contentBytes, activity: activity)
    }

    /// Ends the stream without a result; what it wrote is garbage. May be called at any time; once is enough.
    package func abandon() {
        guard !isOver else { return }
        isOver = true
        activity = nil
        guard let large else { return }
        large.content.discard()
        large.writer.rollback()
        slots.giveBack(large.writer)
        slots.counters.abandonedStream()
        self.large = nil
    }
}

extension ContentWriter {
    /// The entry of content that belongs to a new file.
    func entry(_ content: ChangeContent) throws -> FileEntry {
        switch content {
        case .entry(let entry): return entry
        case .bytes(let bytes): return try bytes.withUnsafeBytes { try entry(of: $0) }
        case .sequence:
            begin()
            try append(content)
            return try finish()
        }
    }

    /// Appends content to the file being written.
    func append(_ content: ChangeContent) throws {
        switch content {
        case .entry(let entry): try append(entry)
        case .bytes(let bytes): try bytes.withUnsafeBytes { try append($0) }
        case .sequence(let pieces): for piece in pieces { try append(piece) }
        }
    }
}
