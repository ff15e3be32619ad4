import Core
import struct Crypto.SHA256

/// SHA-256 as the store uses it: over one run of bytes, or over the hashes of its 64 KiB blocks.
enum BlockHash {
    /// Bytes per block, counted from the start of a chunk, a tail or a slot's payload.
    static let blockSize = 65_536

    @inline(__always)
    static func sha256(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var hasher = SHA256()
        hasher.update(bufferPointer: bytes)
        return hasher.finalize().withUnsafeBytes { Digest($0) }
    }

    /// Hash of a payload: SHA-256 over the SHA-256s of its blocks (one block for an empty payload).
    static func hash(_ payload: UnsafeRawBufferPointer) -> Digest {
        if payload.count <= blockSize { return combine([], last: sha256(payload)) }
        var outer = SHA256()
        var position = 0
        while position < payload.count {
            let end = min(position + blockSize, payload.count)
            var inner = SHA256()
            inner.update(bufferPointer: payload.slice(position..<end))
            inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
            position = end
        }
        return outer.finalize().withUnsafeBytes { Digest($0) }
    }

    /// The same hash from the hashes of its full blocks and, if there is one, of the last and shorter block.
    static func combine(_ blocks: [Digest], last: Digest?) -> Digest {
        var outer = SHA256()
        for block in blocks { update(&outer, block) }
        if let last { update(&outer, last) }
        return outer.finalize().withUnsafeBytes { Digest($0) }
    }

    @inline(__always)
    private static func update(_ hasher: inout SHA256, _ digest: Digest) {
        let words = (
            digest.words.0.bigEndian, digest.words.1.bigEndian, digest.words.2.bigEndian, digest.words.3.bigEndian
        )
        withUnsafeBytes(of: words) { hasher.update(bufferPointer: $0) }
    }
}

/// A sum of 256-bit numbers modulo 2^256: the same for the same set of files, whatever the shape of the tree.
package struct Fingerprint: Hashable, Sendable {
    /// Least significant word first.
    package var words: (UInt64, UInt64, UInt64, UInt64)

    package static let zero = Fingerprint(words: (0, 0, 0, 0))

    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// The number a file adds: SHA-256 over its key and its digest.
    static func of(key: UnsafeRawBufferPointer, digest: UnsafeRawBufferPointer) -> Fingerprint {
        var hasher = SHA256()
        hasher.update(bufferPointer: key)
        hasher.update(bufferPointer: digest)
        let hash = hasher.finalize().withUnsafeBytes { Digest($0) }
        return Fingerprint(words: (hash.words.3, hash.words.2, hash.words.1, hash.words.0))
    }

    @inline(__always)
    package static func += (a: inout Fingerprint, b: Fingerprint) {
        var carry: UInt64 = 0
        a.words.0 = add(a.words.0, b.words.0, &carry)
        a.words.1 = add(a.words.1, b.words.1, &carry)
        a.words.2 = add(a.words.2, b.words.2, &carry)
        a.words.3 = add(a.words.3, b.words.3, &carry)
    }

    @inline(__always)
    static func -= (a: inout Fingerprint, b: Fingerprint) {
        // a - b = a + ~b + 1
        var carry: UInt64 = 1
        a.words.0 = add(a.words.0, ~b.words.0, &carry)
        a.words.1 = add(a.words.1, ~b.words.1, &carry)
        a.words.2 = add(a.words.2, ~b.words.2, &carry)
        a.words.3 = add(a.words.3, ~b.words.3, &carry)
    }

    @inline(__always)
    private static func add(_ a: UInt64, _ b: UInt64, _ carry: inout UInt64) -> UInt64 {
        let (first, one) = a.addingReportingOverflow(b)
        let (second, two) = first.addingReportingOverflow(carry)
        carry = one || two ? 1 : 0
        return second
    }

    package static func == (a: Fingerprint, b: Fingerprint) -> Bool { a.words == b.words }
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// The number as 32 big-endian bytes.
    package var digest: Digest { Digest(words: (words.3, words.2, words.1, words.0)) }

    init(_ digest: Digest) { words = (digest.words.3, digest.words.2, digest.words.1, digest.words.0) }
}
