import Core
import struct Crypto.SHA256

/// The hash of the house, for rooms that may not import Crypto themselves.
package enum Hashing {
    /// SHA-256 of `bytes`.
    package static func sha256(_ bytes: [UInt8]) -> Digest {
        SHA256.hash(data: bytes).withUnsafeBytes { Digest($0) }
    }
}
