import Core
import Synchronization

/// A store that is too slow for small commits, made fit for them: the bytes of a `.small` object are kept with the
/// catalog's rows until the object is finished, and only then written, whole, to the store below. Everything else goes
/// there at once.
///
/// What is durable when: bytes that ``TailedObject/handOver()`` gave, with the transaction that keeps them; those of
/// `sync()`, on return. A finished object is in the store below before anybody deletes its tail, so it can always be
/// read from one of the two. Several processes may use one bucket and one catalog; an object is written by one of them.
///
/// Safe from any thread; `state` is guarded by its mutex. Memory: each small object that is being written, whole, and
/// ``mostRemote`` of those of others.
package final class TailedStore: ObjectStore {
    /// Small objects of other servers, or of an earlier one, that are kept in memory.
    private static let mostRemote = 4

    private struct State {
        var own: [String: TailedObject] = [:]
        var remote: [String: RemoteTail] = [:]
        /// Names of ``remote``, those used last at the end.
        var order: [String] = []
    }

    private let base: any ObjectStore
    private let tails: any SegmentTails
    private let state = Mutex(State())

    package init(_ base: any ObjectStore, tails: any SegmentTails) {
        self.base = base
        self.tails = tails
    }

    package var properties: ObjectStoreProperties {
        ObjectStoreProperties(alignment: base.properties.alignment, isShared: true)
    }

    // MARK: Writing

    /// Of a small object the name is durable with its first bytes. Whether the store below has one of that name is not
    /// asked: this is called where nobody may wait for it, and segments have numbers of their own.
    package func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        guard try state.withLock({ $0.own[name] == nil }) && tails.read(name, from: 0).isEmpty else {
            throw SpileError(.alreadyExists, "there is an object \(name) already")
        }
        if purpose == .small { return own(name, []) }
        return try base.create(name, capacity: capacity, purpose: purpose)
    }

    private func own(_ name: String, _ bytes: [UInt8]) -> TailedObject {
        let object = TailedObject(name, kept: bytes, base: base, tails: tails) { [weak self] in self?.ended(name) }
        state.withLock { $0.own[name] = object }
        return object
    }

    private func ended(_ name: String) {
        // Let go of behind the lock.
        let object = state.withLock { $0.own.removeValue(forKey: name) }
        withExtendedLifetime(object) {}
    }

    package func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        let bytes = try tails.read(name, from: 0)
        if bytes.isEmpty { return try base.resume(name, keeping: size) }
        let kept = Array(bytes.prefix(size))
        if kept.count < bytes.count { try tails.replace(name, by: kept) }
        forget(name)
        return own(name, kept)
    }

    package func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws { try base.replace(name, size: size, by: fill) }

    package func remove(_ name: String) throws {
        try base.remove(name)
        if try tails.list()[name] != nil { try tails.delete(name) }
        ended(name)
        forget(name)
    }

    /// What was read of it is not what it is any more.
    private func forget(_ name: String) {
        state.withLock { state in
            state.remote[name] = nil
            state.order.removeAll { $0 == name }
        }
    }

    // MARK: Reading

    package func open(_ name: String) throws -> any ReadableObject {
        if let own = state.withLock({ $0.own[name] }) { return own.reader() }
        let tail = state.withLock { $0.remote[name] } ?? RemoteTail()
        let bytes = try tail.refreshed { try tails.read(name, from: $0) }
        guard !bytes.isEmpty else {
            forget(name)
            return try base.open(name)
        }
        keep(tail, name)
        return BytesReader(bytes)
    }

    private func keep(_ tail: RemoteTail, _ name: String) {
        state.withLock { state in
            state.order.removeAll { $0 == name }
            state.order.append(name)
            if state.order.count > Self.mostRemote { state.remote[state.order.removeFirst()] = nil }
            state.remote[name] = tail
        }
    }

    package func list() throws -> [ObjectListing] {
        // The tails first: what is finished meanwhile is then seen twice, not missed.
        let kept = try tails.list().filter { $0.value > 0 }.map { ObjectListing(name: $0.key, size: $0.value) }
        return try kept + base.list()
    }
}

/// Bytes of an object that somebody else writes, as far as they were read. Guarded by the mutex, one reading at a time.
private final class RemoteTail: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    func refreshed(_ more: (_ offset: Int) throws -> [UInt8]) throws -> [UInt8] {
        let known = bytes.withLock { $0.count }
        let new = try more(known)
        return bytes.withLock { bytes in
            // Another thread may have been faster.
            if bytes.count < known + new.count { bytes += new.dropFirst(bytes.count - known) }
            return bytes
        }
    }
}

/// Bytes in memory, open for reading.
final class BytesReader: ReadableObject {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var size: Int { bytes.count }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        guard offset < bytes.count else { return 0 }
        let count = min(buffer.count, bytes.count - offset)
        buffer.copyBytes(from: bytes[offset..<(offset + count)])
        return count
    }
}
