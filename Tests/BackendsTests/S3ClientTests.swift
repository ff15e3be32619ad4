import Core
import NIOCore
import Simulation
import Testing

@testable import Backends

/// The calls on a bucket, one by one, against a fake that checks each signature.
@Suite struct S3ClientTests {
    private func failure(_ code: SpileError.Code, _ body: () throws -> Void) throws -> SpileError {
        let error = try #require(#expect(throws: SpileError.self, performing: body))
        #expect(error.code == code, "\(error)")
        return error
    }

    @Test(arguments: ["a", "a/b c", "ü+%/~\u{1F41F}", "q?x=1&y=2#z", "a//b", "*'()!"])
    func `an object is put, looked at, read by range and removed`(key: String) throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let bytes = SeededRandomness(seed: 1).bytes(100_000)
        let etag = try client.put(key, ByteBuffer(bytes: bytes), S3Terms(token: "word"))
        #expect(scene.bucket.keys == [key])
        #expect(try client.head(key) == S3Head(size: bytes.count, etag: etag, token: "word"))
        #expect(try client.get(key, 10..<99_999, etag: etag).array == Array(bytes[10..<99_999]))
        #expect(try client.get(key, 0..<1, etag: nil).array == [bytes[0]])
        #expect(try client.get(key, 5..<5, etag: nil).array == [])
        try client.remove([key])
        #expect(scene.bucket.keys == [])
        try client.remove([key])
        _ = try failure(.notFound) { _ = try client.head(key) }
        let error = try failure(.notFound) { _ = try client.get(key, 0..<1, etag: nil) }
        #expect(error.message == "cannot read s3://bucket/\(key): the store answers 404 NoSuchKey: a & b")
    }

    @Test func `a put on condition is done once`() throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let first = try client.put("a", ByteBuffer(string: "1"), S3Terms(.absent))
        _ = try failure(.alreadyExists) { _ = try client.put("a", ByteBuffer(string: "2"), S3Terms(.absent)) }
        let second = try client.put("a", ByteBuffer(string: "3"), S3Terms(.matches(first)))
        _ = try failure(.aborted) { _ = try client.put("a", ByteBuffer(string: "4"), S3Terms(.matches(first))) }
        _ = try failure(.aborted) { _ = try client.get("a", 0..<1, etag: first) }
        #expect(try client.get("a", 0..<1, etag: second).array == Array("3".utf8))
    }

    @Test func `a list comes in pages, with all keys as they are`() throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let keys = ["p/a&b", "p/a b", "p/<x>", "p/\u{1}", "p/é", "p/+", "p/%41", "q"]
        for key in keys { scene.bucket.set(key, [1, 2]) }
        var found: [S3Item] = []
        var next: String?
        repeat {
            let page = try client.list(prefix: "p/", next: next)
            #expect(page.items.count <= 3)
            found += page.items
            next = page.next
        } while next != nil
        #expect(Set(found.map(\.key)) == Set(keys.dropLast()))
        #expect(found.count == 7)
        #expect(found.allSatisfy { $0.size == 2 })
        #expect(try client.list(prefix: "none", next: nil) == S3Page(items: [], next: nil))
    }

    @Test(arguments: [false, true])
    func `many objects are removed, by whatever call the store has`(isLacking: Bool) throws {
        let scene = try S3Scene(isLacking: isLacking)
        let keys = ["a&b", "c", "d e", "not there"]
        for key in keys.dropLast() + ["kept"] { scene.bucket.set(key, []) }
        try scene.client().remove(keys)
        #expect(scene.bucket.keys == ["kept"])
    }

    @Test func `an upload in parts is there once it is complete`() throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let parts = (1...3).map { SeededRandomness(seed: $0).bytes($0 == 3 ? 10 : 70_000) }
        let upload = try client.begin("big one", S3Terms(.absent, token: "word"))
        var etags: [String] = []
        for number in [2, 1, 3] {
            etags.append(try client.upload(upload, part: number, ByteBuffer(bytes: parts[number - 1])))
        }
        etags.swapAt(0, 1)
        #expect(scene.bucket.keys == [])
        #expect(try client.uploads(prefix: "big").map(\.upload.id) == [upload.id])
        try client.complete(upload, etags)
        #expect(scene.bucket["big one"]?.bytes == parts.flatMap { $0 })
        #expect(try client.head("big one").token == "word")
        #expect(scene.bucket.uploads == 0)
        let again = try client.begin("big one", S3Terms(.absent))
        let etag = try client.upload(again, part: 1, ByteBuffer(string: "x"))
        _ = try failure(.alreadyExists) { try client.complete(again, [etag]) }
        try client.abort(again)
        try client.abort(again)
        #expect(scene.bucket.uploads == 0)
    }

    @Test func `a wrong secret, a clock that is off and a bucket that is not there are told apart`() throws {
        let scene = try S3Scene()
        let secret = try failure(.permissionDenied) {
            _ = try scene.client(secret: "wrong").list(prefix: "", next: nil)
        }
        #expect(secret.message.contains("403 SignatureDoesNotMatch") && secret.remedy.contains("AWS_SECRET_ACCESS_KEY"))
        let bucket = try failure(.failedPrecondition) {
            _ = try scene.client(name: "another").list(prefix: "", next: nil)
        }
        #expect(bucket.message.contains("s3://another/") && bucket.remedy.contains("make the bucket"))
        let client = try scene.client()
        scene.server.fail(.slowDown)
        #expect(try failure(.unavailable) { _ = try client.head("a") }.isTransient)
        let clock = ManualClock(seconds: 1_600_000_000)
        let late = S3Client(
            bucket: try S3Bucket(name: "bucket", region: "r", endpoint: scene.server.endpoint),
            credentials: S3FakeBucket.credentials, clock: clock)
        #expect(try failure(.permissionDenied) { _ = try late.list(prefix: "", next: nil) }.remedy.contains("clock"))
    }
}

