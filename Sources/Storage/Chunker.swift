import Core

/// Cuts a run of bytes by its content (FastCDC family): a rolling gear hash over the last 64 bytes, looked at only
/// between the least and the greatest chunk size. The state is started anew after each cut, so where a chunk ends
/// depends on its own bytes alone.
struct Chunker {
    /// No chunk but the last of a file is shorter.
    static let minimum = 256 << 10
    /// Up to here a cut needs 21 zero bits, from here on 19: sizes gather round the mean.
    static let normal = 1 << 20
    /// No chunk is longer.
    static let maximum = 4 << 20
    /// Bytes the gear hash depends on.
    static let window = 64

    private static let strict: UInt64 = 1 << (64 - 21)
    private static let loose: UInt64 = 1 << (64 - 19)

    /// `gear[b]`: the first 8 bytes, big-endian, of SHA-256("spile gear 1" ++ b).
    static let gear: [UInt64] = (0..<256).map { byte in
        let text = Array("spile gear 1".utf8) + [UInt8(byte)]
        return text.withUnsafeBytes { BlockHash.sha256($0).words.0 }
    }

    /// Bytes of the chunk seen so far.
    private(set) var position = 0
    private var state: UInt64 = 0

    /// A chunk of which `position` bytes are known; `last` holds at least its last 64 bytes (all, if it is shorter).
    init(resumingAt position: Int, last: UnsafeRawBufferPointer) {
        self.position = position
        let start = max(Self.minimum - Self.window, position - Self.window)
        guard position > start else { return }
        for byte in last[(last.count - (position - start))...] { state = (state << 1) &+ Self.gear[Int(byte)] }
    }

    init() {}

    /// Takes bytes up to and including the next cut, or all. Returns how many were taken and whether the last ends the
    /// chunk; the chunker is then ready for the next chunk.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> (taken: Int, cut: Bool) {
        let limit = min(bytes.count, Self.maximum - position)
        var index = min(limit, max(0, Self.minimum - Self.window - position))
        Self.gear.withUnsafeBufferPointer { gear in
            let table = gear.baseAddress!
            // Up to the minimum the hash only warms up.
            let warm = min(limit, max(0, Self.minimum - position))
            while index < warm {
                state = (state << 1) &+ table[Int(bytes[index])]
                index += 1
            }
        }
        var cut = false
        if index < limit {
            let middle = min(limit, max(index, Self.normal - position))
            cut = roll(bytes, &index, to: middle, below: Self.strict)
            if !cut { cut = roll(bytes, &index, to: limit, below: Self.loose) }
        }
        if !cut, position + index == Self.maximum { cut = true }
        if cut { self = Chunker() } else { position += index }
        return (index, cut)
    }

    /// Rolls from `index` to `end`; stops behind the first byte at which the hash falls below `bound`.
    @inline(__always)
    private mutating func roll(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, to end: Int, below bound: UInt64
    ) -> Bool {
        guard index < end else { return false }
        return Self.gear.withUnsafeBufferPointer { gear in
            let table = gear.baseAddress!
            let data = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            var hash = state
            var at = index
            // Four bytes a turn: the sums of table words do not wait for the hash, which keeps the chain short.
            while at + 4 <= end {
                let a = table[Int(data[at])]
                let b = table[Int(data[at + 1])]
                let c = table[Int(data[at + 2])]
                let d = table[Int(data[at + 3])]
                let ab = (a << 1) &+ b
                let abc = (ab << 1) &+ c
                let abcd = (abc << 1) &+ d
                let one = (hash << 1) &+ a
                let two = (hash << 2) &+ ab
                let three = (hash << 3) &+ abc
                let four = (hash << 4) &+ abcd
                if min(min(one, two), min(three, four)) < bound {
                    let offset = one < bound ? 1 : two < bound ? 2 : three < bound ? 3 : 4
                    index = at + offset
                    return true
                }
                hash = four
                at += 4
            }
            while at < end {
                hash = (hash << 1) &+ table[Int(data[at])]
                at += 1
                if hash < bound {
                    index = at
                    return true
                }
            }
            state = hash
            index = at
            return false
        }
    }
}
