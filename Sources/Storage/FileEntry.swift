import Core

/// One closed chunk of a file, a whole slot of its own.
struct Part: Sendable {
    var length: UInt32
    var pointer: Pointer
    /// Hash of the chunk, which is also the hash of its slot.
    var hash: Digest
}

/// A list of closed chunks: few stand in the entry itself, many in a tree of their own.
enum PartList: Sendable {
    case inline([Part])
    /// Rare, and thus kept out of the way: an entry shall be a small value.
    indirect case tree(PartsRoot)

    static let inlineLimit = 8

    var byteCount: UInt64 {
        switch self {
        case .inline(let parts): parts.reduce(0) { $0 + UInt64($1.length) }
        case .tree(let root): root.bytes
        }
    }

    /// Says which chunks there are, in order; zero for none.
    var digest: Digest {
        switch self {
        case .inline(let parts): PartsNode.digest(parts)
        case .tree(let root): root.digest
        }
    }
}

/// A run of bytes inside a slot: a piece of a file's tail.
struct Fragment: Sendable {
    var pointer: Pointer
    var offset: UInt32
    var length: UInt32
}

/// The content of one file: its size and digest, and where its bytes are. A value; equal if the bytes are.
package struct FileEntry: Sendable, Equatable {
    /// Bytes in the file.
    package let size: UInt64
    /// Digest of the file's bytes: the same bytes give the same digest however they were written.
    package let digest: Digest
    let parts: PartList
    /// The bytes behind the last chunk boundary.
    var tail: [Fragment]
    /// Hashes of the tail's full 64 KiB blocks.
    let tailBlocks: [Digest]

    init(parts: PartList, tail: [Fragment], tailBlocks: [Digest], tailHash: Digest) {
        self.parts = parts
        self.tail = tail
        self.tailBlocks = tailBlocks
        size = parts.byteCount + tail.reduce(0) { $0 + UInt64($1.length) }
        digest = Self.digest(size: size, parts: parts.digest, tail: tailHash)
    }

    package static func == (a: FileEntry, b: FileEntry) -> Bool { a.digest == b.digest && a.size == b.size }

    /// The empty file.
    package static let empty = FileEntry(parts: .inline([]), tail: [], tailBlocks: [], tailHash: .zero)

    var tailLength: Int { tail.reduce(0) { $0 + Int($1.length) } }

    private static let domain = Array("spile.file.1".utf8)

    static func digest(size: UInt64, parts: Digest, tail: Digest) -> Digest {
        withUnsafeTemporaryAllocation(byteCount: 84, alignment: 8) { buffer in
            buffer.copyBytes(from: domain)
            buffer.store(size, at: 12)
            buffer.store(parts, at: 20)
            buffer.store(tail, at: 52)
            return BlockHash.sha256(UnsafeRawBufferPointer(buffer))
        }
    }
}

extension FileEntry {
    private static let hasParts: UInt8 = 1
    private static let hasPartsTree: UInt8 = 2
    private static let hasOneFragment: UInt8 = 4
    private static let hasFragments: UInt8 = 8

    /// The entry as stored (`docs/FORMAT.md`); about 45 bytes for a small file. Good for keeping elsewhere, too: it
    /// names slots, which live as long as a root reaches them.
    package var encoded: [UInt8] { encoded { $0 } }

    /// The same with every pointer into a tail's slot passed through `resolve`.
    func encoded(resolve: (Pointer) -> Pointer) -> [UInt8] {
        var flags: UInt8 = 0
        if case .inline(let parts) = parts, !parts.isEmpty { flags |= Self.hasParts }
        if case .tree = parts { flags |= Self.hasPartsTree }
        if tail.count == 1 { flags |= Self.hasOneFragment } else if tail.count > 1 { flags |= Self.hasFragments }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        bytes.append(flags)
        bytes.append(digest)
        bytes.appendVarint(size)
        switch parts {
        case .inline(let parts) where !parts.isEmpty:
            bytes.appendVarint(parts.count)
            for part in parts {
                bytes.appendVarint(UInt64(part.length))
                bytes.append(part.pointer)
                bytes.append(part.hash)
            }
        case .inline: break
        case .tree(let root): root.encode(to: &bytes)
        }
        if tail.count > 1 { bytes.appendVarint(tail.count) }
        for fragment in tail {
            bytes.append(resolve(fragment.pointer))
            bytes.appendVarint(UInt64(fragment.offset))
            if tail.count > 1 { bytes.appendVarint(UInt64(fragment.length)) }
        }
        for block in tailBlocks { bytes.append(block) }
        return bytes
    }

