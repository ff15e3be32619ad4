import Core
import Foundation
import Simulation
import Synchronization
import Testing

@testable import Storage

/// A store that several servers use, and starts of theirs side by side.
@Suite(.timeLimit(.minutes(15))) struct SharedStoreTests {
    /// Objects in memory that others may change, one of whom gets between two steps of this process.
    private final class Between: ObjectStore {
        let base: MemoryObjectStore
        private let step = Mutex<(@Sendable () throws -> Void)?>(nil)

        init(_ base: MemoryObjectStore) { self.base = base }

        /// Before the next object is resumed.
        func next(_ body: @escaping @Sendable () throws -> Void) { step.withLock { $0 = body } }

        var properties: ObjectStoreProperties {
            ObjectStoreProperties(alignment: base.properties.alignment, isShared: true)
        }
        func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
            try base.create(name, capacity: capacity, purpose: purpose)
        }
        func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
            let body = step.withLock { step in
                defer { step = nil }
                return step
            }
            try body?()
            return try base.resume(name, keeping: size)
        }
        func open(_ name: String) throws -> any ReadableObject { try base.open(name) }
        func list() throws -> [ObjectListing] { try base.list() }
        func replace(
            _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
        ) throws { try base.replace(name, size: size, by: fill) }
        func remove(_ name: String) throws { try base.remove(name) }
    }

    private func options(_ server: UInt64, others: Set<UInt64> = []) -> StoreOptions {
        var options = StoreOptions()
        options.server = server
        options.others = others
        return options
    }

    /// Leaves a segment without an end, with one slot, as a server that was killed does.
    private func leave(_ server: UInt64, in objects: any ObjectStore) throws -> Pointer {
        let store = try Store(objects: objects, options: options(server, others: Set(1..<server)))
        let writer = try store.makeCommitWriter()
        let pointer = try [UInt8](repeating: UInt8(server), count: 5000).withUnsafeBytes {
            try writer.append(.chunk, $0)
        }
        try writer.sync()
        return pointer
    }

    @Test func `segments of others that are there are left alone, and of those that came later`() throws {
        let objects = Between(MemoryObjectStore())
        for server in [1, 2, 9] as [UInt64] { _ = try leave(server, in: objects) }
        let starting = try Store(objects: objects, options: options(5, others: [2]))
        #expect(starting.statistics().recoveredSegments == 1)
        #expect(try objects.list().map(\.name).filter { $0.hasSuffix(".open") }.sorted() == [
            "0000000200000001.open", "0000000900000001.open",
        ])
    }

    @Test func `of two that clear up after a third each finds what the other one has done`() throws {
        let objects = Between(MemoryObjectStore())
        let pointer = try leave(1, in: objects)
        let settings = options(3)
        objects.next { _ = try Store(objects: objects.base, options: settings) }
        let late = try Store(objects: objects, options: options(2))
        #expect(try late.slots.readVerified(pointer).bytes == [UInt8](repeating: 1, count: 5000))
        #expect(late.statistics().recoveredSegments == 0)
    }
}
