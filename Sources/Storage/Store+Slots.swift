import Core

extension Store {
    /// Tells of every slot with bytes of files, chunk or pack, segment after segment; with `verified`, after its bytes
    /// were read and found to match their hash.
    ///
    /// Memory: one segment's directory, and one slot. Blocks for as long as reading takes; `body` ends it by throwing.
    /// Slots written meanwhile may be left out, and a segment that goes away meanwhile is. Throws `dataLoss` for the
    /// first slot that is damaged.
    package func forEachContentSlot(
        verified: Bool, _ body: (_ pointer: Pointer, _ length: Int) throws -> Void
    ) throws {
        for id in slots.segmentIDs() {
            guard let records = try slots.records(of: id) else { continue }
            for (index, record) in records.enumerated() where record.kind == .chunk || record.kind == .pack {
                let pointer = Pointer(segment: id, slot: UInt32(index))
                if verified { guard try isSound(pointer, record) else { continue } }
                try body(pointer, Int(record.length))
            }
        }
    }

    /// Reads a slot and throws if it is damaged; false if its writer took it back, or compaction removed it, meanwhile.
    private func isSound(_ pointer: Pointer, _ record: SlotRecord) throws -> Bool {
        do {
            _ = try slots.readVerified(pointer)
            return true
        } catch let error as SpileError where error.code == .dataLoss {
            if (try? slots.record(pointer)) != record { return false }
            throw error
        }
    }
}
