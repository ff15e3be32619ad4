/// The id of a commit, of its commit set and of the transaction that made it: a version 4 UUID, written as 32
/// lower-case hex digits without dashes (`pfs.md` §1.2).
package struct CommitID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A fresh id.
    package init(_ randomness: some Randomness) {
        self.init(randomHigh: randomness.next(), randomLow: randomness.next())
    }

    package init(randomHigh: UInt64, randomLow: UInt64) {
        high = (randomHigh & 0xffff_ffff_ffff_0fff) | 0x4000
        low = (randomLow & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000
    }

    /// Reads the text form; nil unless it is 32 lower-case hex digits with a `4` as the thirteenth.
    package init?(_ text: some StringProtocol) {
        let characters = text.utf8
        guard characters.count == 32 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, character) in characters.enumerated() {
            let digit: UInt64
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(character - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(character - UInt8(ascii: "a") + 10)
            default: return nil
            }
            if index == 12 && digit != 4 { return nil }
            if index < 16 { words.0 = words.0 << 4 | digit } else { words.1 = words.1 << 4 | digit }
        }
        high = words.0
        low = words.1
    }

    package static func < (a: CommitID, b: CommitID) -> Bool { (a.high, a.low) < (b.high, b.low) }

    package var description: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            for index in 0..<32 {
                let word = index < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index & 15))) & 15
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 32
        }
    }
}
