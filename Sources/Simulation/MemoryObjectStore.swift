import Core
import Synchronization

/// Objects in memory, stricter than the contract of ``ObjectStore`` asks: reads are short now and then, a byte that was
/// synced cannot be written again, a bulk write must be aligned, and ``crash(keeping:)`` leaves only what a power loss
/// leaves. Safe from any thread; all state is guarded by `state`.
package final class MemoryObjectStore: ObjectStore {
    package let properties = ObjectStoreProperties(alignment: 4096)

    final class Object: Sendable {
        struct State {
            var bytes: [UInt8] = []
            /// What a power loss leaves for sure.
            var durable: [UInt8] = []
            /// Written since the last sync, in order.
            var unsynced: [(offset: Int, bytes: [UInt8])] = []
            var syncedTo = 0
            var reads = 0
        }
        let state: Mutex<State>
        let purpose: ObjectPurpose?

        init(_ bytes: [UInt8] = [], purpose: ObjectPurpose?) {
            state = Mutex(State(bytes: bytes, durable: bytes))
            self.purpose = purpose
        }
    }

    private let objects = Mutex<[String: Object]>([:])
    /// Counts the life of the store: what was opened before a crash is dead after it.
    private let life = Atomic<Int>(0)

    package init() {}

    private func object(_ name: String) throws -> Object {
        guard let object = objects.withLock({ $0[name] }) else { throw SpileError.notFound("no object \(name)") }
        return object
    }

    package func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        let bytes = purpose == .small ? [UInt8](repeating: 0, count: capacity) : []
        let object = Object(bytes, purpose: purpose)
        try objects.withLock { objects in
            guard objects[name] == nil else { throw SpileError(.alreadyExists, "object \(name) exists already") }
            objects[name] = object
        }
        return Writable(name: name, object: object, store: self)
    }

    package func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        let object = try object(name)
        object.state.withLock { state in
            state.bytes.removeLast(max(0, state.bytes.count - size))
            state.durable = state.bytes
            state.unsynced = []
            state.syncedTo = state.bytes.count
        }
        let resumed = Object(object.state.withLock { $0.bytes }, purpose: nil)
        resumed.state.withLock { $0.syncedTo = $0.bytes.count }
        objects.withLock { $0[name] = resumed }
        return Writable(name: name, object: resumed, store: self)
    }

    package func open(_ name: String) throws -> any ReadableObject { Readable(object: try object(name)) }

    package func list() throws -> [ObjectListing] {
        objects.withLock { objects in
            objects.map { ObjectListing(name: $0.key, size: $0.value.state.withLock { $0.bytes.count }) }
        }
    }

    package func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        try fill { bytes.append(contentsOf: $0) }
        precondition(bytes.count == size, "an object gets as many bytes as was said")
        let object = Object(bytes, purpose: nil)
        objects.withLock { $0[name] = object }
    }

    package func remove(_ name: String) throws { objects.withLock { $0[name] = nil } }

    fileprivate func rename(_ name: String, to new: String) {
        objects.withLock { $0[new] = $0.removeValue(forKey: name) }
    }

    /// What a power loss leaves: all that was synced, and of what was written since, each 512-byte piece for which
    /// `keeping` (given object name and offset) says so. The store itself stays usable, as the machine after it.
    package func crash(keeping: (String, Int) -> Bool = { _, _ in false }) -> MemoryObjectStore {
        let after = MemoryObjectStore()
        let all = objects.withLock { $0 }
        for (name, object) in all {
            let bytes = object.state.withLock { state in
                var left = state.durable
                for write in state.unsynced { Self.tear(write, into: &left) { keeping(name, $0) } }
                return left
            }
            after.objects.withLock { $0[name] = Object(bytes, purpose: nil) }
        }
        return after
    }

    private static func tear(
        _ write: (offset: Int, bytes: [UInt8]), into left: inout [UInt8], keeping: (Int) -> Bool
    ) {
        var position = write.offset
        let end = write.offset + write.bytes.count
        while position < end {
            let next = min(end, (position / 512 + 1) * 512)
            if keeping(position) {
                if left.count < next { left.append(contentsOf: repeatElement(0, count: next - left.count)) }
                let piece = write.bytes[(position - write.offset)..<(next - write.offset)]
                left.replaceSubrange(position..<next, with: piece)
            }
            position = next
        }
    }

    /// The bytes of an object as they are now, for tests that damage them.
    package func bytes(_ name: String) throws -> [UInt8] { try object(name).state.withLock { $0.bytes } }

    private final class Readable: ReadableObject {
        let object: Object
        let size: Int

        init(object: Object) {
            self.object = object
            size = object.state.withLock { $0.bytes.count }
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
            MemoryObjectStore.read(object, into: buffer, at: offset)
        }
    }

    fileprivate static func read(_ object: Object, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        nonisolated(unsafe) let buffer = buffer
        return object.state.withLock { state in
            state.reads += 1
            var count = min(buffer.count, max(0, state.bytes.count - offset))
            if state.reads.isMultiple(of: 3), count > 1 { count = count / 2 }
            if count > 0 {
                state.bytes.withUnsafeBytes {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)]))
                }
            }
            return count
        }
    }

    private final class Writable: WritableObject {
        let name: String
        let object: Object
        let store: MemoryObjectStore

        init(name: String, object: Object, store: MemoryObjectStore) {
            self.name = name
            self.object = object
            self.store = store
        }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            if object.purpose == .bulk, (offset | bytes.count | Int(bitPattern: bytes.baseAddress)) & 4095 != 0 {
                throw SpileError.bug("a bulk write at \(offset) of \(bytes.count) bytes is not aligned")
            }
            let copy = Array(bytes)
            try object.state.withLock { state in
                guard offset >= state.syncedTo else {
                    throw SpileError.bug("bytes at \(offset) of \(name) were synced already, up to \(state.syncedTo)")
                }
                let end = offset + copy.count
                if state.bytes.count < end {
                    state.bytes.append(contentsOf: repeatElement(0, count: end - state.bytes.count))
                }
                state.bytes.replaceSubrange(offset..<end, with: copy)
                state.unsynced.append((offset, copy))
            }
        }

        func sync() throws {
            object.state.withLock { state in
                for write in state.unsynced { state.syncedTo = max(state.syncedTo, write.offset + write.bytes.count) }
                state.durable = state.bytes
                state.unsynced = []
            }
        }

        func finish(size: Int, as name: String) throws {
            object.state.withLock { state in
                if state.bytes.count > size { state.bytes.removeLast(state.bytes.count - size) }
                state.durable = state.bytes
                state.unsynced = []
                state.syncedTo = state.bytes.count
            }
            store.rename(self.name, to: name)
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
            MemoryObjectStore.read(object, into: buffer, at: offset)
        }
    }
}

extension ObjectStore {
    /// The same with all bytes at once.
    package func replace(_ name: String, with bytes: UnsafeRawBufferPointer) throws {
        try replace(name, size: bytes.count) { append in try append(bytes) }
    }
}
