/// Incompressible bytes that are the same for the same seed, made faster than a disk takes them.
enum Noise {
    static func fill(_ buffer: UnsafeMutableRawBufferPointer, seed: UInt64) {
        let words = buffer.count / 8
        for index in 0..<words {
            buffer.storeBytes(of: word(seed, UInt64(index)).littleEndian, toByteOffset: index * 8, as: UInt64.self)
        }
        for index in words * 8..<buffer.count { buffer[index] = UInt8(truncatingIfNeeded: word(seed, UInt64(index))) }
    }

    static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            fill(UnsafeMutableRawBufferPointer(buffer), seed: seed)
            filled = count
        }
    }

    /// The `index`th word of a seed's sequence (the mixing of SplitMix64).
    static func word(_ seed: UInt64, _ index: UInt64) -> UInt64 {
        var word = seed &* 0xD134_2543_DE82_EF95 &+ index &* 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
