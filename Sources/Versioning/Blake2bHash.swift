import Core
import Storage

/// BLAKE2b-256 of bytes in memory, for names that Pachyderm's clients know by it (`pps.md` §9.2). The store hashes with
/// SHA-256.
package enum Blake2bHash {
    package static func digest(_ bytes: [UInt8]) -> Digest {
        var hash = Blake2b()
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }
}
