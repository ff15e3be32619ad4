import Core
import Foundation
import Simulation
import Testing

@testable import Backends
@testable import Server

/// Which store goes with which catalog.
@Suite(.timeLimit(.minutes(15))) struct StorePlaceTests {
    private let scene: S3Scene
    private let catalog: SQLiteCatalog

    init() throws {
        scene = try S3Scene()
        catalog = try SQLiteCatalog(path: scene.folder + "/catalog.sqlite")
    }

    /// What a server that starts with `--store s3://bucket/PREFIX` would do.
    private func open(_ prefix: String, data: String = "data", with catalog: (any Catalog)? = nil) throws {
        let folder = try DataFolder(scene.folder + "/" + data)
        _ = try StorePlace("s3://\(S3FakeBucket.name)/\(prefix)").open(
            with: catalog ?? self.catalog, folder, clock: scene.bucket.clock, randomness: SeededRandomness(seed: 1),
            environment: scene.environment)
    }

    private func refusal(_ body: () throws -> Void) -> SpileError? {
        let error = #expect(throws: SpileError.self, performing: body)
        #expect(error?.code == .failedPrecondition)
        return error
    }

    @Test func `nothing said is the folder, a bucket is named by its URL`() throws {
        #expect(try StorePlace(nil) == .folder)
        #expect(try StorePlace("") == .folder)
        let place = StorePlace.bucket(S3Location(bucket: "b", key: "p/q/"))
        #expect(try StorePlace("s3://b/p/q") == place)
        #expect(try StorePlace("s3://b/p/q/") == place)
        #expect(try StorePlace("s3://b") == .bucket(S3Location(bucket: "b", key: "")))
        #expect(try StorePlace("s3://b/p?region=x") == .bucket(S3Location(bucket: "b", key: "p/", region: "x")))
        for text in ["/srv/store", "s3://", "s3://KEY:hunter2@b/p"] {
            let error = #expect(throws: SpileError.self) { _ = try StorePlace(text) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.description.contains("hunter2") == false)
        }
    }

    @Test func `an empty bucket and an empty catalog are bound for good`() throws {
        try open("p")
        let id = try #require(try catalog.read { try $0.setting("cluster_id") })
        #expect(scene.bucket["p/catalog"]?.bytes == Array(id.utf8))
        _ = try catalog.write { try $0.makeRepo("a") }
        try open("p")
        let other = try SQLiteCatalog(path: scene.folder + "/other.sqlite")
        let error = refusal { try open("p", data: "other", with: other) }
        #expect(error?.message == "store s3://bucket/p/ belongs to another catalog")
        #expect(try other.read { try $0.setting("cluster_id") } == nil)
    }

    @Test func `a catalog that has commits is bound to no other store`() throws {
        try open("p")
        try catalog.write { writer throws in
            let repo = try writer.makeRepo("a")
            _ = try writer.makeCommit(1, in: repo, branch: nil)
        }
        #expect(refusal { try open("q") }?.message == "store s3://bucket/q/ belongs to another catalog")
        #expect(scene.bucket["q/catalog"] == nil)
        try open("p")
    }

    @Test func `a bucket that is being filled by a migration is left to that`() throws {
        scene.bucket.set("p/migrating", Array("id".utf8))
        #expect(refusal { try open("p") }?.message.contains("belongs to another catalog") == true)
        #expect(scene.bucket["p/catalog"] == nil)
    }

    @Test func `a data folder that has a store of its own is refused`() throws {
        let segments = scene.folder + "/data/segments"
        try FileManager.default.createDirectory(atPath: segments, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: segments + "/0000000000000001.seg"))
        #expect(refusal { try open("p") }?.message == "data folder \(scene.folder)/data has a store of its own")
    }

    @Test func `what stands below the prefix and is not what it should be is told and left as it is`() throws {
        scene.bucket.set("p/catalog", [UInt8](repeating: 1, count: 70 << 10))
        let error = #expect(throws: SpileError.self) { try open("p") }
        #expect(error?.code == .dataLoss)
        #expect(error?.message.contains("has 71680 bytes, which is more than it can have") == true)
        #expect(scene.bucket["p/catalog"]?.bytes.count == 70 << 10)
    }

    @Test func `the key of content is made once, and a setting that is none is not replaced`() throws {
        let key = try ContentURLs.key(of: catalog, SeededRandomness(seed: 1))
        #expect(key.count == 32)
        #expect(try ContentURLs.key(of: catalog, SeededRandomness(seed: 2)) == key)
        try catalog.write { try $0.setSetting("content_url_key", to: "abc") }
        let error = #expect(throws: SpileError.self) {
            _ = try ContentURLs.key(of: catalog, SeededRandomness(seed: 3))
        }
        #expect(error?.code == .dataLoss && error?.message == "the catalog's setting content_url_key is no key")
    }
}
