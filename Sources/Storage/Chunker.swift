import Core

/// Where a run of bytes is cut by its content (FastCDC family, `docs/FORMAT.md`, Chunks). Whether a chunk ends behind a
/// byte depends on the 64 bytes up to it and on the chunk's length alone, so equal bytes are cut alike wherever they
/// stand.
///
/// Each place is judged twice: by a sieve over 16 bytes, which vector instructions compute for many places at once and
/// which one place in 4096 passes, and there by a gear hash over 64 bytes.
enum Chunker {
    /// No chunk but the last of a file is shorter or of this length.
    static let minimum = 512 << 10
    /// Up to this length a cut is rarer, beyond it more frequent: lengths gather round the mean.
    static let normal = 1 << 20
    /// No chunk is longer.
    static let maximum = 4 << 20
    /// Bytes that decide about a place; a chunk is never cut where it has fewer.
    static let window = 64

    /// Sums below this pass the sieve.
    private static let sieve: UInt16 = 16
    /// Gear hashes below these cut, up to the normal length and beyond: with the sieve 21 and 19 zero bits.
    private static let strict: UInt64 = 1 << (64 - 9)
    private static let loose: UInt64 = 1 << (64 - 7)

    /// `gear[b]`: the first 8 bytes, big-endian, of SHA-256("spile gear 1" ++ b).
    static let gear: [UInt64] = (0..<256).map { byte in
        let text = Array("spile gear 1".utf8) + [UInt8(byte)]
        return text.withUnsafeBytes { BlockHash.sha256($0).words.0 }
    }

    /// What the sieve multiplies the eight 16-bit words with, the last word's factor first: odd numbers made of the
    /// first 16 bytes of SHA-256("spile sieve 1").
    static let factors: SIMD8<UInt16> = {
        let words = Array("spile sieve 1".utf8).withUnsafeBytes { BlockHash.sha256($0).words }
        var factors = SIMD8<UInt16>()
        for index in 0..<8 {
            let word = index < 4 ? words.0 : words.1
            factors[index] = UInt16(truncatingIfNeeded: word >> UInt64(48 - 16 * (index % 4))) | 1
        }
        return factors
    }()

    /// The length at which a chunk ends, if it does behind one of its bytes `known..<count`. `bytes` points at byte
    /// `start` of the chunk; from there to `count` all are there, at least ``window`` of them before `known`, or all.
    static func cut(_ bytes: UnsafeRawPointer, from start: Int, known: Int, count: Int) -> Int? {
        let first = max(known, minimum) + 1
        let last = min(count, maximum - 1)
        if first <= last {
            let chunk = bytes - start
            if let cut = search(chunk, from: first, through: min(last, normal), below: strict) { return cut }
            if let cut = search(chunk, from: max(first, normal + 1), through: last, below: loose) { return cut }
        }
        return count >= maximum ? maximum : nil
    }

    /// The first length in a range at which a chunk is cut.
    private static func search(
        _ chunk: UnsafeRawPointer, from first: Int, through last: Int, below bound: UInt64
    ) -> Int? {
        let factors = factors
        var length = first
        while length + 31 <= last {
            if mayPass(chunk + length, factors) {
                for one in length..<(length + 32) where isCut(chunk + one, factors, below: bound) { return one }
            }
            length += 32
        }
        while length <= last {
            if isCut(chunk + length, factors, below: bound) { return length }
            length += 1
        }
        return nil
    }

    /// Whether any of 32 places from `end` on passes the sieve.
    @inline(__always)
    private static func mayPass(_ end: UnsafeRawPointer, _ factors: SIMD8<UInt16>) -> Bool {
        let even = sums(end, factors)
        let odd = sums(end + 1, factors)
        let least = even.replacing(with: odd, where: odd .< even)
        return least.min() < sieve
    }

    /// The sieve's sums at `end` and every second place behind it.
    @inline(__always)
    private static func sums(_ end: UnsafeRawPointer, _ factors: SIMD8<UInt16>) -> SIMD16<UInt16> {
        @inline(__always) func words(_ back: Int) -> SIMD16<UInt16> {
            (end - back).loadUnaligned(as: SIMD16<UInt16>.self)
        }
        var sum = words(2) &* factors[0]
        sum &+= words(4) &* factors[1]
        sum &+= words(6) &* factors[2]
        sum &+= words(8) &* factors[3]
        sum &+= words(10) &* factors[4]
        sum &+= words(12) &* factors[5]
        sum &+= words(14) &* factors[6]
        sum &+= words(16) &* factors[7]
        return sum
    }

    /// Whether a chunk that ends before `end` is cut there.
    @inline(__always)
    private static func isCut(_ end: UnsafeRawPointer, _ factors: SIMD8<UInt16>, below bound: UInt64) -> Bool {
        var sum: UInt16 = 0
        for index in 0..<8 {
            let word = (end - 2 - 2 * index).loadUnaligned(as: UInt16.self)
            sum &+= UInt16(littleEndian: word) &* factors[index]
        }
        return sum < sieve && gearHash(end) < bound
    }

    /// The gear hash of the 64 bytes before `end`.
    private static func gearHash(_ end: UnsafeRawPointer) -> UInt64 {
        var hash: UInt64 = 0
        for index in -window..<0 { hash = (hash << 1) &+ gear[Int((end + index).load(as: UInt8.self))] }
        return hash
    }
}
