import Core
import Foundation
import Simulation
import Testing
import Versioning

@testable import Backends
@testable import Server

/// A store that is moved is the same at the new place, whatever places these are and however often it takes.
@Suite(.timeLimit(.minutes(15))) struct MigrationTests {
    private struct Interrupted: Error {}

    /// Places of every kind, each for its own store; the first is where the history is made.
    private func places(_ scene: MigrationScene) throws -> [MigrationPlace] {
        var places = [scene.local("a")]
        var next = scene.local("b")
        next.store = scene.bucket("one")
        places.append(next)
        #if PostgreSQL
            next = scene.local("c")
            next.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
            places.append(next)
            next = scene.local("d")
            next.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
            next.store = scene.bucket("two")
            places.append(next)
            next = scene.local("e")
            next.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
            next.store = scene.bucket("three")
            places.append(next)
        #endif
        places.append(scene.local("z"))
        return places
    }

    @Test func `from place to place everything stays the same, and the old place too`() async throws {
        let scene = try MigrationScene()
        let places = try places(scene)
        try await scene.fill(places[0])
        let summary = try scene.move(places[0], places[1])
        // Only now: what was left without an end has one.
        let expected = try scene.content(places[0])
        #expect(expected.findings == [] && expected.commits.count > 20 && expected.files.count > 100)
        #expect(summary.brought == summary.segments && summary.segments > 8)
        #expect(summary.commits == expected.commits.count)
        for (from, to) in zip(places.dropFirst(), places.dropFirst(2)) { try scene.move(from, to) }
        for place in places.dropFirst() {
            let found = try scene.content(place)
            #expect(found == expected)
            #expect(!FileManager.default.fileExists(atPath: place.data + ".migrating"))
        }
        #expect(!scene.s3.bucket.keys.contains { $0.hasSuffix("migrating") })
    }

    @Test func `segments that stay on one file system are shared and not copied`() async throws {
        let scene = try MigrationScene()
        let (from, to) = (scene.local("a"), scene.local("b"))
        try await scene.fill(from)
        try scene.move(from, to)
        for name in try FileManager.default.contentsOfDirectory(atPath: from.data + "/segments") {
            let numbers = try [from, to].map {
                try FileManager.default.attributesOfItem(atPath: $0.data + "/segments/" + name)[.systemFileNumber]
                    as? Int
            }
            #expect(numbers[0] == numbers[1] && numbers[0] != nil)
        }
    }

    // MARK: Refusals

    private func refusal(_ migration: Migration) -> SpileError? {
        #expect(throws: SpileError.self) { _ = try migration.run { _ in } }
    }

    @Test func `a place that holds something is refused and left as it is`() async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        try await scene.fill(from)
        var to = scene.local("b")
        try FileManager.default.createDirectory(atPath: to.data, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: to.data + "/x"))
        #expect(refusal(scene.migration(from, to))?.message == "\(to.data) is not empty, so nothing is copied into it")
        #expect(try FileManager.default.contentsOfDirectory(atPath: to.data) == ["x"])

        to = scene.local("c")
        to.store = scene.bucket("p")
        scene.s3.bucket.set("p/thing", [1])
        let full = refusal(scene.migration(from, to))
        #expect(full?.message == "s3://bucket/p/ is not empty, so nothing is copied into it")
        #expect(scene.s3.bucket.keys == ["p/thing"])
        #if PostgreSQL
            let address = try PostgresServer.shared.get().freshDatabase()
            let catalog = try PostgresCatalog(address)
            try catalog.write { try $0.setSetting("a", to: "b") }
            to = scene.local("d")
            to.catalog = .postgres(address.text)
            let busy = refusal(scene.migration(from, to))
            #expect(busy?.message.contains("in use by another server") == true)
            try catalog.close()
            let taken = refusal(scene.migration(from, to))
            #expect(taken?.message == "catalog \(address.shown) is not empty, so nothing is copied into it")
        #endif
        for name in ["b", "c", "d"] {
            #expect(!FileManager.default.fileExists(atPath: scene.root + "/\(name).migrating"))
        }
    }

    @Test func `the same place, none, and one that a server is at are refused`() async throws {
        let scene = try MigrationScene()
        let (from, to) = (scene.local("a"), scene.local("b"))
        let none = refusal(scene.migration(from, to))
        #expect(none?.message.hasPrefix("no server has ever been at data folder \(from.data)") == true)
        #expect(!FileManager.default.fileExists(atPath: from.data))
        try await scene.fill(from)
        #expect(refusal(scene.migration(from, from))?.code == .failedPrecondition)
        do {
            let server = try DataFolder(from.data)
            let busy = refusal(scene.migration(from, to))
            #expect(busy?.message == "data folder \(from.data) is in use by another server")
            _ = server.path
        }
        // A bucket that is not its own is not made its own.
        var wrong = from
        wrong.store = scene.bucket("other")
        #expect(refusal(scene.migration(wrong, to))?.code == .failedPrecondition)
        #expect(scene.s3.bucket.keys == [])
        #expect(!FileManager.default.fileExists(atPath: to.data))
    }

    @Test(arguments: [false, true]) func `a slot that is damaged ends it, with the segment's name`(
        isFar: Bool
    ) async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        var to = scene.local("b")
        if isFar { to.store = scene.bucket("p") }
        try await scene.fill(from)
        let sealed = try FileManager.default.contentsOfDirectory(atPath: from.data + "/segments")
            .filter { $0.hasSuffix(".seg") }.sorted()
        let name = try #require(sealed.dropFirst().first)
        let path = from.data + "/segments/" + name
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let whole = bytes
        bytes[bytes.startIndex + 200] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = refusal(scene.migration(from, to))
        #expect(error?.code == .dataLoss)
        #expect(error?.message == "segment \(name): slot 0 does not match its hash")
        #expect(!FileManager.default.fileExists(atPath: to.data))
        // Once it is put back the same command goes on.
        try whole.write(to: URL(fileURLWithPath: path))
        try scene.move(from, to)
        #expect(try scene.content(to) == scene.content(from))
    }

    // MARK: Interruptions

    /// Interrupts a migration at every place where it reports, one after the other, each time from what the last left.
    private func interrupt(_ scene: MigrationScene, _ from: MigrationPlace, _ to: MigrationPlace) throws -> Int {
        for stop in 0..<1000 {
            let seen = Counter()
            do {
                _ = try scene.migration(from, to).run { _ in
                    if seen.current == stop { throw Interrupted() }
                    seen.add()
                }
                return stop
            } catch is Interrupted {}
            if stop == 5 { #expect(!FileManager.default.fileExists(atPath: to.data)) }
        }
        return 1000
    }

    @Test func `interrupted anywhere it goes on, from the folder to the bucket`() async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        var to = scene.local("b")
        to.store = scene.bucket("p")
        #if PostgreSQL
            to.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
        #endif
        try await scene.fill(from)
        #expect(try interrupt(scene, from, to) > 12)
        #expect(try scene.content(to) == scene.content(from))
    }

    @Test func `interrupted anywhere it goes on, from the bucket to the folder`() async throws {
        let scene = try MigrationScene()
        let first = scene.local("a")
        var from = scene.local("b")
        from.store = scene.bucket("p")
        var to = scene.local("c")
        #if PostgreSQL
            to.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
        #endif
        try await scene.fill(first)
        try scene.move(first, from)
        #expect(try interrupt(scene, from, to) > 12)
        #expect(try scene.content(to) == scene.content(first))
    }

    @Test func `what others keep below the prefix is in the way, however deep`() async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        try await scene.fill(from)
        var to = scene.local("b")
        to.store = scene.bucket("p")
        scene.s3.bucket.set("p/a/b", [1])
        let error = #expect(throws: SpileError.self) { try scene.move(from, to) }
        #expect(error?.message.contains("is not empty, so nothing is copied into it") == true)
        #expect(scene.s3.bucket.keys == ["p/a/b"])
    }

    @Test func `what is there already is not brought again`() async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        var to = scene.local("b")
        to.store = scene.bucket("p")
        try await scene.fill(from)
        #expect(throws: Interrupted.self) {
            _ = try scene.migration(from, to).run { if $0 == .rows { throw Interrupted() } }
        }
        let keys = scene.s3.bucket.keys.filter { $0.hasSuffix(".seg") }
        let damaged = try #require(keys.first)
        var bytes = try #require(scene.s3.bucket[damaged]).bytes
        bytes[150] ^= 1
        scene.s3.bucket.set(damaged, bytes)
        let summary = try scene.move(from, to)
        #expect(summary.segments == keys.count && summary.brought == 1)
        #expect(try scene.content(to) == scene.content(from))
    }

    @Test(arguments: [FaultyObjectStore.Fault.noSpace, .shortWrite, .brokenMedium])
    func `a write that fails ends it, and the next try goes on`(fault: FaultyObjectStore.Fault) async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        var to = scene.local("b")
        to.store = scene.bucket("p")
        try await scene.fill(from)
        var migration = scene.migration(from, to)
        migration.wrap = { objects in
            let faulty = FaultyObjectStore(objects, seed: 1)
            faulty.failNext(.replace, after: 2, with: fault)
            return faulty
        }
        #expect(refusal(migration)?.message.contains("(injected)") == true)
        #expect(!FileManager.default.fileExists(atPath: to.data))
        try scene.move(from, to)
        #expect(try scene.content(to) == scene.content(from))
    }

    @Test func `what was written wrongly is found when it is read back, and written again`() async throws {
        let scene = try MigrationScene()
        let from = scene.local("a")
        var to = scene.local("b")
        to.store = scene.bucket("p")
        try await scene.fill(from)
        var lying = scene.migration(from, to)
        lying.wrap = { LyingObjectStore($0) }
        let error = refusal(lying)
        #expect(error?.code == .dataLoss)
        #expect(error?.message.hasPrefix("segment 0000") == true)
        try scene.move(from, to)
        #expect(try scene.content(to) == scene.content(from))
    }

    #if PostgreSQL
        /// Numbers of servers stand in the names of their segments, and those of a new database begin anew.
        @Test func `the first server of the new catalog has a number that no segment bears`() async throws {
            let scene = try MigrationScene()
            let from = scene.local("a")
            try await scene.fill(from)
            // A segment of the fortieth server, its slots as they are: none.
            let id: UInt64 = 40 << 32 + 3
            do {
                let disk = try LocalDisk(folder: from.data + "/segments")
                let name = String(id, radix: 16)
                let object = try disk.create(
                    String(repeating: "0", count: 16 - name.count) + name + ".open", capacity: 4096, purpose: .small)
                try object.sync()
                disk.release()
            }
            var to = scene.local("b")
            to.store = scene.bucket("p")
            to.catalog = .postgres(try PostgresServer.shared.get().freshDatabase().text)
            try scene.move(from, to)
            guard case .postgres(let address) = to.catalog else { return }
            let server = try PostgresCatalog(PostgresAddress(address), use: .shared)
            #expect(server.peers?.number ?? 0 > 40)
            try server.close()
        }
    #endif
}

/// Writes one byte of a large object wrongly and says that all is well.
private final class LyingObjectStore: ObjectStore {
    private let base: any ObjectStore

    init(_ base: any ObjectStore) { self.base = base }

    var properties: ObjectStoreProperties { base.properties }
    func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        try base.create(name, capacity: capacity, purpose: purpose)
    }
    func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        try base.resume(name, keeping: size)
    }
    func open(_ name: String) throws -> any ReadableObject { try base.open(name) }
    func list() throws -> [ObjectListing] { try base.list() }
    func remove(_ name: String) throws { try base.remove(name) }

    func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var bytes: [UInt8] = []
        try fill { bytes += $0 }
        if bytes.count > 200 { bytes[150] ^= 1 }
        try bytes.withUnsafeBytes { try base.replace(name, with: $0) }
    }
}
