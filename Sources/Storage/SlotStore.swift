import Core
import Synchronization

/// All segments: which are open, which are sealed, where a slot's bytes are. Safe to use from any thread; the two maps
/// are guarded by `state`, everything else guards itself.
final class SlotStore: Sendable {
    /// A sealed segment, open for reading.
    final class Sealed: Sendable {
        let reader: any ReadableObject
        let records: [SlotRecord]

        init(reader: any ReadableObject, records: [SlotRecord]) {
            self.reader = reader
            self.records = records
        }
    }

    struct State {
        var open: [UInt64: OpenSegment] = [:]
        var sealed: [UInt64: Int] = [:]
        var nextSegment: UInt64 = 1
        /// How often a segment was replaced or removed by this process; those that never were are not here.
        var versions: [UInt64: Int] = [:]
        /// How often any of them may have been, by another one.
        var upheavals = 0
        var idle: [SlotWriter] = []
        var closed = false
        /// Objects that are finished and of which the catalog still keeps the bytes.
        var finishedTails: [String] = []
    }

    let objects: any ObjectStore
    let options: StoreOptions
    let counters = StoreCounters()
    let collection = CollectionGuard()
    let activities: Activities
    let state = Mutex(State())
    let directories: BoundedCache<UInt64, Sealed>
    let foreign: ForeignSegments
    let finishing = SegmentFinishing()
    private let fingerprints: FingerprintTable

    init(objects: any ObjectStore, options: StoreOptions) throws {
        self.objects = objects
        self.options = options
        activities = Activities(collection)
        directories = BoundedCache(limit: options.directoryCacheBytes)
        foreign = ForeignSegments(objects)
        fingerprints = FingerprintTable(capacity: options.fingerprints)
        try recover()
    }

    // MARK: Recovery

    private func recover() throws {
        var unsealed: [(id: UInt64, size: Int)] = []
        var sealed: [UInt64: Int] = [:]
        for listing in try objects.list() {
            guard let (id, isSealed) = SegmentFormat.parse(name: listing.name) else { continue }
            if isSealed { sealed[id] = listing.size } else { unsealed.append((id, listing.size)) }
        }
        for (id, size) in unsealed where isLeftover(id) {
            if sealed[id] == nil { sealed[id] = try recover(id, size) }
            // What is left of one that has its end.
            if objects.properties.isShared { try objects.remove(SegmentFormat.name(id, sealed: false)) }
        }
        let highest = max(sealed.keys.max() ?? 0, unsealed.map(\.id).max() ?? 0)
        let all = sealed
        // Some bear this server's number already where the catalog that counts servers is older than the store.
        let own = (Array(sealed.keys) + unsealed.map(\.id)).filter { $0 >> 32 == options.server }.max() ?? 0
        let first = options.server == 0 ? highest + 1 : max(options.server << 32, own) + 1
        state.withLock {
            $0.sealed = all
            $0.nextSegment = first
        }
    }

    /// Whether nobody writes a segment any more. Whoever came after this server is there.
    private func isLeftover(_ id: UInt64) -> Bool {
        let writer = id >> 32
        return !options.others.contains(writer) && (options.server == 0 || writer <= options.server)
    }

    /// Gives a segment its end and returns its size in bytes.
    private func recover(_ id: UInt64, _ size: Int) throws -> Int {
        do {
            let size = try SegmentRecovery.seal(id: id, size: size, in: objects)
            counters.recovered()
            return size
        } catch let error as SpileError
            where objects.properties.isShared && [.notFound, .alreadyExists, .aborted].contains(error.code)
        {
            // Another server that starts was faster.
            return try objects.open(SegmentFormat.name(id, sealed: true)).size
        }
    }

    // MARK: Writers

    func createSegment(capacity: Int, purpose: ObjectPurpose) throws -> OpenSegment {
        let id = try state.withLock { state in
            if state.closed { throw SpileError(.failedPrecondition, "the store is closed") }
            defer { state.nextSegment += 1 }
            return state.nextSegment
        }
        if objects.properties.isShared, purpose == .small { try finishing.requireRoom() }
        let object = try objects.create(SegmentFormat.name(id, sealed: false), capacity: capacity, purpose: purpose)
        let segment = OpenSegment(id: id, object: object)
        state.withLock { $0.open[id] = segment }
        return segment
    }

    /// A bulk writer for one stream, to be given back.
    func leaseBulk() -> SlotWriter {
        if let idle = state.withLock({ $0.idle.popLast() }) { return idle }
        return SlotWriter(
            slots: self, purpose: .bulk, capacity: options.bulkSegmentBytes, threaded: options.writeBehind)
    }

