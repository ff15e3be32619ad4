import Core
import Simulation
import Storage
import Synchronization
import Testing

/// A key file in memory.
private final class MemoryKeyFile: KeyFile {
    let path = "memory"
    private let key = Mutex<[UInt8]?>(nil)

    func read() throws -> [UInt8]? { key.withLock { $0 } }
    func make(_ fresh: [UInt8]) throws -> [UInt8] {
        key.withLock { key in
            key = key ?? fresh
            return fresh
        }
    }
}

@Suite struct KeyedSealerTests {
    private let file = MemoryKeyFile()
    private let plain = Array("hunter2".utf8)
    private let place = SecretRecord.binding(of: "s", key: "k")

    private func sealer(seed: UInt64 = 5, _ file: any KeyFile) -> KeyedSealer {
        KeyedSealer(file: file, randomness: SeededRandomness(seed: seed))
    }

    @Test func whatIsSealedOpensAgainAlsoForALaterServer() throws {
        let first = sealer(file)
        let sealed = try first.seal(plain, binding: place, mayMakeKey: true)
        #expect(sealed.count == plain.count + 28)
        #expect(!sealed.indices.contains { sealed[$0...].starts(with: plain) })
        #expect(try first.open(sealed, binding: place) == plain)
        #expect(try sealer(seed: 6, file).open(sealed, binding: place) == plain)
        #expect(try first.seal(plain, binding: place, mayMakeKey: false) != sealed, "no nonce is used twice")
    }

    @Test func itOpensInItsPlaceOnly() throws {
        let sealer = sealer(file)
        let sealed = try sealer.seal(plain, binding: place, mayMakeKey: true)
        for (name, key) in [("s", "l"), ("t", "k"), ("sk", ""), ("", "sk")] {
            let error = try #require(throws: SpileError.self) {
                try sealer.open(sealed, binding: SecretRecord.binding(of: name, key: key))
            }
            #expect(error.code == .dataLoss)
        }
    }

    @Test func aChangedByteIsFound() throws {
        let sealer = sealer(file)
        let sealed = try sealer.seal(plain, binding: place, mayMakeKey: true)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: SpileError.self) { try sealer.open(changed, binding: place) }
        }
        #expect(throws: SpileError.self) { try sealer.open([], binding: place) }
    }

    @Test func aLostKeyIsSaidAndNotReplaced() throws {
        let sealed = try sealer(file).seal(plain, binding: place, mayMakeKey: true)
        let lost = sealer(seed: 9, MemoryKeyFile())
        for body in [
            { _ = try lost.open(sealed, binding: place) },
            { _ = try lost.seal(plain, binding: place, mayMakeKey: false) },
        ] {
            let error = try #require(throws: SpileError.self) { try body() }
            #expect(error.code == .failedPrecondition && error.message.contains("there is no memory"))
        }
        let other = MemoryKeyFile()
        _ = try other.make([UInt8](repeating: 1, count: 32))
        let wrong = try #require(throws: SpileError.self) { try sealer(other).open(sealed, binding: place) }
        #expect(wrong.code == .dataLoss)
    }
}
