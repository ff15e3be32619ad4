import Core

/// What a slot holds. Raw values are part of the format.
package enum SlotKind: UInt8, Sendable, CaseIterable {
    /// A chunk of one file, or a long tail.
    case chunk = 1
    /// Ends of several files together.
    case pack = 2
    /// A node of a tree: entries.
    case leaf = 3
    /// A node of a tree: children.
    case inner = 4
    /// A node of a long part list: parts.
    case partsLeaf = 5
    /// A node of a long part list: children.
    case partsInner = 6
    /// A piece of a spilled run of changes: garbage as soon as its stream has ended.
    case run = 7
    /// Was removed by compaction; keeps its number.
    case dead = 8
    /// Fills up to the next aligned offset; has no number.
    case padding = 255
}

/// Where a slot's payload stands in its segment, and what it is.
struct SlotRecord: Sendable, Equatable {
    /// Byte offset of the payload.
    var offset: UInt32
    /// Bytes of payload.
    var length: UInt32
    var kind: SlotKind
    /// ``BlockHash/hash(_:)`` of the payload.
    var hash: Digest
}

/// Fixed-size structures of a segment (`docs/FORMAT.md`).
enum SegmentFormat {
    static let version: UInt32 = 1
    static let headerSize = 64
    static let slotHeaderSize = 56
    static let recordSize = 48
    static let footerSize = 80

    private static let headerMagic: UInt64 = 0x4745_5345_4c49_5053  // "SPILESEG"
    private static let footerMagic: UInt64 = 0x444e_4545_4c49_5053  // "SPILEEND"
    private static let slotMagic: UInt32 = 0x544f_4c53  // "SLOT"

    static func name(_ id: UInt64, sealed: Bool) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + (sealed ? ".seg" : ".open")
    }

    /// The segment a file name stands for, or nil if it is none of ours.
    static func parse(name: String) -> (id: UInt64, sealed: Bool)? {
        let parts = name.split(separator: ".")
        guard parts.count == 2, parts[0].count == 16, let id = UInt64(parts[0], radix: 16) else { return nil }
        switch parts[1] {
        case "seg": return (id, true)
        case "open": return (id, false)
        default: return nil
        }
    }

    static func writeHeader(id: UInt64, to buffer: UnsafeMutableRawBufferPointer) {
        let header = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<headerSize])
        header.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.store(headerMagic, at: 0)
        buffer.store(version, at: 8)
        buffer.store(id, at: 16)
        buffer.store(headerCheck(UnsafeRawBufferPointer(buffer).slice(0..<24)), at: 24)
    }

    /// Throws if the header belongs to a newer format; false if it is not a whole header of segment `id`.
    static func checkHeader(_ buffer: UnsafeRawBufferPointer, id: UInt64) throws -> Bool {
        guard buffer.count >= headerSize, buffer.uint64(at: 0) == headerMagic,
            buffer.uint64(at: 24) == headerCheck(buffer.slice(0..<24))
        else { return false }
        try checkVersion(buffer.uint32(at: 8), id: id)
        return buffer.uint64(at: 16) == id
    }

    private static func checkVersion(_ found: UInt32, id: UInt64) throws {
        guard found <= version else {
            throw SpileError(
                .failedPrecondition,
                "segment \(name(id, sealed: true)) has format \(found), this program knows up to \(version)",
                remedy: "use the newer program that wrote it")
        }
    }

    static func writeSlotHeader(
        segment: UInt64, at offset: Int, slot: UInt32, kind: SlotKind, length: Int, hash: Digest,
        to buffer: UnsafeMutableRawBufferPointer
    ) {
        buffer.store(slotMagic, at: 0)
        buffer.store(UInt32(kind.rawValue), at: 4)
        buffer.store(slot, at: 8)
        buffer.store(UInt32(length), at: 12)
        buffer.store(hash, at: 16)
        let raw = UnsafeRawBufferPointer(buffer)
        buffer.store(headerCheck(raw.slice(0..<48), seed: segment &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(offset)), at: 48)
    }

    /// The slot whose header stands at `offset`, or nil if none does.
    static func readSlotHeader(
        _ buffer: UnsafeRawBufferPointer, segment: UInt64, at offset: Int
    ) -> (slot: UInt32, record: SlotRecord)? {
        guard buffer.count >= slotHeaderSize, buffer.uint32(at: 0) == slotMagic,
            let raw = UInt8(exactly: buffer.uint32(at: 4)), let kind = SlotKind(rawValue: raw),
            buffer.uint64(at: 48)
                == headerCheck(buffer.slice(0..<48), seed: segment &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(offset))
        else { return nil }
        return (
            buffer.uint32(at: 8),
            SlotRecord(
                offset: UInt32(offset + slotHeaderSize), length: buffer.uint32(at: 12), kind: kind,
                hash: Digest(buffer, at: 16))
        )
    }

    /// Directory and footer, to be written at `offset`, the end of the last slot.
    static func ending(id: UInt64, records: [SlotRecord], at offset: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.count * recordSize + footerSize)
        for record in records {
            bytes.appendFixed(record.offset)
            bytes.appendFixed(record.length)
            bytes.appendFixed(UInt32(record.kind.rawValue))
            bytes.appendFixed(UInt32(0))
            bytes.append(record.hash)
        }
        let hash = bytes.withUnsafeBytes { BlockHash.sha256($0) }
        let start = bytes.count
        bytes.appendFixed(footerMagic)
        bytes.appendFixed(version)
        bytes.appendFixed(UInt32(records.count))
        bytes.appendFixed(id)
        bytes.appendFixed(UInt64(offset))
        bytes.append(hash)
        bytes.appendFixed(UInt64(0))
        let check = bytes.withUnsafeBytes { headerCheck($0.slice(start..<(start + 72))) }
        bytes.appendFixed(check)
        return bytes
    }

    struct Footer {
        var count: Int
        var directoryOffset: Int
        var directoryHash: Digest
    }

    static func readFooter(_ buffer: UnsafeRawBufferPointer, id: UInt64) throws -> Footer {
        guard buffer.count == footerSize, buffer.uint64(at: 0) == footerMagic,
            buffer.uint64(at: 72) == headerCheck(buffer.slice(0..<72)), buffer.uint64(at: 16) == id
        else { throw damaged(id, "its footer is damaged") }
        try checkVersion(buffer.uint32(at: 8), id: id)
        return Footer(
            count: Int(buffer.uint32(at: 12)), directoryOffset: Int(buffer.uint64(at: 24)),
            directoryHash: Digest(buffer, at: 32))
    }

    static func readDirectory(_ buffer: UnsafeRawBufferPointer, footer: Footer, id: UInt64) throws -> [SlotRecord] {
        guard BlockHash.sha256(buffer) == footer.directoryHash else { throw damaged(id, "its directory is damaged") }
        return try (0..<footer.count).map { index in
            let at = index * recordSize
            guard let raw = UInt8(exactly: buffer.uint32(at: at + 8)), let kind = SlotKind(rawValue: raw) else {
                throw damaged(id, "slot \(index) is of an unknown kind")
            }
            return SlotRecord(
                offset: buffer.uint32(at: at), length: buffer.uint32(at: at + 4), kind: kind,
                hash: Digest(buffer, at: at + 16))
        }
    }

    static func damaged(_ id: UInt64, _ what: String) -> SpileError {
        SpileError(
            .dataLoss, "segment \(name(id, sealed: true)): \(what)",
            remedy: "run `spile check`; restore the segment from a backup")
    }
}