    /// Takes back a writer after its last successful sync (or after `rollback`). The next stream goes on in its
    /// segment.
    func giveBack(_ writer: SlotWriter) {
        let surplus = state.withLock { state in
            if state.closed || state.idle.count >= options.idleBulkWriters { return true }
            state.idle.append(writer)
            return false
        }
        // What it wrote is durable; a failure to seal only leaves that to the next start.
        if surplus { try? writer.close() }
    }

    func sealed(_ segment: OpenSegment, size: Int) {
        let records = segment.state.withLock { $0.records }
        if let reader = try? objects.open(SegmentFormat.name(segment.id, sealed: true)) {
            let entry = Sealed(reader: reader, records: records)
            directories.put(segment.id, entry, cost: Self.cost(records))
        }
        state.withLock {
            $0.sealed[segment.id] = size
            $0.open[segment.id] = nil
        }
    }

    /// What was synced stays readable through the open object; the next start seals it.
    func abandoned(_ segment: OpenSegment) {
        counters.abandoned()
        // What of it was kept is known by the catalog alone, and read from there.
        if segment.object.handsOver {
            state.withLock { $0.open[segment.id] = nil }
            segment.object.abandon()
        }
    }

    /// Lets go of the idle writers, which hold the store, without an end for their segments: as a crash would.
    func forgetIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.closed = true
            return state.idle
        }
        withExtendedLifetime(idle) {}
    }

    /// Seals every idle writer's segment. Later appends throw.
    func close() throws {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.closed = true
            return state.idle
        }
        var failure: (any Error)?
        for writer in idle { do { try writer.close() } catch { failure = error } }
        finishing.close()
        if let failure { throw failure }
    }

    // MARK: Reading

    static func cost(_ records: [SlotRecord]) -> Int { records.count * SegmentFormat.recordSize + 512 }

    func sealedSegment(_ id: UInt64) throws -> Sealed {
        while true {
            if let cached = directories.get(id) { return cached }
            let (version, upheavals) = state.withLock { ($0.versions[id], $0.upheavals) }
            let segment = try load(id)
            // If the segment was replaced meanwhile, this may be the directory of the old object: look again.
            let isCurrent = state.withLock { state in
                guard state.versions[id] == version, state.upheavals == upheavals else { return false }
                directories.put(id, segment, cost: Self.cost(segment.records))
                state.sealed[id] = segment.reader.size
                return true
            }
            if isCurrent { return segment }
        }
    }

    /// Opens a sealed segment and reads its directory, past the cache.
    func load(_ id: UInt64) throws -> Sealed { try Sealed(id, in: objects) }

    private enum Place {
        case open(OpenSegment, SlotRecord)
        case foreign(any ReadableObject, SlotRecord)
        case sealed(Sealed, SlotRecord)
    }

    private func locate(_ pointer: Pointer) throws -> Place {
        if let open = state.withLock({ $0.open[pointer.segment] }), let record = open.record(pointer.slot) {
            return .open(open, record)
        }
        if objects.properties.isShared, directories.get(pointer.segment) == nil,
            state.withLock({ $0.sealed[pointer.segment] == nil }),
            let (reader, record) = try foreign.find(pointer)
        {
            return .foreign(reader, record)
        }
        let segment: Sealed
        do {
            segment = try sealedSegment(pointer.segment)
        } catch let error as SpileError where error.code == .notFound {
            throw SpileError(
                .dataLoss, "slot \(pointer) is not there: its segment is missing",
                remedy: "run `spile check`; restore the data folder from a backup", cause: error)
        }
        guard Int(pointer.slot) < segment.records.count, segment.records[Int(pointer.slot)].kind != .dead else {
            throw SpileError(.dataLoss, "slot \(pointer) is not there", remedy: "run `spile check`")
        }
        return .sealed(segment, segment.records[Int(pointer.slot)])
    }

    /// What the directory says about a slot.
    func record(_ pointer: Pointer) throws -> SlotRecord {
        switch try locate(pointer) {
        case .open(_, let record), .foreign(_, let record), .sealed(_, let record): record
        }
    }

    /// Reads `buffer.count` bytes of a slot's payload from `offset`, without a check of its hash.
    func read(_ pointer: Pointer, offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard buffer.count > 0 else { return }
        do {
            try readOnce(pointer, offset: offset, into: buffer)
        } catch let error as SpileError where error.code == .aborted && objects.properties.isShared {
            // Another server has written the segment anew.
            forget(pointer.segment)
            try readOnce(pointer, offset: offset, into: buffer)
        }
        counters.read(buffer.count)
    }

    private func readOnce(_ pointer: Pointer, offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        switch try locate(pointer) {
        case .open(let segment, let record):
            try Self.check(record, pointer, offset, buffer.count)
            try segment.read(into: buffer, at: Int(record.offset) + offset)
        case .foreign(let reader, let record):
            try Self.check(record, pointer, offset, buffer.count)
            try reader.readFully(into: buffer, at: Int(record.offset) + offset)
        case .sealed(let segment, let record):
            try Self.check(record, pointer, offset, buffer.count)
            try segment.reader.readFully(into: buffer, at: Int(record.offset) + offset)
        }
    }

    /// Every directory is read anew when it is needed next.
    func forgetDirectories() {
        state.withLock { $0.upheavals += 1 }
        directories.removeAll()
    }

    /// The directory of a segment is read anew when it is needed next.
    private func forget(_ id: UInt64) {
        state.withLock { state in
            state.versions[id, default: 0] += 1
            directories.remove(id)
        }
    }

    private static func check(_ record: SlotRecord, _ pointer: Pointer, _ offset: Int, _ count: Int) throws {
        guard offset >= 0, offset + count <= Int(record.length) else {
            throw SpileError(
                .dataLoss, "slot \(pointer) is shorter than what refers to it", remedy: "run `spile check`")
        }
    }

    /// Reads a whole slot and checks its hash.
    func readVerified(_ pointer: Pointer) throws -> (record: SlotRecord, bytes: [UInt8]) {
        let record = try record(pointer)
        let bytes = try [UInt8](reading: Int(record.length)) { try self.read(pointer, offset: 0, into: $0) }
        guard bytes.withUnsafeBytes({ BlockHash.hash($0) }) == record.hash else {
            throw SpileError(
                .dataLoss, "slot \(pointer) is damaged: its bytes do not match their hash",
                remedy: "run `spile check`; restore the segment from a backup")
        }
        return (record, bytes)
    }

    // MARK: Known chunks

    /// A durable slot of this hash, if one is known.
    func known(_ hash: Digest) -> Pointer? {
        if fingerprints.needsFilling { fillFingerprints() }
        guard let pointer = fingerprints.find(hash) else {
            counters.dedup(hit: false)
            return nil
        }
        // Given out before it is looked up: once a collection has barred a slot and removed its segment, the look-up
        // fails. The table keeps 64 bits of a hash; the directory has all of it.
        guard collection.give(pointer), let record = try? record(pointer), record.hash == hash, record.kind == .chunk
        else {
            counters.dedup(hit: false)
            return nil
        }
        counters.dedup(hit: true)
        return pointer
    }

    func remember(_ hash: Digest, _ pointer: Pointer) { fingerprints.insert(hash, pointer) }

    /// Learns the chunks of the newest sealed segments, once, as many as the options allow.
    private func fillFingerprints() {
        guard fingerprints.beginFilling() else { return }
        let newest = state.withLock { $0.sealed.keys.sorted(by: >).prefix(options.fingerprintSegments) }
        for id in newest.reversed() {
            guard let segment = try? sealedSegment(id) else { continue }
            for (slot, record) in segment.records.enumerated() where record.kind == .chunk {
                fingerprints.insert(record.hash, Pointer(segment: id, slot: UInt32(slot)))
            }
        }
    }

    // MARK: All slots

    /// All segments there are now, oldest first.
    func segmentIDs() -> [UInt64] { state.withLock { Set($0.sealed.keys).union($0.open.keys).sorted() } }

    /// A segment's directory as it stands now; nil if the segment is gone.
    func records(of id: UInt64) throws -> [SlotRecord]? {
        if let open = state.withLock({ $0.open[id] }) { return open.state.withLock { $0.records } }
        do {
            return try sealedSegment(id).records
        } catch let error as SpileError where error.code == .notFound {
            if state.withLock({ $0.sealed[id] == nil }) { return nil }
            throw SegmentFormat.damaged(id, "it is not there")
        }
    }

    // MARK: Figures

    func addStatistics(to statistics: inout StoreStatistics) {
        let (open, sealed, bytes) = state.withLock { ($0.open.count, $0.sealed.count, $0.sealed.values.reduce(0, +)) }
        statistics.openSegments = open
        statistics.sealedSegments = sealed
        statistics.sealedBytes = bytes
        counters.add(to: &statistics)
    }
}

extension [UInt8] {
    /// `count` bytes, filled by `body`.
    init(reading count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        try self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
            try body(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<count]))
            initialized = count
        }
    }
}
