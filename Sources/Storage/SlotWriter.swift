import Core

/// Appends slots to one segment after another. It has one owner, who uses it from one thread at a time; what it has
/// appended can be read by everyone through the store at once and is durable after ``sync()``.
///
/// After a failure every call throws the same error until ``sync()`` has thrown it too: nothing appended since the last
/// successful ``sync()`` exists then, what was synced before is untouched, and the writer goes on in a new segment.
package final class SlotWriter: @unchecked Sendable {
    // Unchecked: every stored property belongs to the owner's thread. What other threads read lives in `OpenSegment`.

    /// Bytes collected before they are handed to the disk.
    static let flushSize = 2 << 20
    /// The largest payload of a slot.
    static let maximumPayload = Chunker.maximum

    private let slots: SlotStore
    private let purpose: ObjectPurpose
    private let capacity: Int
    private let alignment: Int
    private let disk: WriteBehind

    private var segment: OpenSegment?
    private var buffer: AlignedBuffer
    /// Segment offset of the buffer's first byte, and bytes in use.
    private var base = 0
    private var used = 0
    private var nextSlot: UInt32 = 0
    private var reserved = false
    /// Slots of the present segment that are durable.
    private var durableSlots = 0
    private var dirty = false
    private var failure: (any Error)?
    /// Chunks written since the last sync: findable for all once they are durable.
    private var fresh: [(hash: Digest, pointer: Pointer)] = []
    private var freshIndex: [Digest: Pointer] = [:]
    /// Segments that are full and wait for the bytes that were handed over to be kept.
    private var full: [(segment: OpenSegment, end: Int)] = []
    /// Whether bytes were handed over of which it is not known yet that they are kept.
    private var isUnconfirmed = false

    init(slots: SlotStore, purpose: ObjectPurpose, capacity: Int, threaded: Bool) {
        self.slots = slots
        self.purpose = purpose
        self.capacity = capacity
        alignment = purpose == .bulk ? slots.objects.properties.alignment : 1
        disk = WriteBehind(depth: 3, threaded: threaded)
        buffer = AlignedBuffer(capacity: Self.bufferSize)
    }

    deinit { disk.stop() }

    static let bufferSize = flushSize + maximumPayload + (64 << 10)

    // MARK: Appending

    /// Appends a slot and returns its pointer. `hash` is ``BlockHash/hash(_:)`` of the payload, computed if not given.
    func append(_ kind: SlotKind, _ payload: UnsafeRawBufferPointer, hash: Digest? = nil) throws -> Pointer {
        let target = try reserve(payload.count)
        if let source = payload.baseAddress { target.copyMemory(from: source, byteCount: payload.count) }
        return try commit(kind, length: payload.count, hash: hash ?? BlockHash.hash(payload))
    }

    /// Room for a payload of up to `count` bytes, to be filled in place and then committed or cancelled, before
    /// anything else is appended.
    func reserve(_ count: Int) throws -> UnsafeMutableRawPointer {
        guard !reserved else { throw SpileError.bug("a slot is being filled already") }
        guard count <= Self.maximumPayload else {
            throw SpileError.invalid("\(count) bytes do not fit in a slot, which holds \(Self.maximumPayload)")
        }
        if let failure { throw failure }
        do {
            try makeRoom(count)
        } catch {
            failure = error
            throw error
        }
        reserved = true
        return buffer.bytes.baseAddress! + used + SegmentFormat.slotHeaderSize
    }

    func cancel() { reserved = false }

    /// Makes the first `length` reserved bytes a slot.
    func commit(_ kind: SlotKind, length: Int, hash: Digest) throws -> Pointer {
        guard reserved, let segment else { throw SpileError.bug("a slot was committed without room for it") }
        reserved = false
        let offset = base + used
        let header = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[used..<(used + SegmentFormat.slotHeaderSize)])
        SegmentFormat.writeSlotHeader(
            segment: segment.id, at: offset, slot: nextSlot, kind: kind, length: length, hash: hash, to: header)
        used += SegmentFormat.slotHeaderSize + length
        let pointer = Pointer(segment: segment.id, slot: nextSlot)
        nextSlot += 1
        dirty = true
        let record = SlotRecord(
            offset: UInt32(offset + SegmentFormat.slotHeaderSize), length: UInt32(length), kind: kind, hash: hash)
        publish(record, in: segment)
        slots.counters.slots(1, bytes: length)
        return pointer
    }

    /// Records a slot and how far the buffer is filled, for readers.
    private func publish(_ record: SlotRecord?, in segment: OpenSegment) {
        let region = OpenSegment.Region(offset: base, count: used, buffer: buffer)
        segment.state.withLock { state in
            if let record { state.records.append(record) }
            if let last = state.memory.indices.last, state.memory[last].buffer === region.buffer {
                state.memory[last] = region
            } else {
                state.memory.append(region)
            }
        }
    }

    // MARK: Known chunks

    /// Where a chunk of this hash is stored already, durably or by this writer since its last sync.
    func known(_ hash: Digest) -> Pointer? { freshIndex[hash] ?? slots.known(hash) }

    /// Makes a chunk just written findable: for this writer now, for all once it is durable.
    func remember(_ hash: Digest, _ pointer: Pointer) {
        fresh.append((hash, pointer))
        freshIndex[hash] = pointer
    }

    // MARK: Durability

    /// Makes everything appended durable: one write and one sync. Called once per batch. If it throws, nothing appended
    /// since the last success exists; `resourceExhausted` and `unavailable` may be retried with new appends.
    ///
    /// With `keep`, one of ``confirm()`` and ``rollback()`` follows. Where the store leaves durability to its caller,
    /// `keep` gets the bytes, and what was appended is durable when these are: that is what `confirm` says.
    package func sync(keep: ((PendingBytes) throws -> Void)? = nil) throws {
        if reserved { failure = failure ?? SpileError.bug("a slot is being filled while its segment is synced") }
        if failure == nil, dirty {
            do {
                try settle(keep)
                slots.counters.synced()
            } catch {
                failure = error
            }
        }
        if let failure {
            rollback()
            throw failure
        }
        dirty = false
        durableSlots = Int(nextSlot)
        if keep == nil { confirm() }
    }

    private func settle(_ keep: ((PendingBytes) throws -> Void)?) throws {
        if purpose == .bulk, slots.objects.properties.isShared {
            // Others are to read it soon, and its end costs no more than a sync.
            try seal()
            return try disk.drain()
        }
        try flush(pad: true)
        try disk.drain()
        for segment in full.map(\.segment) + [segment].compactMap({ $0 }) {
            guard let keep, segment.object.handsOver else {
                try segment.object.sync()
                continue
            }
            isUnconfirmed = true
            if let pending = try segment.object.handOver() { try keep(pending) }
        }
    }

    /// What ``sync(keep:)`` handed over is kept, durably.
    package func confirm() {
        isUnconfirmed = false
        // Not before: whoever found them would refer to bytes that may never be kept.
        for (hash, pointer) in fresh { slots.remember(hash, pointer) }
        fresh.removeAll(keepingCapacity: true)
        freshIndex.removeAll(keepingCapacity: true)
        for (segment, end) in full { slots.finishLater(segment, end: end) }
        full.removeAll()
    }

    /// Gives up everything appended since the last sync. After a failure the segment goes with it; else what was
    /// appended stays there as garbage, and whoever comes next goes on behind it.
    package func rollback() {
        reserved = false
        // Of what was handed over it may not be known whether it was kept: whoever needs it looks there.
        if failure != nil || isUnconfirmed || !full.isEmpty { abandonSegment() }
        failure = nil
        fresh.removeAll()
        freshIndex.removeAll()
    }

    /// Gives up a segment on which a write failed, with everything since the last sync, so that whoever comes next does
    /// not get the error of another. A writer that has not failed is left alone, with what it appended.
    package func forgetFailure() {
        if failure != nil { rollback() }
    }

    /// The segment is never written or synced again: after a failed sync the kernel may have dropped dirty pages.
    private func abandonSegment() {
        disk.reset()
        if let segment {
            let keep = durableSlots
            segment.state.withLock { state in
                state.memory.removeAll()
                if state.records.count > keep { state.records.removeLast(state.records.count - keep) }
            }
            slots.abandoned(segment)
        }
        for (segment, _) in full { slots.abandoned(segment) }
        full.removeAll()
        isUnconfirmed = false
        segment = nil
        dirty = false
        fresh.removeAll()
        freshIndex.removeAll()
    }

    /// Seals the present segment, so that the next slot opens a new one and a collection can look at this one. If it
    /// throws, the writer has failed, as after any other call.
    package func rotate() throws {
        if let failure { throw failure }
        guard segment != nil, nextSlot > 0 else { return }
        do {
            try seal()
            try disk.drain()
        } catch {
            failure = error
            throw error
        }
    }

    /// Seals the present segment and ends the writer. The last call.
    func close() throws {
        defer { disk.stop() }
        if dirty { try sync() }
        guard segment != nil else { return }
        do {
            try seal()
            try disk.drain()
            confirm()
        } catch {
            abandonSegment()
            throw error
        }
    }

    // MARK: Segments and buffers

    private func makeRoom(_ count: Int) throws {
        let size = SegmentFormat.slotHeaderSize + count
        if segment != nil {
            let ending = SegmentFormat.footerSize + (Int(nextSlot) + 1) * SegmentFormat.recordSize + 2 * 4096
            if base + used + size + ending > capacity, nextSlot > 0 { try seal() }
        }
        if segment == nil { try openSegment() }
        if used >= Self.flushSize || used + size > buffer.bytes.count { try flush(pad: false) }
    }

    private func openSegment() throws {
        let new = try slots.createSegment(capacity: capacity, purpose: purpose)
        segment = new
        base = 0
        nextSlot = 0
        durableSlots = 0
        used = SegmentFormat.headerSize
        SegmentFormat.writeHeader(id: new.id, to: buffer.bytes)
        publish(nil, in: new)
    }

    /// Hands the buffer to the disk. With `pad` all of it, filled up to the next aligned offset; else its aligned part,
    /// and the rest moves to the next buffer.
    private func flush(pad: Bool) throws {
        guard let segment else { return }
        if pad, used % alignment != 0 { addPadding(segment) }
        if purpose == .small {
            try writeSmall(segment)
            return
        }
        let whole = used / alignment * alignment
        guard whole > 0 else { return }
        let next = try nextBuffer()
        let rest = used - whole
        if rest > 0 { next.bytes.baseAddress!.copyMemory(from: buffer.bytes.baseAddress! + whole, byteCount: rest) }
        let region = OpenSegment.Region(offset: base, count: whole, buffer: buffer)
        segment.state.withLock { state in
            if let last = state.memory.indices.last { state.memory[last].count = whole }
        }
        try submitWrite(segment, region)
        buffer = next
        base += whole
        used = rest
        publish(nil, in: segment)
    }

    /// A small segment is written from its first unwritten byte on, whatever its alignment.
    private func writeSmall(_ segment: OpenSegment) throws {
        guard used > 0 else { return }
        try segment.object.write(UnsafeRawBufferPointer(rebasing: buffer.bytes[0..<used]), at: base)
        slots.counters.wrote(used)
        base += used
        used = 0
        segment.state.withLock { $0.memory.removeAll() }
    }

    private func submitWrite(_ segment: OpenSegment, _ region: OpenSegment.Region) throws {
        let job = try disk.submit { [slots] in
            let bytes = UnsafeRawBufferPointer(rebasing: region.buffer.bytes[0..<region.count])
            try segment.object.write(bytes, at: region.offset)
            slots.counters.wrote(region.count)
            segment.state.withLock { state in state.memory.removeAll { $0.buffer === region.buffer } }
        }
        inFlight.append((region.buffer, job))
    }

    /// Buffers handed to the disk and the jobs that write them, oldest first.
    private var inFlight: [(buffer: AlignedBuffer, job: Int)] = []

    /// A buffer to be filled: of three, one is filled while two are on their way, so that one slow write does not hold
    /// up the caller. Waits for the oldest alone.
    private func nextBuffer() throws -> AlignedBuffer {
        if inFlight.count < 2 { return AlignedBuffer(capacity: Self.bufferSize) }
        try disk.wait(for: inFlight[0].job)
        return inFlight.removeFirst().buffer
    }

    private func addPadding(_ segment: OpenSegment) {
        var gap = alignment - used % alignment
        if gap < SegmentFormat.slotHeaderSize { gap += alignment }
        let area = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[used..<(used + gap)])
        area.initializeMemory(as: UInt8.self, repeating: 0)
        SegmentFormat.writeSlotHeader(
            segment: segment.id, at: base + used, slot: nextSlot, kind: .padding,
            length: gap - SegmentFormat.slotHeaderSize, hash: .zero, to: area)
        used += gap
        publish(nil, in: segment)
    }

    /// Writes out what is left, then directory and footer; then the segment gets its final name. All of it is durable
    /// once the queue has drained.
    private func seal() throws {
        guard let segment else { return }
        try flush(pad: true)
        let end = base + used
        if segment.object.handsOver {
            full.append((segment, end))
            self.segment = nil
            return
        }
        let records = segment.state.withLock { $0.records }
        let ending = SegmentFormat.ending(id: segment.id, records: records, at: end)
        let room = (ending.count + 4095) / 4096 * 4096
        let tail = AlignedBuffer(capacity: room)
        tail.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        tail.bytes.copyBytes(from: ending)
        let count = purpose == .bulk ? room : ending.count
        try disk.submit { [slots] in
            try segment.object.write(UnsafeRawBufferPointer(rebasing: tail.bytes[0..<count]), at: end)
            slots.counters.wrote(count)
            let size = end + ending.count
            try segment.object.finish(size: size, as: SegmentFormat.name(segment.id, sealed: true))
            slots.sealed(segment, size: size)
        }
        self.segment = nil
    }
}
