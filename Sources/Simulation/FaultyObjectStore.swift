import Core
import Synchronization

/// Wraps an object store and lets writes and syncs fail by a seeded schedule. Safe from any thread; `state` is guarded
/// by its mutex.
package final class FaultyObjectStore: ObjectStore {
    /// What goes wrong.
    package enum Fault: Sendable, CaseIterable {
        /// The disk is full: nothing is written.
        case noSpace
        /// The medium fails: nothing is written.
        case brokenMedium
        /// A part is written, then the disk is full; a replacement or a removal is done and still throws.
        case shortWrite
    }

    /// Where something can go wrong.
    package enum Operation: Sendable, CaseIterable { case create, write, sync, finish, replace, remove }

    private struct State {
        var random: UInt64
        var chance: UInt64 = 0
        var operations: Set<Operation> = []
        /// The call, counted from now, that fails; nil for none.
        var countdown: (operation: Operation, left: Int, fault: Fault)?
        var failures = 0
    }

    private let base: any ObjectStore
    private let state: Mutex<State>

    /// Nothing fails until ``fail(_:oneIn:)`` or ``failNext(_:after:with:)`` says so.
    package init(_ base: any ObjectStore, seed: UInt64) {
        self.base = base
        state = Mutex(State(random: seed))
    }

    package var properties: ObjectStoreProperties { base.properties }

    /// Lets one in `chance` of these operations fail from now on; 0 ends it.
    package func fail(_ operations: Set<Operation>, oneIn chance: UInt64) {
        state.withLock {
            $0.operations = operations
            $0.chance = chance
        }
    }

    /// Lets the call of `operation` that comes after `count` others fail, once.
    package func failNext(_ operation: Operation, after count: Int = 0, with fault: Fault) {
        state.withLock { $0.countdown = (operation, count, fault) }
    }

    /// How many operations failed so far.
    package var failures: Int { state.withLock { $0.failures } }

    fileprivate func fault(at operation: Operation) -> Fault? {
        state.withLock { state in
            if let (planned, left, fault) = state.countdown, planned == operation {
                state.countdown = left == 0 ? nil : (planned, left - 1, fault)
                if left == 0 {
                    state.failures += 1
                    return fault
                }
            }
            guard state.chance > 0, state.operations.contains(operation) else { return nil }
            state.random = state.random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            guard (state.random >> 33) % state.chance == 0 else { return nil }
            state.failures += 1
            return Fault.allCases[Int((state.random >> 20) % UInt64(Fault.allCases.count))]
        }
    }

    fileprivate static func error(_ fault: Fault, _ operation: String) -> SpileError {
        switch fault {
        case .noSpace, .shortWrite: SpileError(.resourceExhausted, "\(operation): no space left (injected)")
        case .brokenMedium: SpileError(.dataLoss, "\(operation): input/output error (injected)")
        }
    }

    package func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        if let fault = fault(at: .create) { throw Self.error(fault, "create \(name)") }
        return Object(try base.create(name, capacity: capacity, purpose: purpose), owner: self)
    }

    package func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        Object(try base.resume(name, keeping: size), owner: self)
    }

    package func open(_ name: String) throws -> any ReadableObject { try base.open(name) }
    package func list() throws -> [ObjectListing] { try base.list() }
    package func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        guard let fault = fault(at: .replace) else { return try base.replace(name, size: size, by: fill) }
        if fault == .shortWrite { try base.replace(name, size: size, by: fill) }
        throw Self.error(fault, "replace \(name)")
    }
    package func remove(_ name: String) throws {
        guard let fault = fault(at: .remove) else { return try base.remove(name) }
        if fault == .shortWrite { try base.remove(name) }
        throw Self.error(fault, "remove \(name)")
    }

    private final class Object: WritableObject {
        let base: any WritableObject
        let owner: FaultyObjectStore
        /// Set by a failed write or sync: whoever goes on with the object breaks the contract.
        let isBroken = Atomic<Bool>(false)

        init(_ base: any WritableObject, owner: FaultyObjectStore) {
            self.base = base
            self.owner = owner
        }

        private func check(_ operation: String) throws {
            if isBroken.load(ordering: .relaxed) { throw SpileError.bug("\(operation) after a failed write or sync") }
        }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            try check("write")
            guard let fault = owner.fault(at: .write) else { return try base.write(bytes, at: offset) }
            isBroken.store(true, ordering: .relaxed)
            if fault == .shortWrite {
                let part = bytes.count / 2 / 4096 * 4096
                if part > 0 { try base.write(UnsafeRawBufferPointer(rebasing: bytes[0..<part]), at: offset) }
            }
            throw FaultyObjectStore.error(fault, "write")
        }

        func sync() throws {
            try check("sync")
            if let fault = owner.fault(at: .sync) {
                isBroken.store(true, ordering: .relaxed)
                throw FaultyObjectStore.error(fault, "sync")
            }
            try base.sync()
        }

        func finish(size: Int, as name: String) throws {
            try check("finish")
            if let fault = owner.fault(at: .finish) {
                isBroken.store(true, ordering: .relaxed)
                throw FaultyObjectStore.error(fault, "finish")
            }
            try base.finish(size: size, as: name)
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
            try base.read(into: buffer, at: offset)
        }
    }
}
