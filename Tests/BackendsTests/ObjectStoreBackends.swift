import Backends
import Core
import Foundation
import Simulation
import Synchronization
import Testing

/// The places that objects can live in. One more case, and the whole suite runs for it too.
enum ObjectStoreBackend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case localDisk
    /// The fake of the tests, which checks signatures and is strict.
    case s3
    /// Small objects with the rows of a catalog, the rest in memory.
    case tailed

    var testDescription: String { rawValue }

    /// Runs `body` with an empty store.
    func withScene(_ body: (ObjectStoreScene) throws -> Void) throws {
        switch self {
        case .memory:
            try body(
                ObjectStoreScene(MemoryObjectStore()) { store in
                    guard let memory = store as? MemoryObjectStore else { return store }
                    return memory.crash()
                })
        case .localDisk:
            let folder = NSTemporaryDirectory() + "spile-objects-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try body(
                ObjectStoreScene(try LocalDisk(folder: folder)) { store in
                    (store as? LocalDisk)?.release()
                    return try LocalDisk(folder: folder)
                })
        case .s3:
            let scene = try S3Scene()
            try body(ObjectStoreScene(try scene.store()) { _ in try scene.store() })
        case .tailed:
            try CatalogBackend.sqlite.withCatalog { catalog in
                let memory = Mutex(MemoryObjectStore())
                func open() -> any ObjectStore { TailedStore(memory.withLock { $0 }, tails: CatalogTails(catalog)) }
                try body(
                    ObjectStoreScene(open()) { _ in
                        memory.withLock { $0 = $0.crash() }
                        return open()
                    })
            }
        }
    }
}

/// A store that can be left as by a crash of its machine.
final class ObjectStoreScene {
    private(set) var store: any ObjectStore
    private let next: (any ObjectStore) throws -> any ObjectStore

    /// `next` gives the store that is there after the crash of one.
    init(_ store: any ObjectStore, next: @escaping (any ObjectStore) throws -> any ObjectStore) {
        self.store = store
        self.next = next
    }

    /// The machine dies, and another process begins with what it left. What was opened before must not be used.
    func crash() throws { store = try next(store) }
}

/// One rule that every store keeps.
struct ObjectStoreRule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (ObjectStoreScene) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (ObjectStoreScene) throws -> Void) {
        self.name = name
        self.check = check
    }

    var testDescription: String { name }
}

@Suite struct ObjectStoreConformanceTests {
    @Test(arguments: ObjectStoreBackend.allCases, ObjectStoreSuite.all)
    func `an object store keeps the rule`(backend: ObjectStoreBackend, rule: ObjectStoreRule) throws {
        try backend.withScene(rule.check)
    }
}
