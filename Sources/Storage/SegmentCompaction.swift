import Core

/// Writes a sealed segment anew without its dead slots, under the same name and with the same slot numbers, so that
/// pointers stay valid. Live slots are checked on the way: damage is never copied into a sound segment.
struct SegmentCompaction {
    let slots: SlotStore
    let id: UInt64

    /// Returns the new size in bytes. Throws `dataLoss`, and leaves the segment as it is, where a live slot is damaged;
    /// `failedPrecondition` for a segment of a newer format.
    func rewrite(isDead: (Pointer) -> Bool) throws -> Int {
        let old = try slots.sealedSegment(id)
        try checkHeader(old.reader)
        var records = old.records
        var size = SegmentFormat.headerSize + records.count * SegmentFormat.recordSize + SegmentFormat.footerSize
        for index in records.indices where records[index].kind != .dead {
            if isDead(Pointer(segment: id, slot: UInt32(index))) {
                records[index] = SlotRecord(offset: 0, length: 0, kind: .dead, hash: .zero)
            } else {
                size += SegmentFormat.slotHeaderSize + Int(records[index].length)
            }
        }
        // A whole new object takes the name: who reads the old one, or holds it by a hard link, keeps it as it was.
        try slots.objects.replace(SegmentFormat.name(id, sealed: true), size: size) { append in
            var window = CompactionWindow(alignment: slots.objects.properties.alignment)
            window.place(SegmentFormat.headerSize) { SegmentFormat.writeHeader(id: id, to: $0) }
            for index in records.indices where records[index].kind != .dead {
                try window.makeRoom(SegmentFormat.slotHeaderSize + Int(records[index].length), append)
                records[index] = try copy(UInt32(index), from: old, to: &window)
            }
            try window.end(with: SegmentFormat.ending(id: id, records: records, at: window.position), append)
        }
        try slots.replaced(id, records: records, size: size)
        return size
    }

    private func checkHeader(_ reader: any ReadableObject) throws {
        let header = try [UInt8](reading: SegmentFormat.headerSize) { try reader.readFully(into: $0, at: 0) }
        guard try header.withUnsafeBytes({ try SegmentFormat.checkHeader($0, id: id) }) else {
            throw SegmentFormat.damaged(id, "its header is damaged")
        }
    }

    private func copy(
        _ slot: UInt32, from old: SlotStore.Sealed, to window: inout CompactionWindow
    ) throws -> SlotRecord {
        var record = old.records[Int(slot)]
        let offset = window.position
        try window.place(SegmentFormat.slotHeaderSize + Int(record.length)) { bytes in
            let payload = UnsafeMutableRawBufferPointer(rebasing: bytes[SegmentFormat.slotHeaderSize...])
            try old.reader.readFully(into: payload, at: Int(record.offset))
            guard BlockHash.hash(UnsafeRawBufferPointer(payload)) == record.hash else {
                throw SegmentFormat.damaged(id, "slot \(slot) does not match its hash, so the segment is left as it is")
            }
            SegmentFormat.writeSlotHeader(
                segment: id, at: offset, slot: slot, kind: record.kind, length: Int(record.length), hash: record.hash,
                to: UnsafeMutableRawBufferPointer(rebasing: bytes[..<SegmentFormat.slotHeaderSize]))
        }
        record.offset = UInt32(offset + SegmentFormat.slotHeaderSize)
        return record
    }
}

/// The part of a segment being written anew that is in memory: filled from its start, handed on in aligned pieces.
private struct CompactionWindow {
    /// Of the pieces, in bytes: what the object store likes best.
    let alignment: Int
    private let buffer = AlignedBuffer(capacity: SlotWriter.bufferSize)
    /// Segment offset of the buffer's first byte, and bytes in use.
    private var base = 0
    private var used = 0

    init(alignment: Int) { self.alignment = alignment }

    /// Segment offset of what comes next.
    var position: Int { base + used }

    /// Hands bytes on until `count` more fit.
    mutating func makeRoom(_ count: Int, _ append: (UnsafeRawBufferPointer) throws -> Void) throws {
        if used + count <= SlotWriter.bufferSize { return }
        let whole = used / alignment * alignment
        try append(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<whole]))
        let rest = UnsafeRawBufferPointer(rebasing: buffer.bytes[whole..<used])
        buffer.bytes.baseAddress!.copyMemory(from: rest.baseAddress!, byteCount: rest.count)
        base += whole
        used -= whole
    }

    /// Lets `body` fill the next `count` bytes, for which there has to be room.
    mutating func place(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        try body(UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[used..<(used + count)]))
        used += count
    }

    /// Hands everything on, and `ending` behind it.
    mutating func end(with ending: [UInt8], _ append: (UnsafeRawBufferPointer) throws -> Void) throws {
        var rest = ending[...]
        while !rest.isEmpty {
            let piece = rest.prefix(SlotWriter.flushSize)
            try makeRoom(piece.count, append)
            place(piece.count) { $0.copyBytes(from: piece) }
            rest = rest.dropFirst(piece.count)
        }
        let whole = used / alignment * alignment
        try append(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<whole]))
        try append(UnsafeRawBufferPointer(rebasing: buffer.bytes[whole..<used]))
    }
}
