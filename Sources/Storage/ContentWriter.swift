import Core

/// Turns files' bytes into entries, one file at a time, through a slot writer. One owner, one thread.
///
/// The bytes of the present chunk are gathered in the writer's own buffer (`area`), so a chunk is copied once. Ends of
/// files that are shorter than 64 KiB go to a pack; until it is written, entries point at a placeholder (a segment that
/// cannot exist) which ``resolve(_:)`` turns into the real pointer.
final class ContentWriter {
    static let packSize = 1 << 20
    private static let placeholder = UInt64.max

    private let slots: SlotStore
    private let writer: SlotWriter

    // The file being written.
    private var parts: PartsBuilder
    private var area: UnsafeMutableRawPointer?
    /// Chunk offset of the area's first byte, a multiple of the block size; what lies before is only in `fragments`.
    private var areaStart = 0
    private var filled = 0
    /// Chunk offset up to which the bytes are stored already, as `fragments`.
    private var stored = 0
    private var fragments: [Fragment] = []
    private var blocks: [Digest] = []

    // The pack being gathered.
    private var pack: [UInt8] = []
    private var packs: [Pointer] = []

    init(slots: SlotStore, writer: SlotWriter) {
        self.slots = slots
        self.writer = writer
        parts = PartsBuilder(slots: slots, writer: writer)
    }

    // MARK: One file

    /// Starts a new file.
    func begin() {
        parts = PartsBuilder(slots: slots, writer: writer)
        startChunk()
    }

    /// Goes on behind the content of `entry`; reads at most its last 128 KiB.
    func resume(_ entry: FileEntry) throws {
        parts = try PartsBuilder(resuming: entry.parts, slots: slots, writer: writer)
        try resumeTail(entry)
    }

    private func resumeTail(_ entry: FileEntry) throws {
        startChunk()
        let length = entry.tailLength
        fragments = entry.tail
        blocks = entry.tailBlocks
        stored = length
        areaStart = length / BlockHash.blockSize * BlockHash.blockSize
        if areaStart > 0, length - areaStart < Chunker.window { areaStart -= BlockHash.blockSize }
        guard length > areaStart else { return }
        let area = try openArea()
        filled = length - areaStart
        let bytes = UnsafeMutableRawBufferPointer(start: area, count: filled)
        try readFragments(from: areaStart, into: bytes)
    }

    private func startChunk() {
        areaStart = 0
        filled = 0
        stored = 0
        fragments = []
        blocks.removeAll(keepingCapacity: true)
    }

    private func openArea() throws -> UnsafeMutableRawPointer {
        if let area { return area }
        let new = try writer.reserve(Chunker.maximum)
        area = new
        return new
    }

    private func closeArea() {
        if area != nil { writer.cancel() }
        area = nil
    }

