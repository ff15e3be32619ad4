import Core

/// BLAKE2b with a digest of 32 bytes (RFC 7693), for references that clients verify with it; the store itself hashes
/// with SHA-256. One owner; any number of ``update(_:)``, then one ``finish()``.
package struct Blake2b {
    private static let blockSize = 128
    private static let iv: (SIMD4<UInt64>, SIMD4<UInt64>) = (
        SIMD4(0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1),
        SIMD4(0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179)
    )
    /// Which words of the block each round mixes in, round by round; the last two rounds are the first two again.
    private static let order: [UInt8] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
        11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
        7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
        9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
        2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
        12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
        13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
        6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
        10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
    ]

    private var low: SIMD4<UInt64>
    private var high: SIMD4<UInt64>
    /// The bytes not mixed in yet: the last block is mixed in another way, and which one is last shows at the end.
    private var block: [UInt8] = []
    private var total: UInt64 = 0

    package init() {
        (low, high) = Self.iv
        // The parameters: 32 bytes of digest, no key, one leaf, one level.
        low[0] ^= 0x0101_0020
        block.reserveCapacity(Self.blockSize)
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        while position < bytes.count {
            if block.isEmpty {
                Self.order.withUnsafeBufferPointer { order in
                    while bytes.count - position > Self.blockSize {
                        total += UInt64(Self.blockSize)
                        mix(bytes.baseAddress! + position, order, isLast: false)
                        position += Self.blockSize
                    }
                }
            } else if block.count == Self.blockSize {
                total += UInt64(Self.blockSize)
                mixBlock(isLast: false)
                block.removeAll(keepingCapacity: true)
            }
            let count = min(Self.blockSize - block.count, bytes.count - position)
            block.append(contentsOf: bytes.slice(position..<(position + count)))
            position += count
        }
    }

    /// The digest of everything given so far. The last call.
    package mutating func finish() -> Digest {
        total += UInt64(block.count)
        block.append(contentsOf: repeatElement(0, count: Self.blockSize - block.count))
        mixBlock(isLast: true)
        return Digest(
            words: (low[0].byteSwapped, low[1].byteSwapped, low[2].byteSwapped, low[3].byteSwapped))
    }

    private mutating func mixBlock(isLast: Bool) {
        let full = block
        full.withUnsafeBytes { bytes in
            Self.order.withUnsafeBufferPointer { mix(bytes.baseAddress!, $0, isLast: isLast) }
        }
    }

    private mutating func mix(_ bytes: UnsafeRawPointer, _ order: UnsafeBufferPointer<UInt8>, isLast: Bool) {
        func word(_ index: UInt8) -> UInt64 {
            UInt64(littleEndian: (bytes + Int(index) * 8).loadUnaligned(as: UInt64.self))
        }
        var a = low
        var b = high
        var (c, d) = Self.iv
        d[0] ^= total
        if isLast { d[2] = ~d[2] }
        for round in 0..<12 {
            let at = round % 10 * 16
            func words(_ first: Int) -> SIMD4<UInt64> {
                SIMD4(
                    word(order[at + first]), word(order[at + first + 2]), word(order[at + first + 4]),
                    word(order[at + first + 6]))
            }
            Self.quarter(&a, &b, &c, &d, words(0), words(1))
            b = SIMD4(b[1], b[2], b[3], b[0])
            c = SIMD4(c[2], c[3], c[0], c[1])
            d = SIMD4(d[3], d[0], d[1], d[2])
            Self.quarter(&a, &b, &c, &d, words(8), words(9))
            b = SIMD4(b[3], b[0], b[1], b[2])
            c = SIMD4(c[2], c[3], c[0], c[1])
            d = SIMD4(d[1], d[2], d[3], d[0])
        }
        low ^= a ^ c
        high ^= b ^ d
    }

    @inline(__always)
    private static func quarter(
        _ a: inout SIMD4<UInt64>, _ b: inout SIMD4<UInt64>, _ c: inout SIMD4<UInt64>, _ d: inout SIMD4<UInt64>,
        _ x: SIMD4<UInt64>, _ y: SIMD4<UInt64>
    ) {
        a = a &+ b &+ x
        d = rotated(d ^ a, 32)
        c = c &+ d
        b = rotated(b ^ c, 24)
        a = a &+ b &+ y
        d = rotated(d ^ a, 16)
        c = c &+ d
        b = rotated(b ^ c, 63)
    }

    @inline(__always)
    private static func rotated(_ x: SIMD4<UInt64>, _ count: UInt64) -> SIMD4<UInt64> {
        (x &>> SIMD4(repeating: count)) | (x &<< SIMD4(repeating: 64 - count))
    }
}
