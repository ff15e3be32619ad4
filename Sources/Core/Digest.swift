/// A SHA-256 over logical content: equal digests, equal data, on any server.
package struct Digest: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// The 32 bytes as four big-endian words, so that a digest is a plain value without heap storage.
    package var words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32

    /// All zero bytes: stands for "nothing there" and is never the hash of anything we store.
    package static let zero = Digest(words: (0, 0, 0, 0))

    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Takes the first 32 bytes of `bytes`; traps if there are fewer.
    package init(_ bytes: some Sequence<UInt8>) {
        var parts: [UInt64] = [0, 0, 0, 0]
        var count = 0
        for byte in bytes.prefix(Self.byteCount) {
            parts[count >> 3] = parts[count >> 3] << 8 | UInt64(byte)
            count += 1
        }
        precondition(count == Self.byteCount, "a digest has 32 bytes")
        words = (parts[0], parts[1], parts[2], parts[3])
    }

    /// Reads 32 bytes at `offset` of `buffer`.
    package init(_ buffer: UnsafeRawBufferPointer, at offset: Int = 0) {
        words = (
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
        )
    }

    /// Reads 64 hex digits; nil for anything else.
    package init?(hex text: String) {
        guard text.utf8.count == 2 * Self.byteCount, let bytes = Hex.decode(text) else { return nil }
        self.init(bytes)
    }

    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                result.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return result
    }

    package static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }
    package static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// 64 lower-case hex digits.
    package var description: String { Hex.encode(bytes) }
}

/// Lower-case hexadecimal.
package enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` spells, or nil if it is not an even run of hex digits.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 2)
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = value(characters[index]), let low = value(characters[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// What one digit stands for.
    static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
