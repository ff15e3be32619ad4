import Backends
import Core
import NIOCore
import Testing

/// Calls that are made again, and those that must not be.
@Suite struct S3RetryTests {
    private static let faults: [S3Fault] = [.slowDown, .reset, .lostAnswer]

    @Test(arguments: faults, [1, 5])
    func `each call survives faults, as if there were none`(fault: S3Fault, times: Int) throws {
        let scene = try S3Scene()
        let service = try scene.retrying()
        func fail() { scene.server.fail(fault, times: times) }
        fail()
        let etag = try service.put("a", ByteBuffer(string: "first"), S3Terms(.absent))
        #expect(scene.bucket["a"]?.etag == etag)
        fail()
        let second = try service.put("a", ByteBuffer(string: "second"), S3Terms(.matches(etag)))
        #expect(scene.bucket["a"]?.bytes == Array("second".utf8))
        fail()
        #expect(try service.head("a").etag == second)
        fail()
        #expect(try service.get("a", 0..<6, etag: second).array == Array("second".utf8))
        fail()
        #expect(try service.list(prefix: "a", next: nil).items.map(\.key) == ["a"])
        fail()
        let upload = try service.begin("b", S3Terms(.absent))
        fail()
        let part = try service.upload(upload, part: 1, ByteBuffer(string: "part"))
        fail()
        try service.complete(upload, [part])
        #expect(scene.bucket["b"]?.bytes == Array("part".utf8))
        fail()
        try service.remove(["a", "b"])
        #expect(scene.bucket.keys == [])
        #expect(scene.server.pendingFaults == 0)
    }

    @Test func `a name that another took meanwhile is taken, whatever was lost`() throws {
        let scene = try S3Scene()
        let service = try scene.retrying()
        scene.bucket.set("a", Array("same bytes".utf8))
        scene.server.fail(.lostAnswer)
        let error = #expect(throws: SpileError.self) {
            try service.put("a", ByteBuffer(string: "same bytes"), S3Terms(.absent))
        }
        #expect(error?.code == .alreadyExists)
        let upload = try service.begin("a", S3Terms(.absent))
        let part = try service.upload(upload, part: 1, ByteBuffer(string: "same bytes"))
        scene.server.fail(.lostAnswer)
        #expect(throws: SpileError.self) { try service.complete(upload, [part]) }
        #expect(scene.bucket["a"]?.token == nil)
    }

    @Test func `an object that nobody knows is not made ours by a fault`() throws {
        let scene = try S3Scene()
        let service = try scene.retrying()
        let upload = try service.begin("a", S3Terms())
        let part = try service.upload(upload, part: 1, ByteBuffer(string: "x"))
        try scene.client().abort(upload)
        scene.server.fail(.slowDown)
        let error = #expect(throws: SpileError.self) { try service.complete(upload, [part]) }
        #expect(error?.code == .notFound)
    }

    @Test func `it is tried so often, after growing pauses, and then said`() throws {
        let scene = try S3Scene()
        let service = try scene.retrying(tries: 5)
        scene.server.fail(.slowDown, times: 5)
        let error = #expect(throws: SpileError.self) { try service.head("a") }
        #expect(error?.code == .unavailable)
        #expect(error?.message.hasPrefix("tried 5 times: cannot look at s3://bucket/a") == true)
        #expect(scene.server.requests.count == 5)
        let bounds = [0.1, 0.2, 0.4, 0.8]
        #expect(scene.paused.count == 4)
        for (pause, bound) in zip(scene.paused, bounds) { #expect((bound / 2...bound).contains(pause)) }
    }

    @Test func `what a retry does not help is not tried again`() throws {
        let scene = try S3Scene()
        let service = try scene.retrying()
        #expect(throws: SpileError.self) { try service.head("none") }
        #expect(throws: SpileError.self) { try service.get("none", 0..<1, etag: nil) }
        #expect(scene.server.requests.count == 2)
        #expect(scene.paused == [])
    }
}
