import Core
import struct Crypto.HMAC
import struct Crypto.SHA256
import struct Crypto.SymmetricKey

/// The hash of the house, for rooms that may not import Crypto themselves.
package enum Hashing {
    /// SHA-256 of `bytes`.
    package static func sha256(_ bytes: [UInt8]) -> Digest {
        SHA256.hash(data: bytes).withUnsafeBytes { Digest($0) }
    }

    /// HMAC-SHA256 of `bytes`.
    package static func signature(of bytes: [UInt8], key: [UInt8]) -> Digest {
        HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)).withUnsafeBytes { Digest($0) }
    }

    /// Whether ``signature(of:key:)`` gives `signature`; takes the same time for every wrong one.
    package static func isSignature(_ signature: Digest, of bytes: [UInt8], key: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            signature.bytes, authenticating: bytes, using: SymmetricKey(data: key))
    }
}