    /// Reads what ``encoded`` gave. Throws `dataLoss` if the bytes are not an entry.
    package init(encoded bytes: [UInt8]) throws { self = try bytes.withUnsafeBytes { try FileEntry($0) } }

    init(_ buffer: UnsafeRawBufferPointer) throws {
        var reader = ByteReader(buffer)
        let flags = try reader.byte()
        digest = try reader.digest()
        size = try reader.varint()
        if flags & Self.hasPartsTree != 0 {
            parts = .tree(try PartsRoot(&reader))
        } else if flags & Self.hasParts != 0 {
            let count = try reader.listCount()
            parts = .inline(try (0..<count).map { _ in
                Part(
                    length: UInt32(truncatingIfNeeded: try reader.varint()), pointer: try reader.pointer(),
                    hash: try reader.digest())
            })
        } else {
            parts = .inline([])
        }
        let closed = parts.byteCount
        guard closed <= size, size - closed <= UInt64(Chunker.maximum) else { throw ByteReader.damaged }
        let tailLength = Int(size - closed)
        if flags & Self.hasOneFragment != 0 {
            let pointer = try reader.pointer()
            guard let offset = UInt32(exactly: try reader.varint()) else { throw ByteReader.damaged }
            tail = [Fragment(pointer: pointer, offset: offset, length: UInt32(tailLength))]
        } else if flags & Self.hasFragments != 0 {
            let count = try reader.listCount()
            tail = try (0..<count).map { _ in
                Fragment(
                    pointer: try reader.pointer(), offset: UInt32(truncatingIfNeeded: try reader.varint()),
                    length: UInt32(truncatingIfNeeded: try reader.varint()))
            }
        } else {
            tail = []
        }
        tailBlocks = try (0..<(tailLength / BlockHash.blockSize)).map { _ in try reader.digest() }
        guard reader.remaining == 0, self.tailLength == tailLength else { throw ByteReader.damaged }
    }

    /// Digest and size of an encoded entry, without decoding the rest.
    static func head(_ buffer: UnsafeRawBufferPointer) throws -> (digest: UnsafeRawBufferPointer, size: UInt64) {
        guard buffer.count >= 34 else { throw ByteReader.damaged }
        var reader = ByteReader(buffer)
        reader.position = 33
        return (buffer.slice(1..<33), try reader.varint())
    }

    /// Size and weight of an encoded entry; at once for the usual one, which has no parts and a short tail.
    @inline(__always)
    static func measure(_ buffer: UnsafeRawBufferPointer) throws -> (size: UInt64, weight: Int) {
        if buffer.count >= 36, buffer[0] & (hasParts | hasPartsTree) == 0 {
            let (a, b, c) = (UInt64(buffer[33]), UInt64(buffer[34]), UInt64(buffer[35]))
            if a < 0x80 { return (a, 48) }
            if b < 0x80 { return (a & 0x7f | b << 7, 48) }
            let size = a & 0x7f | (b & 0x7f) << 7 | c << 14
            if c < 4 { return (size, 48) }
        }
        return (try head(buffer).size, try weight(buffer))
    }

    /// How much an encoded entry counts where nodes are cut: a figure that follows from its content alone, near its
    /// size.
    static func weight(_ buffer: UnsafeRawBufferPointer) throws -> Int {
        var reader = ByteReader(buffer)
        let flags = try reader.byte()
        _ = try reader.bytes(32)
        let size = try reader.varint()
        var closed: UInt64 = 0
        var weight = 48
        if flags & hasPartsTree != 0 {
            closed = try PartsRoot(&reader).bytes
            weight += 48
        } else if flags & hasParts != 0 {
            let count = try reader.count()
            for _ in 0..<count {
                closed += try reader.varint()
                _ = try reader.pointer()
                _ = try reader.bytes(32)
            }
            weight += 44 * count
        } else if size < UInt64(BlockHash.blockSize) {
            return weight
        }
        guard closed <= size else { throw ByteReader.damaged }
        return weight + Int(size - closed) / BlockHash.blockSize * 32
    }
}
