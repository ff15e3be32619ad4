import Core

/// Reads a run of a file's bytes from its first to its last, a buffer at a time. One owner, one thread.
package struct ContentReader {
    private let slots: SlotStore
    private let entry: FileEntry
    private var cursor: PartsCursor?
    private var part: Part?
    private var partStart: UInt64 = 0
    private var position: UInt64
    private let end: UInt64

    init(_ entry: FileEntry, offset: UInt64, length: UInt64, slots: SlotStore) {
        self.slots = slots
        self.entry = entry
        position = min(offset, entry.size)
        end = position + min(length, entry.size - position)
    }

    /// Bytes not read yet.
    package var remaining: UInt64 { end - position }

    /// The next bytes, at most `maxBytes`; nil at the end. Throws `dataLoss` where stored bytes are missing (a retry
    /// does not help) and `unavailable` where the store does not answer.
    package mutating func next(maxBytes: Int) throws -> [UInt8]? {
        guard position < end else { return nil }
        let count = Int(min(UInt64(max(1, maxBytes)), end - position))
        var copy = self
        let bytes = try [UInt8](reading: count) { try copy.fill($0) }
        self = copy
        return bytes
    }

    /// Fills `buffer` as far as there are bytes; returns how many. 0 at the end.
    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = Int(min(UInt64(buffer.count), end - position))
        try fill(UnsafeMutableRawBufferPointer(rebasing: buffer[0..<count]))
        return count
    }

    private mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) throws {
        let closed = entry.parts.byteCount
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count =
                position < closed ? try readPart(into: rest) : try readTail(into: rest, at: Int(position - closed))
            done += count
            position += UInt64(count)
        }
    }

    private mutating func readPart(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if cursor == nil {
            let new = try PartsCursor(entry.parts, from: position, slots: slots)
            partStart = new.position
            cursor = new
            part = try cursor?.nextPart()
        }
        while let current = part, position >= partStart + UInt64(current.length) {
            partStart += UInt64(current.length)
            part = try cursor?.nextPart()
        }
        guard let current = part else { throw ByteReader.damaged }
        let offset = Int(position - partStart)
        let count = min(buffer.count, Int(current.length) - offset)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<count])
        try slots.read(current.pointer, offset: offset, into: target)
        return count
    }

    private func readTail(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var start = 0
        for fragment in entry.tail {
            let length = Int(fragment.length)
            if offset < start + length {
                let inside = offset - start
                let count = min(buffer.count, length - inside)
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<count])
                try slots.read(fragment.pointer, offset: Int(fragment.offset) + inside, into: part)
                return count
            }
            start += length
        }
        throw ByteReader.damaged
    }
}
