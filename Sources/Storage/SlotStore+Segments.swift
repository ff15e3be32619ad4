import Core

/// Segments as wholes: what collection, snapshots and checks do with them.
extension SlotStore {
    /// The sealed segments with their sizes in bytes.
    var sealedSegments: [UInt64: Int] { state.withLock { $0.sealed } }

    /// The same, with those of other servers.
    func allSealed() throws -> [UInt64: Int] {
        guard objects.properties.isShared else { return sealedSegments }
        let listed = try objects.list().compactMap { listing -> (UInt64, Int)? in
            guard let (id, isSealed) = SegmentFormat.parse(name: listing.name), isSealed else { return nil }
            return (id, listing.size)
        }
        let all = Dictionary(listed, uniquingKeysWith: { $1 })
        state.withLock { $0.sealed = all.merging($0.sealed.filter { all[$0.key] != nil }) { $1 } }
        return all
    }

    /// Which segments there are, in one look: no segment is in neither list.
    var allSegments: (sealed: [UInt64], open: [OpenSegment]) {
        state.withLock { (Array($0.sealed.keys), Array($0.open.values)) }
    }

    func directory(_ id: UInt64) throws -> [SlotRecord] { try sealedSegment(id).records }

    /// Whether a slot is there. Throws nothing: a store that does not answer counts as one that has it.
    func holds(_ pointer: Pointer) -> Bool {
        do { _ = try record(pointer) } catch let error as SpileError where error.code == .dataLoss {
            return false
        } catch {}
        return true
    }

    /// Seals the segments of the idle writers.
    func sealIdle() throws {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        var failure: (any Error)?
        for writer in idle { do { try writer.close() } catch { failure = error } }
        if let failure { throw failure }
    }

    /// Takes over a segment's new object and directory. Readers that hold the old ones go on with them.
    func replaced(_ id: UInt64, records: [SlotRecord], size: Int) throws {
        let reader = try? objects.open(SegmentFormat.name(id, sealed: true))
        state.withLock { state in
            state.versions[id, default: 0] += 1
            state.sealed[id] = size
            // Under the same lock as the version, so that no one who loaded the old directory puts it back.
            if let reader {
                directories.put(id, Sealed(reader: reader, records: records), cost: Self.cost(records))
            } else {
                directories.remove(id)
            }
        }
    }

    // MARK: Segments whose bytes are kept elsewhere

    /// Gives a full segment its end behind the caller's back. All of it up to `end` is kept.
    func finishLater(_ segment: OpenSegment, end: Int) {
        let records = segment.state.withLock { $0.records }
        let ending = SegmentFormat.ending(id: segment.id, records: records, at: end)
        finishing.run { [weak self] in
            // What is written here is no slot, so that a second try may write it again.
            try ending.withUnsafeBytes { try segment.object.write($0, at: end) }
            try segment.object.finish(size: end + ending.count, as: SegmentFormat.name(segment.id, sealed: true))
            guard let self else { return }
            counters.wrote(ending.count)
            sealed(segment, size: end + ending.count)
            state.withLock { $0.finishedTails.append(SegmentFormat.name(segment.id, sealed: false)) }
        }
    }

    /// Whether a segment has the highest id of all that a start would find.
    func isNewest(_ id: UInt64) -> Bool {
        state.withLock { state in !state.sealed.keys.contains { $0 > id } && !state.open.keys.contains { $0 > id } }
    }

    /// Removes a segment.
    func drop(_ id: UInt64) throws {
        try objects.remove(SegmentFormat.name(id, sealed: true))
        state.withLock { state in
            state.versions[id, default: 0] += 1
            state.sealed[id] = nil
            directories.remove(id)
        }
    }

    /// Reads a sealed segment's header, footer and directory from the object, past the cache, and tells what is wrong;
    /// nil if nothing is, or if the segment is no longer there.
    func problem(ofSegment id: UInt64) throws -> String? {
        do {
            let segment = try load(id)
            let header = try [UInt8](reading: SegmentFormat.headerSize) {
                try segment.reader.readFully(into: $0, at: 0)
            }
            guard try header.withUnsafeBytes({ try SegmentFormat.checkHeader($0, id: id) }) else {
                return "its header is damaged"
            }
            let end = segment.reader.size - SegmentFormat.footerSize - segment.records.count * SegmentFormat.recordSize
            let first = SegmentFormat.headerSize + SegmentFormat.slotHeaderSize
            for (slot, record) in segment.records.enumerated() where record.kind != .dead {
                if Int(record.offset) < first || Int(record.offset) + Int(record.length) > end {
                    return "slot \(id):\(slot) lies beyond the segment"
                }
            }
            return nil
        } catch let error as SpileError where error.code == .notFound {
            return state.withLock { $0.sealed[id] } == nil ? nil : "its file is missing"
        } catch let error as SpileError where error.code == .dataLoss {
            return error.message
        }
    }
}
