import Core
import Foundation
import Logging
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

@testable import Backends

/// History on a store that is far: what a commit needs is durable with its rows, or not there.
@Suite(.timeLimit(.minutes(15))) struct TailedHistoryTests {
    private static let user = Principal.user("")

    /// A catalog that loses a transaction at its end when it is told to: nobody knows then what has come of it.
    private final class LosingCatalog: Catalog {
        let inner: SQLiteCatalog
        let losesNext = Mutex(false)

        init(_ path: String) throws { inner = try SQLiteCatalog(path: path) }

        func read<Result>(_ body: (any CatalogReader) throws -> Result) throws -> Result { try inner.read(body) }

        func write<Result>(_ body: (any CatalogWriter) throws -> Result) throws -> Result {
            try inner.write { writer in
                let result = try body(writer)
                let loses = losesNext.withLock { loses in
                    defer { loses = false }
                    return loses
                }
                if loses { throw SpileError(.unavailable, "the connection was lost") }
                return result
            }
        }

        func copy(to path: String) throws { try inner.copy(to: path) }
        func tails() throws -> [String: Int] { try inner.tails() }
        func tail(_ name: String, from offset: Int) throws -> [UInt8] { try inner.tail(name, from: offset) }
        func close() throws { try inner.close() }
    }

    private func put(_ bytes: [UInt8], at path: String, _ branch: BranchKey, in history: History) async throws {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: Self.user)
        try bytes.withUnsafeBytes { try upload.changes.add(path: path, datum: "default", bytes: $0) }
        _ = try await upload.finish()
    }

    @Test func `what a transaction that was lost had stored is not referred to by the next one`() async throws {
        let folder = NSTemporaryDirectory() + "spile-tailed-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let objects = MemoryObjectStore()
        let catalog = try LosingCatalog(folder + "/catalog.sqlite")
        let history = try History(
            catalog: catalog, store: Store(objects: TailedStore(objects, tails: CatalogTails(catalog))),
            clock: ManualClock(), randomness: SeededRandomness(seed: 1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let repo = RepoKey(project: .standard, name: "r")
        try await history.transact(as: Self.user) { try $0.createRepo(repo, description: "", update: false) }
        // A chunk of its own, and small enough to go with the rows.
        let bytes = SeededRandomness(seed: 5).bytes(200_000)
        catalog.losesNext.withLock { $0 = true }
        await #expect(throws: SpileError.self) { try await put(bytes, at: "/a", repo.branch("master"), in: history) }
        try await put(bytes, at: "/a", repo.branch("master"), in: history)
        let commit = try history.read { try $0.existingCommit(CommitHandle(repo.branch("master"))) }
        // What another process finds: nothing that is in this one's memory.
        let fresh = try Store(objects: TailedStore(objects, tails: CatalogTails(catalog)))
        let entry = try #require(try fresh.entry(commit.root, path: "/a", datum: "default"))
        #expect(try fresh.read(entry, offset: 0, maxBytes: 1 << 20) == bytes)
        withExtendedLifetime(history) {}
    }
}
