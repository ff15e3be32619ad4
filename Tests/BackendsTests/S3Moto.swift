import Backends
import Core
import Foundation
import NIOCore
import Simulation
import TestHelpers
import Testing

/// The S3 server of `Scripts/s3-server.py`: one process for all tests, which ends with this one.
final class S3Moto: Sendable {
    private struct Access: Decodable {
        var endpoint: String
        var bucket: String
        var region: String
        var accessKey: String
        var secretKey: String
    }

    private static let environment = ".venv-s3"

    static let isInstalled = PythonHelper.isInstalled(environment)

    private static let running = Result { try S3Moto() }

    /// Starts it when first asked for.
    static func shared() throws -> S3Moto { try running.get() }

    private let helper: PythonHelper
    private let access: Access

    private init() throws {
        helper = try PythonHelper(Self.environment, "Scripts/s3-server.py")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        access = try decoder.decode(Access.self, from: helper.line)
    }

    func client(secret: String? = nil) throws -> S3Client {
        S3Client(
            bucket: try S3Bucket(name: access.bucket, region: access.region, endpoint: access.endpoint),
            credentials: S3Credentials(accessKey: access.accessKey, secretKey: secret ?? access.secretKey),
            clock: WallClock())
    }

    var bucket: String { access.bucket }

    /// What URLs lead to, for a server with that environment.
    func buckets() -> S3Buckets {
        var options = S3Buckets.Options()
        options.pieceBytes = 5 << 20
        options.firstBytes = 1 << 20
        return S3Buckets(
            variables: [
                "AWS_ACCESS_KEY_ID": access.accessKey, "AWS_SECRET_ACCESS_KEY": access.secretKey,
                "AWS_REGION": access.region, "AWS_ENDPOINT_URL": access.endpoint,
            ], options: options, clock: WallClock(), randomness: SeededRandomness(seed: 11))
    }

    /// A store of its own in the bucket, on a machine of that number.
    func store(_ prefix: String, _ folder: String, machine: Int) throws -> S3Store {
        var options = S3StoreOptions(folder: "\(folder)/\(machine)", prefix: prefix)
        options.cacheBytes = 3 << 20
        options.singlePutBytes = 5 << 20
        options.partBytes = 5 << 20
        options.extentBytes = 32 << 10
        // The server answers 500 to a list while others write.
        let service = S3Retrying(try client(), randomness: SeededRandomness(seed: UInt64(machine))) { _ in }
        return try S3Store(service, options: options, clock: WallClock())
    }
}

/// The client and the store against a server that others wrote, which checks signatures by other code.
@Suite(.enabled(if: S3Moto.isInstalled, "Scripts/python-env.sh s3 installs the server"))
struct S3MotoTests {
    private func code(_ body: () throws -> Void) -> SpileError.Code? {
        do { try body() } catch { return (error as? SpileError)?.code }
        return nil
    }

    @Test(arguments: ObjectStoreSuite.all)
    func `the store keeps the rule on it`(rule: ObjectStoreRule) throws {
        let moto = try S3Moto.shared()
        let prefix = UUID().uuidString
        let folder = NSTemporaryDirectory() + "spile-moto-\(prefix)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var machine = 0
        try rule.check(
            ObjectStoreScene(try moto.store(prefix, folder, machine: 0)) { _ in
                machine += 1
                return try moto.store(prefix, folder, machine: machine)
            })
    }

    @Test(arguments: ["plain", "a/b c", "ü+%/~\u{1F41F}", "q?x=1&y=2#z", "*'()!", "a=b:c@d,e;f$g"])
    func `a key of any kind is signed as it has to be`(key: String) throws {
        let client = try S3Moto.shared().client()
        let key = "keys/" + key
        let etag = try client.put(key, .init(string: "0123456789"), S3Terms(.absent, token: "word"))
        #expect(code { _ = try client.put(key, .init(string: ""), S3Terms(.absent)) } == .alreadyExists)
        #expect(try client.get(key, 2..<5, etag: etag).array == Array("234".utf8))
        #expect(try client.head(key).token == "word")
        #expect(try client.list(prefix: key, next: nil).items.map(\.key) == [key])
        try client.remove([key, key + "not there"])
        #expect(code { _ = try client.head(key) } == .notFound)
    }

    @Test func `uploads in parts, conditions and refusals are as with the fake`() throws {
        let moto = try S3Moto.shared()
        let client = try moto.client()
        let upload = try client.begin("uploads/a b", S3Terms(.absent, token: "word"))
        let etags = try [6 << 20, 10].enumerated().map { index, count in
            try client.upload(upload, part: index + 1, .init(repeating: UInt8(index), count: count))
        }
        let pending = try client.uploads(prefix: "uploads/")
        #expect(pending.map(\.upload.id) == [upload.id])
        #expect(pending.first?.begun.hasPrefix("20") == true)
        try client.complete(upload, etags)
        let head = try client.head("uploads/a b")
        #expect(head.size == (6 << 20) + 10 && head.token == "word")
        let other = try client.begin("uploads/a b", S3Terms(.absent))
        let etag = try client.upload(other, part: 1, .init(string: "x"))
        #expect(code { try client.complete(other, [etag]) } == .alreadyExists)
        try client.abort(other)
        #expect(try client.uploads(prefix: "uploads/") == [])
        #expect(code { _ = try client.get("uploads/a b", 0..<1, etag: "\"another\"") } == .aborted)
        let wrong = try moto.client(secret: "wrong")
        #expect(code { _ = try wrong.head("uploads/a b") } == .permissionDenied)
        #expect(code { _ = try wrong.put("uploads/c", .init(string: "x"), S3Terms()) } == .permissionDenied)
    }

    @Test func `files leave by s3 URLs and come back by them`() async throws {
        let moto = try S3Moto.shared()
        let buckets = moto.buckets()
        let url = "s3://\(moto.bucket)/\(UUID().uuidString)"
        var files = ["/empty": [], "/d/small": Array("1".utf8), "/large": SeededRandomness(seed: 1).bytes(11 << 20)]
        for (path, bytes) in files { try await buckets.put(path, bytes, below: url) }
        #expect(try await buckets.fetch(url, recursive: true) == files)
        let large = try await buckets.fetch(url + "/large")
        #expect(large[""] == files["/large"])
        #expect(try await buckets.fetch(url + "/empty") == ["": []])
        #expect(await buckets.failure(url + "/d")?.code == .notFound)
        #expect(await buckets.failure("s3://no-such-bucket-here/a")?.code == .failedPrecondition)
        // More than a page, with names of all kinds.
        files = [:]
        for number in 0..<1003 { files["/many/ü \(number)&+?#%"] = Array("\(number)".utf8) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (path, bytes) in files { group.addTask { try await buckets.put(path, bytes, below: url) } }
            try await group.waitForAll()
        }
        let found = try await buckets.fetch(url + "/many/", recursive: true)
        #expect(found.count == 1003 && found["/ü 7&+?#%"] == Array("7".utf8))
    }
}
