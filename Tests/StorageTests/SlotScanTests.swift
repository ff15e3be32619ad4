import Core
import Simulation
import Storage
import Testing

/// Going through all slots that hold bytes of files.
@Suite struct SlotScanTests {
    private func slots(_ store: Store, verified: Bool) throws -> [Pointer: Int] {
        var found: [Pointer: Int] = [:]
        try store.forEachContentSlot(verified: verified) { pointer, length in
            #expect(found.updateValue(length, forKey: pointer) == nil)
        }
        return found
    }

    @Test(arguments: [false, true])
    func `chunks and packs are told, open or sealed, nodes are not`(verified: Bool) throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .tiny)
        #expect(try slots(store, verified: verified).isEmpty)
        var random = Seeded(1)
        _ = try store.build([TreeKey(path: "/small", datum: "d"): random.bytes(100)])
        #expect(try Array(slots(store, verified: verified).values) == [100])
        _ = try store.build([TreeKey(path: "/large", datum: "d"): random.bytes(6 << 20)])
        let open = try slots(store, verified: verified)
        #expect(open.values.reduce(0, +) == (6 << 20) + 100)
        #expect(open.count > 2)
        try store.close()
        let again = try Store(objects: objects, options: .tiny)
        #expect(try slots(again, verified: verified) == open)
        try again.close()
    }

    @Test func `whoever is told can end it`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        var random = Seeded(2)
        for number in 0..<3 { _ = try store.build([TreeKey(path: "/\(number)", datum: "d"): random.bytes(100)]) }
        var told = 0
        #expect(throws: CancellationError.self) {
            try store.forEachContentSlot(verified: false) { _, _ in
                told += 1
                throw CancellationError()
            }
        }
        #expect(told == 1)
        try store.close()
    }

    @Test func `damage is found by reading, and not looked for otherwise`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .simulated)
        var random = Seeded(3)
        _ = try store.build([TreeKey(path: "/f", datum: "d"): random.bytes(2_000_000)])
        try store.close()
        let name = try #require(try objects.list().first?.name)
        var bytes = try objects.bytes(name)
        bytes[500_000] ^= 1
        try bytes.withUnsafeBytes { try objects.replace(name, with: $0) }
        let reopened = try Store(objects: objects, options: .simulated)
        #expect(try slots(reopened, verified: false).values.reduce(0, +) == 2_000_000)
        let error = #expect(throws: SpileError.self) { _ = try slots(reopened, verified: true) }
        #expect(error?.code == .dataLoss)
    }
}