/// What goes wrong between a client and its store: never a wrong result, and `unavailable` wherever a retry helps.
@Suite struct S3ClientFaultTests {
    private func code(_ body: () throws -> Void) -> SpileError.Code? {
        do { try body() } catch { return (error as? SpileError)?.code }
        return nil
    }

    @Test(arguments: [S3Fault.slowDown, .reset, .lostAnswer, .brokenBody, .shortBody])
    func `a read that fails on the way is no read`(fault: S3Fault) throws {
        let scene = try S3Scene()
        let client = try scene.client()
        scene.bucket.set("a", SeededRandomness(seed: 1).bytes(50_000))
        scene.server.fail(fault)
        #expect(code { _ = try client.get("a", 0..<40_000, etag: nil) } == .unavailable)
        #expect(scene.server.pendingFaults == 0)
        #expect(try client.get("a", 0..<40_000, etag: nil).readableBytes == 40_000)
    }

    @Test func `a store that falls silent is given up`() throws {
        let scene = try S3Scene()
        let client = try scene.client(silence: 0.2)
        scene.server.fail(.silence)
        let error = #expect(throws: SpileError.self) { try client.head("a") }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("fell silent") == true, "\(String(describing: error))")
    }

    @Test func `nobody there is unavailable`() throws {
        let gone = try S3FakeServer { _ in S3FakeAnswer(status: 200) }.endpoint
        let client = S3Client(
            bucket: try S3Bucket(name: "bucket", region: "r", endpoint: gone), credentials: S3FakeBucket.credentials,
            clock: ManualClock())
        let error = #expect(throws: SpileError.self) { try client.head("a") }
        #expect(error?.code == .unavailable)
        let text = String(describing: error)
        #expect(error?.message.contains("cannot be reached: Connection refused") == true, "\(text)")
    }

    @Test func `a range of another object than the one meant is not taken`() throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let etag = try client.put("a", ByteBuffer(string: "abc"), S3Terms())
        scene.server.fail(.wrongETag)
        #expect(code { _ = try client.get("a", 0..<3, etag: etag) } == .aborted)
    }

    @Test func `a failure behind a status of success is one`() throws {
        let scene = try S3Scene()
        let client = try scene.client()
        let upload = try client.begin("a", S3Terms())
        let etag = try client.upload(upload, part: 1, ByteBuffer(string: "x"))
        scene.server.fail(.lateError)
        #expect(code { try client.complete(upload, [etag]) } == .unavailable)
        scene.server.fail(.wrongETag) { $0.method == "PUT" }
        let wrong = try client.upload(upload, part: 1, ByteBuffer(string: "y"))
        #expect(code { try client.complete(upload, [wrong]) } == .invalidArgument)
        #expect(scene.bucket.keys == [])
    }

    @Test func `an answer that is longer than what was asked for is cut off`() throws {
        let server = try S3FakeServer { _ in
            S3FakeAnswer(
                status: 206, headers: [("etag", "\"x\""), ("content-range", "bytes 0-9/10")],
                body: [UInt8](repeating: 0, count: 1 << 20))
        }
        let client = S3Client(
            bucket: try S3Bucket(name: "bucket", region: "r", endpoint: server.endpoint),
            credentials: S3FakeBucket.credentials, clock: ManualClock())
        #expect(code { _ = try client.get("a", 0..<10, etag: nil) } == .unavailable)
    }
}
