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
        let buffer = AlignedBuffer(capacity: size)
        SegmentFormat.writeHeader(id: id, to: buffer.bytes)
        var end = SegmentFormat.headerSize
        for index in records.indices where records[index].kind != .dead {
            records[index] = try copy(UInt32(index), from: old, to: buffer.bytes, at: end)
            end = Int(records[index].offset) + Int(records[index].length)
        }
        let ending = SegmentFormat.ending(id: id, records: records, at: end)
        precondition(end + ending.count == size, "a compacted segment has the size it was given room for")
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end...]).copyBytes(from: ending)
        // A whole new object takes the name: who reads the old one, or holds it by a hard link, keeps it as it was.
        try slots.objects.replace(
            SegmentFormat.name(id, sealed: true), with: UnsafeRawBufferPointer(rebasing: buffer.bytes[0..<size]))
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
        _ slot: UInt32, from old: SlotStore.Sealed, to buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws -> SlotRecord {
        var record = old.records[Int(slot)]
        let start = offset + SegmentFormat.slotHeaderSize
        let payload = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + Int(record.length))])
        try old.reader.readFully(into: payload, at: Int(record.offset))
        guard BlockHash.hash(UnsafeRawBufferPointer(payload)) == record.hash else {
            throw SegmentFormat.damaged(id, "slot \(slot) does not match its hash, so the segment is left as it is")
        }
        SegmentFormat.writeSlotHeader(
            segment: id, at: offset, slot: slot, kind: record.kind, length: Int(record.length), hash: record.hash,
            to: UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<start]))
        record.offset = UInt32(start)
        return record
    }
}
