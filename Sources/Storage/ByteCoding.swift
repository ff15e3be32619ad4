import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads integers, digests and runs of bytes from a buffer and throws `dataLoss` where it ends too early.
/// Integers of fixed width are little-endian; varints are LEB128.
struct ByteReader {
    let buffer: UnsafeRawBufferPointer
    var position = 0

    init(_ buffer: UnsafeRawBufferPointer) { self.buffer = buffer }

    var remaining: Int { buffer.count - position }

    @inline(__always)
    mutating func byte() throws -> UInt8 {
        guard position < buffer.count else { throw Self.damaged }
        defer { position += 1 }
        return buffer[position]
    }

    @inline(__always)
    mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
            guard shift < 64 else { throw Self.damaged }
        }
    }

    /// A varint that counts something in memory.
    @inline(__always)
    mutating func count() throws -> Int {
        let value = try varint()
        guard value <= 1 << 40 else { throw Self.damaged }
        return Int(value)
    }

    /// A varint that counts things which follow, each at least a byte long.
    mutating func listCount() throws -> Int {
        let count = try count()
        guard count <= remaining else { throw Self.damaged }
        return count
    }

    @inline(__always)
    mutating func bytes(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw Self.damaged }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: buffer[position..<(position + count)])
    }

    mutating func digest() throws -> Digest { Digest(try bytes(Digest.byteCount)) }

    mutating func pointer() throws -> Pointer {
        let segment = try varint()
        let slot = try varint()
        guard let slot = UInt32(exactly: slot) else { throw Self.damaged }
        return Pointer(segment: segment, slot: slot)
    }

    mutating func uint32() throws -> UInt32 { try bytes(4).uint32(at: 0) }
    mutating func uint64() throws -> UInt64 { try bytes(8).uint64(at: 0) }

    static var damaged: SpileError {
        SpileError(.dataLoss, "stored bytes do not decode", remedy: "run `spile check`")
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func uint32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inline(__always)
    func uint64(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always)
    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}

extension UnsafeMutableRawBufferPointer {
    func store(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
    func store(_ value: UInt64, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
    }
    func store(_ digest: Digest, at offset: Int) {
        storeBytes(of: digest.words.0.bigEndian, toByteOffset: offset, as: UInt64.self)
        storeBytes(of: digest.words.1.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
        storeBytes(of: digest.words.2.bigEndian, toByteOffset: offset + 16, as: UInt64.self)
        storeBytes(of: digest.words.3.bigEndian, toByteOffset: offset + 24, as: UInt64.self)
    }
}

extension [UInt8] {
    @inline(__always)
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func appendVarint(_ value: Int) { appendVarint(UInt64(value)) }

    mutating func appendFixed(_ value: UInt32) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
    mutating func appendFixed(_ value: UInt64) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
    mutating func append(_ digest: Digest) {
        let words = (
            digest.words.0.bigEndian, digest.words.1.bigEndian, digest.words.2.bigEndian, digest.words.3.bigEndian
        )
        Swift.withUnsafeBytes(of: words) { append(contentsOf: $0) }
    }
    mutating func append(_ pointer: Pointer) {
        appendVarint(pointer.segment)
        appendVarint(UInt64(pointer.slot))
    }
}

/// Compares two runs of bytes as `memcmp` does, the shorter first where one begins the other.
@inline(__always)
func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let common = min(a.count, b.count)
    if common > 0 {
        let order = memcmp(a.baseAddress!, b.baseAddress!, common)
        if order != 0 { return Int(order) }
    }
    return a.count - b.count
}

/// The hash that cuts tree nodes: a 64-bit multiply-and-fold over 8-byte words. Part of the format (`docs/FORMAT.md`).
func cutHash(_ bytes: UnsafeRawBufferPointer, level: UInt8) -> UInt64 {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15 &* (UInt64(level) + 1)
    @inline(__always) func fold(_ word: UInt64) {
        let wide = (state ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        state = wide.high ^ wide.low ^ 0xa076_1d64_78bd_642f
    }
    var position = 0
    while position + 8 <= bytes.count {
        fold(bytes.uint64(at: position))
        position += 8
    }
    var last: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count {
        last |= UInt64(bytes[position]) << shift
        shift += 8
        position += 1
    }
    fold(last)
    fold(UInt64(bytes.count))
    return state
}

/// FNV-1a, 64 bits: guards fixed-size headers against damage, not against malice.
func headerCheck(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    var state: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
    for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return state
}

/// Writes to memory that is known to be large enough.
struct RawWriter {
    /// Where the next byte goes.
    private(set) var target: UnsafeMutableRawPointer

    init(_ target: UnsafeMutableRawPointer) { self.target = target }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        target.storeBytes(of: value, as: UInt8.self)
        target += 1
    }

    @inline(__always)
    mutating func varint(_ value: Int) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard let base = source.baseAddress else { return }
        memcpy(target, base, source.count)
        target += source.count
    }

    @inline(__always)
    mutating func fixed(_ value: UInt32) {
        target.storeBytes(of: value.littleEndian, as: UInt32.self)
        target += 4
    }

    @inline(__always)
    mutating func fixed(_ value: UInt64) {
        target.storeBytes(of: value.littleEndian, as: UInt64.self)
        target += 8
    }
}

/// How many bytes two runs have in common at their starts.
@inline(__always)
func commonPrefix(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let limit = min(a.count, b.count)
    var count = 0
    while count + 8 <= limit {
        let difference = a.uint64(at: count) ^ b.uint64(at: count)
        if difference != 0 { return count + difference.trailingZeroBitCount / 8 }
        count += 8
    }
    while count < limit, a[count] == b[count] { count += 1 }
    return count
}

/// Whether any byte is zero.
@inline(__always)
func holdsZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 0 && memchr(bytes.baseAddress!, 0, bytes.count) != nil
}

/// `memmove`: the two runs may overlap.
@inline(__always)
func memmoveBytes(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int) {
    memmove(target, source, count)
}