    /// Appends bytes to the file.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var position = 0
        while position < bytes.count {
            // In steps of a block, so that copying, cutting and hashing find the bytes in the cache.
            let room = BlockHash.blockSize - (areaStart + filled) % BlockHash.blockSize
            let step = bytes.slice(position..<min(bytes.count, position + room))
            let area = try openArea()
            let known = areaStart + filled
            (area + filled).copyMemory(from: step.baseAddress!, byteCount: step.count)
            let cut = Chunker.cut(area, from: areaStart, known: known, count: known + step.count)
            filled = (cut ?? known + step.count) - areaStart
            position += areaStart + filled - known
            hashFullBlocks()
            if cut != nil { try closeChunk() }
        }
    }

    /// Appends a chunk that is stored, as ``FileCutter`` cuts it; false where there is none such, or what is there of
    /// the file does not end with a chunk.
    func append(chunk hash: Digest, length: Int) throws -> Bool {
        guard areaStart + filled == 0, let pointer = writer.known(hash), try slots.record(pointer).length == length
        else { return false }
        try parts.append(Part(length: UInt32(length), pointer: pointer, hash: hash))
        return true
    }

    private func hashFullBlocks() {
        while (blocks.count + 1) * BlockHash.blockSize <= areaStart + filled {
            let at = blocks.count * BlockHash.blockSize - areaStart
            blocks.append(BlockHash.sha256(UnsafeRawBufferPointer(start: area! + at, count: BlockHash.blockSize)))
        }
    }

    /// Hash of the open chunk as it stands; zero if it is empty.
    private func openHash() -> Digest {
        let length = areaStart + filled
        guard length > 0 else { return .zero }
        let full = blocks.count * BlockHash.blockSize
        guard full < length else { return BlockHash.combine(blocks, last: nil) }
        let last = UnsafeRawBufferPointer(start: area! + (full - areaStart), count: length - full)
        return BlockHash.combine(blocks, last: BlockHash.sha256(last))
    }

    private func closeChunk() throws {
        try loadAll()
        let hash = openHash()
        let length = filled
        let pointer = try storeArea(length: length, hash: hash)
        try parts.append(Part(length: UInt32(length), pointer: pointer, hash: hash))
        startChunk()
    }

    /// Makes the first `length` bytes of the area a chunk slot, unless it is known.
    private func storeArea(length: Int, hash: Digest) throws -> Pointer {
        if let known = writer.known(hash) {
            closeArea()
            return known
        }
        area = nil
        let pointer = try writer.commit(.chunk, length: length, hash: hash)
        writer.remember(hash, pointer)
        return pointer
    }

    /// Brings the part of the open chunk that is only stored into the area.
    private func loadAll() throws {
        guard areaStart > 0 else { return }
        let area = try openArea()
        memmoveBytes(area + areaStart, area, filled)
        let missing = areaStart
        filled += areaStart
        areaStart = 0
        try readFragments(from: 0, into: UnsafeMutableRawBufferPointer(start: area, count: missing))
    }

    /// Reads stored bytes of the open chunk from chunk offset `start`.
    private func readFragments(from start: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        var offset = 0
        let end = start + buffer.count
        for fragment in fragments {
            let from = max(start, offset)
            let to = min(end, offset + Int(fragment.length))
            if from < to {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[(from - start)..<(to - start)])
                try read(fragment.pointer, offset: Int(fragment.offset) + from - offset, into: part)
            }
            offset += Int(fragment.length)
        }
        guard offset >= end else { throw ByteReader.damaged }
    }

    /// Ends the file: stores what is new in its tail, merging small pieces before it, and gives the entry.
    func finish() throws -> FileEntry {
        let tailHash = openHash()
        let length = areaStart + filled
        if length > stored {
            let (start, swallowed) = mergeStart()
            if start < areaStart { try loadAll() }
            fragments.removeLast(swallowed)
            let fragment = try storeTail(from: start, to: length, whole: start == 0 ? tailHash : nil)
            fragments.append(fragment)
        }
        closeArea()
        let list = try parts.finish()
        let entry = FileEntry(parts: list, tail: fragments, tailBlocks: blocks, tailHash: tailHash)
        startChunk()
        return entry
    }

    /// Forgets the file being written.
    func discard() {
        closeArea()
        begin()
    }

    /// Which pieces the new one shall swallow: where the merged piece starts and how many of the last pieces it
    /// replaces. Sizes fall in classes of powers of four; of each class at most three pieces stay, so n bytes never lie
    /// in more than 3 log4 n pieces.
    private func mergeStart() -> (start: Int, swallowed: Int) {
        var start = stored
        var kept = fragments.count
        let end = areaStart + filled
        while true {
            let limit = Self.sizeClass(end - start)
            var run = 0
            while run < kept, Self.sizeClass(Int(fragments[kept - 1 - run].length)) <= limit { run += 1 }
            guard run >= 3 else { return (start, fragments.count - kept) }
            start -= fragments[(kept - run)..<kept].reduce(0) { $0 + Int($1.length) }
            kept -= run
        }
    }

    private static func sizeClass(_ length: Int) -> Int { (Int.bitWidth - length.leadingZeroBitCount + 1) / 2 }

    private func storeTail(from start: Int, to end: Int, whole: Digest?) throws -> Fragment {
        let length = end - start
        let source = area! + (start - areaStart)
        if length < BlockHash.blockSize {
            let fragment = appendToPack(UnsafeRawBufferPointer(start: source, count: length))
            closeArea()
            try flushFullPack()
            return fragment
        }
        if start > areaStart { memmoveBytes(area!, source, length) }
        let hash = whole ?? BlockHash.hash(UnsafeRawBufferPointer(start: area!, count: length))
        let pointer = try storeArea(length: length, hash: hash)
        return Fragment(pointer: pointer, offset: 0, length: UInt32(length))
    }

    // MARK: Whole contents

    /// The entry of a whole file in memory, without a detour for a short one.
    func entry(of bytes: UnsafeRawBufferPointer) throws -> FileEntry {
        if bytes.isEmpty { return .empty }
        guard bytes.count < BlockHash.blockSize else {
            begin()
            try append(bytes)
            return try finish()
        }
        let fragment = appendToPack(bytes)
        try flushFullPack()
        let hash = BlockHash.hash(bytes)
        return FileEntry(parts: .inline([]), tail: [fragment], tailBlocks: [], tailHash: hash)
    }

    /// Appends the content of another entry: its bytes up to the first place where both are cut alike, the rest by
    /// reference.
    func append(_ entry: FileEntry) throws {
        var cursor = try PartsCursor(entry.parts, from: 0, slots: slots)
        while true {
            if areaStart + filled == 0 {
                while let part = try cursor.nextPart() { try parts.append(part) }
                try resumeTail(entry)
                return
            }
            guard let part = try cursor.nextPart() else { break }
            try appendStored(part.pointer, offset: 0, length: Int(part.length))
        }
        for fragment in entry.tail {
            try appendStored(fragment.pointer, offset: Int(fragment.offset), length: Int(fragment.length))
        }
    }

    private func appendStored(_ pointer: Pointer, offset: Int, length: Int) throws {
        let bytes = try [UInt8](reading: length) { try self.read(pointer, offset: offset, into: $0) }
        try bytes.withUnsafeBytes { try append($0) }
    }

    // MARK: Packs

    private func appendToPack(_ bytes: UnsafeRawBufferPointer) -> Fragment {
        if pack.capacity == 0 { pack.reserveCapacity(min(Self.packSize + BlockHash.blockSize, max(4096, bytes.count))) }
        let fragment = Fragment(
            pointer: Pointer(segment: Self.placeholder, slot: UInt32(packs.count)), offset: UInt32(pack.count),
            length: UInt32(bytes.count))
        pack.append(contentsOf: bytes)
        return fragment
    }

    private func flushFullPack() throws {
        if pack.count >= Self.packSize { try flushPack() }
    }

    /// Writes the pack being gathered. Afterwards every placeholder given so far resolves.
    func flushPack() throws {
        guard !pack.isEmpty else { return }
        packs.append(try pack.withUnsafeBytes { try writer.append(.pack, $0) })
        pack.removeAll(keepingCapacity: true)
    }

    /// The real pointer behind a placeholder; any other pointer as it is.
    func resolve(_ pointer: Pointer) -> Pointer {
        pointer.segment == Self.placeholder ? packs[Int(pointer.slot)] : pointer
    }

    private func read(_ pointer: Pointer, offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        if pointer.segment == Self.placeholder, Int(pointer.slot) == packs.count {
            pack.withUnsafeBytes { buffer.copyMemory(from: $0.slice(offset..<(offset + buffer.count))) }
            return
        }
        try slots.read(resolve(pointer), offset: offset, into: buffer)
    }
}
