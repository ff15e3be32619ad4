import Core

/// Gives an end to a segment that a crash left without one.
enum SegmentRecovery {
    /// Scans segment `id`, drops a torn tail, writes directory and footer. Returns the segment's size in bytes.
    ///
    /// A slot counts if its header and its hash hold; the first that does not is where the writer was when it died, and
    /// nothing behind it was ever synced (I6).
    static func seal(id: UInt64, size: Int, in objects: any ObjectStore) throws -> Int {
        let name = SegmentFormat.name(id, sealed: false)
        let (records, end) = try scan(id: id, reader: try objects.open(name))
        let object = try objects.resume(name, keeping: end)
        var start = end
        if end == 0 {
            let header = AlignedBuffer(capacity: 4096)
            SegmentFormat.writeHeader(id: id, to: header.bytes)
            try object.write(UnsafeRawBufferPointer(rebasing: header.bytes[0..<SegmentFormat.headerSize]), at: 0)
            start = SegmentFormat.headerSize
        }
        let ending = SegmentFormat.ending(id: id, records: records, at: start)
        try ending.withUnsafeBytes { try object.write($0, at: start) }
        try object.finish(size: start + ending.count, as: SegmentFormat.name(id, sealed: true))
        return start + ending.count
    }

    /// The slots that hold, and where the last one ends; 0 if not even the segment's header holds. An earlier scan's
    /// `known` slots, which ended at `start`, are not looked at again.
    static func scan(
        id: UInt64, reader: any ReadableObject, after known: [SlotRecord] = [], from start: Int = 0
    ) throws -> (records: [SlotRecord], end: Int) {
        let size = reader.size
        var records = known
        var end = start
        if start == 0 {
            guard size >= SegmentFormat.headerSize else { return ([], 0) }
            let header = try [UInt8](reading: SegmentFormat.headerSize) { try reader.readFully(into: $0, at: 0) }
            guard try header.withUnsafeBytes({ try SegmentFormat.checkHeader($0, id: id) }) else { return ([], 0) }
            end = SegmentFormat.headerSize
        }
        while end + SegmentFormat.slotHeaderSize <= size {
            let bytes = try [UInt8](reading: SegmentFormat.slotHeaderSize) { try reader.readFully(into: $0, at: end) }
            let found = bytes.withUnsafeBytes { SegmentFormat.readSlotHeader($0, segment: id, at: end) }
            guard let (slot, record) = found,
                slot == records.count, Int(record.offset) + Int(record.length) <= size
            else { break }
            if record.kind != .padding {
                let payload = try [UInt8](reading: Int(record.length)) {
                    try reader.readFully(into: $0, at: Int(record.offset))
                }
                guard payload.withUnsafeBytes({ BlockHash.hash($0) }) == record.hash else { break }
                records.append(record)
            }
            end = Int(record.offset) + Int(record.length)
        }
        return (records, end)
    }
}
