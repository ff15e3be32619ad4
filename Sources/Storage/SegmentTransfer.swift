import Core

/// Brings sealed segments from one object store to another, and proves that they arrived. Safe from any thread; one
/// call for one segment at a time.
///
/// What counts as there: an object of the same size, with the same directory, of which every slot has been read back
/// and matches its hash. So a transfer that was cut off is gone on with by doing all of it again: what is there is
/// looked at and not written.
package struct SegmentTransfer: Sendable {
    /// A sealed segment of the source.
    package struct Item: Sendable, Equatable {
        package let id: UInt64
        /// Bytes.
        package let size: Int
    }

    private let source: any ObjectStore
    private let target: any ObjectStore
    private let proof: any ObjectStore
    private let share: (@Sendable (_ name: String) throws -> Bool)?

    /// `proof` reads what `target` holds, and not what this machine remembers of having written there. `share` gives
    /// the target an object of the source under the same name without a copy of its bytes, or returns false.
    package init(
        from source: any ObjectStore, to target: any ObjectStore, proof: any ObjectStore,
        share: (@Sendable (_ name: String) throws -> Bool)? = nil
    ) {
        self.source = source
        self.target = target
        self.proof = proof
        self.share = share
    }

    /// All segments of the source, oldest first. Throws `failedPrecondition` where one has no end yet: a ``Store`` that
    /// is opened on the source and closed gives them theirs.
    package func items() throws -> [Item] {
        try source.list().compactMap { listing in
            guard let (id, isSealed) = SegmentFormat.parse(name: listing.name) else { return nil }
            guard isSealed else {
                throw SpileError(.failedPrecondition, "segment \(listing.name) is still written to")
            }
            return Item(id: id, size: listing.size)
        }.sorted { $0.id < $1.id }
    }

    /// Brings one segment; false if it was there already. Durable on return.
    ///
    /// Throws `dataLoss` where a slot of the source is damaged, or where the target does not give back what it was
    /// given; a retry of the whole may help with the latter.
    package func bring(_ id: UInt64) throws -> Bool {
        let name = SegmentFormat.name(id, sealed: true)
        let old = try SlotStore.Sealed(id, in: source)
        let isThere: Bool
        do { isThere = try holds(id, old) } catch let error as SpileError where error.code == .dataLoss {
            isThere = false
        }
        if isThere { return false }
        if try share?(name) != true { try copy(id, old, to: name) }
        guard try holds(id, old) else {
            throw SegmentFormat.damaged(id, "what was written to the new store cannot be read back")
        }
        return true
    }

    private func copy(_ id: UInt64, _ segment: SlotStore.Sealed, to name: String) throws {
        try target.replace(name, size: segment.reader.size) { append in
            try SegmentRuns(id, segment).each(append)
        }
    }

    /// Whether the target has this segment, whole: throws `dataLoss` if what it has is damaged.
    private func holds(_ id: UInt64, _ old: SlotStore.Sealed) throws -> Bool {
        let new: SlotStore.Sealed
        do { new = try SlotStore.Sealed(id, in: proof) } catch let error as SpileError where error.code == .notFound {
            return false
        }
        guard new.reader.size == old.reader.size, new.records == old.records else { return false }
        try SegmentRuns(id, new).each { _ in }
        return true
    }
}

/// A sealed segment from its first byte to its last, in pieces of whole slots, each slot checked before it is handed
/// on.
private struct SegmentRuns {
    /// Bytes of a piece, one slot that is larger excepted.
    private static let most = 1 << 20

    private let id: UInt64
    private let segment: SlotStore.Sealed
    /// Slots in the order of their places.
    private let slots: [(number: UInt32, record: SlotRecord)]

    init(_ id: UInt64, _ segment: SlotStore.Sealed) {
        self.id = id
        self.segment = segment
        slots = segment.records.enumerated().filter { $0.element.kind != .dead }
            .map { (UInt32($0.offset), $0.element) }.sorted { $0.record.offset < $1.record.offset }
    }

    /// Throws `dataLoss` for what is damaged.
    func each(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let size = segment.reader.size
        let directory = size - SegmentFormat.footerSize - segment.records.count * SegmentFormat.recordSize
        var (start, next) = (0, 0)
        while start < size {
            var (end, last) = (start, next)
            while last < slots.count {
                let stop = try self.end(of: last, after: end, before: directory)
                if end > start, stop - start > Self.most { break }
                (end, last) = (stop, last + 1)
            }
            if last == next { end = min(size, start + Self.most) }
            let bytes = try [UInt8](reading: end - start) { try segment.reader.readFully(into: $0, at: start) }
            try bytes.withUnsafeBytes { bytes in
                if start == 0 { try checkHeader(bytes) }
                for slot in slots[next..<last] { try check(slot, bytes, from: start) }
                try body(bytes)
            }
            (start, next) = (end, last)
        }
    }

    private func end(of index: Int, after previous: Int, before directory: Int) throws -> Int {
        let (number, record) = slots[index]
        let first = Int(record.offset) - SegmentFormat.slotHeaderSize
        let end = Int(record.offset) + Int(record.length)
        guard first >= max(previous, SegmentFormat.headerSize), end <= directory else {
            throw SegmentFormat.damaged(id, "slot \(number) does not lie where it should")
        }
        return end
    }

    private func checkHeader(_ bytes: UnsafeRawBufferPointer) throws {
        guard try SegmentFormat.checkHeader(bytes, id: id) else {
            throw SegmentFormat.damaged(id, "its header is damaged")
        }
    }

    private func check(
        _ slot: (number: UInt32, record: SlotRecord), _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws {
        let place = Int(slot.record.offset)
        let head = place - SegmentFormat.slotHeaderSize
        let found = SegmentFormat.readSlotHeader(
            bytes.slice((head - start)..<(place - start)), segment: id, at: head)
        guard let found, found.slot == slot.number, found.record == slot.record else {
            throw SegmentFormat.damaged(id, "the header of slot \(slot.number) is damaged")
        }
        let payload = bytes.slice((place - start)..<(place - start + Int(slot.record.length)))
        guard BlockHash.hash(payload) == slot.record.hash else {
            throw SegmentFormat.damaged(id, "slot \(slot.number) does not match its hash")
        }
    }
}
