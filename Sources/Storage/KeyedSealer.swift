import Core
import Crypto
import Foundation
import Synchronization

/// Seals with AES-256-GCM under the one key of a data folder. A sealed value is nonce (12 bytes), ciphertext, tag (16).
///
/// Nonces are random: 2³² values may be sealed under one key before two are likely to meet.
package final class KeyedSealer: Sealer {
    private let file: any KeyFile
    private let randomness: any Randomness
    /// The key once it is known; the lock is held while the file is read or made, so that one caller does it.
    private let known = Mutex<[UInt8]?>(nil)

    package static let keyBytes = 32

    package init(file: any KeyFile, randomness: any Randomness) {
        self.file = file
        self.randomness = randomness
    }

    package func seal(_ plain: [UInt8], binding: [UInt8], mayMakeKey: Bool) throws -> [UInt8] {
        let key = try key(mayMake: mayMakeKey)
        let nonce = try AES.GCM.Nonce(data: bytes(12))
        let box = try AES.GCM.seal(
            plain, using: SymmetricKey(data: key), nonce: nonce, authenticating: binding)
        guard let combined = box.combined else { throw SpileError.bug("a sealed box without its parts") }
        return [UInt8](combined)
    }

    package func open(_ sealed: [UInt8], binding: [UInt8]) throws -> [UInt8] {
        let key = try key(mayMake: false)
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            return [UInt8](try AES.GCM.open(box, using: SymmetricKey(data: key), authenticating: binding))
        } catch {
            throw SpileError(
                .dataLoss, "a stored secret does not open with \(file.path)",
                remedy: "put back the key file that belongs to this catalog, or delete the secret and make it again")
        }
    }

    private func key(mayMake: Bool) throws -> [UInt8] {
        try known.withLock { known in
            if let known { return known }
            var key = try file.read()
            if key == nil, mayMake { key = try file.make(bytes(Self.keyBytes)) }
            guard let key else {
                throw SpileError(
                    .failedPrecondition, "the key of the stored secrets is missing: there is no \(file.path)",
                    remedy: "put it back from a backup, or delete the secrets and make them again")
            }
            known = key
            return key
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count { withUnsafeBytes(of: randomness.next()) { result.append(contentsOf: $0) } }
        return Array(result.prefix(count))
    }
}
