import Core
import Foundation
import NIOCore
import Simulation
import Testing

@testable import Backends

/// What the S3 store does beyond the rules of its seam: crashes between steps, faults, other machines.
@Suite struct S3StoreTests {
    private func bytes(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] { SeededRandomness(seed: seed).bytes(count) }

    private func started(_ store: S3Store, _ content: [UInt8]) throws -> any WritableObject {
        let object = try store.create("a", capacity: 0, purpose: .small)
        try object.put(content[...], at: 0)
        try object.sync()
        return object
    }

    @Test func `each sync makes one object of what is new, and the end leaves one in all`() throws {
        let scene = try S3Scene()
        let store = try scene.store()
        let content = bytes(50_000)
        let object = try store.create("a", capacity: 0, purpose: .small)
        #expect(scene.bucket.keys == ["some/place/open/a/begun"])
        try object.put(content[..<10], at: 0)
        try object.sync()
        try object.put(content[10...], at: 10)
        try object.sync()
        let extents = ["0000000000000000", "000000000000000a", "000000000000800a"].map { "some/place/open/a/\($0)" }
        #expect(scene.bucket.keys == extents + ["some/place/open/a/begun"])
        try object.finish(size: content.count, as: "b")
        #expect(scene.bucket.keys == ["some/place/b"])
        #expect(scene.bucket["some/place/b"]?.bytes == content)
    }

    @Test func `what was just written is read without a request for its bytes`() throws {
        let scene = try S3Scene()
        do {
            let store = try scene.store()
            try store.make("a", bytes(300_000))
            scene.server.forgetRequests()
            #expect(try store.all("a") == bytes(300_000))
            #expect(scene.server.requests.map(\.method) == ["HEAD"])
        }
        // The cache outlives the store.
        let next = try scene.store(again: true)
        scene.server.forgetRequests()
        #expect(try next.all("a") == bytes(300_000))
        #expect(scene.server.requests.map(\.method) == ["HEAD"])
        let other = try scene.store()
        scene.server.forgetRequests()
        #expect(try other.all("a") == bytes(300_000))
        #expect(scene.server.requests.map(\.method) == ["HEAD", "GET"])
    }

    @Test func `a reader that goes on in order asks for more at once`() throws {
        let scene = try S3Scene()
        try scene.store().make("a", bytes(12 << 20))
        let store = try scene.store(change: { $0.cacheBytes = 32 << 20 })
        let reader = try store.open("a")
        scene.server.forgetRequests()
        for block in 0..<12 { #expect(try reader.take((block << 20)..<((block << 20) + 10)).count == 10) }
        let ranges = scene.server.requests.compactMap { $0.headers["range"] }
        let expected = ["0-1048575", "1048576-3145727", "3145728-7340031", "7340032-12582911"]
        #expect(ranges == expected.map { "bytes=\($0)" })
    }

    @Test func `an end that a crash cut off is taken up by the next machine`() throws {
        let scene = try S3Scene()
        let content = bytes(60_000)
        let store = try scene.store()
        let object = try started(store, content)
        // The finished object is refused for good: as if the machine had died before.
        scene.server.fail(.slowDown, times: 6) { $0.method == "PUT" && $0.path == "/bucket/some/place/b" }
        #expect(throws: SpileError.self) { try object.finish(size: 60_000, as: "b") }
        #expect(throws: SpileError.self) { try object.sync() }
        #expect(scene.bucket.keys.contains("some/place/open/a/ends-as/b"))
        let next = try scene.store()
        #expect(try next.list() == [ObjectListing(name: "a", size: 60_000)])
        try next.resume("a", keeping: 60_000).finish(size: 60_000, as: "b")
        #expect(scene.bucket.keys == ["some/place/b"])
        #expect(try next.all("b") == content)
    }

    @Test(arguments: ["some/place/open/a/begun", ""])
    func `remnants of an end are hidden, and the next start clears them away`(key: String) throws {
        let scene = try S3Scene()
        let store = try scene.store()
        let object = try started(store, bytes(60_000))
        scene.server.fail(.slowDown, times: 6) { request in
            key.isEmpty ? request.method == "POST" : request.method == "DELETE" && request.path.hasSuffix(key)
        }
        try object.finish(size: 60_000, as: "b")
        #expect(scene.bucket.keys.count > 1)
        #expect(try store.list() == [ObjectListing(name: "b", size: 60_000)])
        let next = try scene.store()
        #expect(scene.bucket.keys == ["some/place/b"])
        #expect(try next.all("b") == bytes(60_000))
    }

    @Test func `extents behind a gap do not count`() throws {
        let scene = try S3Scene()
        let content = bytes(200_000)
        let store = try scene.store()
        let object = try started(store, Array(content[..<10_000]))
        try object.put(content[10_000...], at: 10_000)
        // The second of several that one sync makes: 0x2710 + 0x8000.
        scene.server.fail(.slowDown, times: 100) { $0.path.hasSuffix("/000000000000a710") }
        #expect(throws: SpileError.self) { try object.sync() }
        #expect(throws: SpileError.self) { try object.write(UnsafeRawBufferPointer(start: nil, count: 0), at: 0) }
        let next = try scene.store()
        let size = try #require(try next.list().first).size
        #expect(size == 10_000 || size == 0xa710)
        #expect(try next.open("a").take(0..<size) == Array(content[..<size]))
        let resumed = try next.resume("a", keeping: size)
        try resumed.put(content[size...], at: size)
        for key in scene.bucket.keys where key.contains("/0000") {
            #expect(try #require(Int(key.suffix(16), radix: 16)) < size)
        }
        try resumed.finish(size: content.count, as: "b")
        #expect(try next.all("b") == content)
    }

    @Test func `of two that make the same name one has it, whatever is lost`() throws {
        let scene = try S3Scene()
        let (first, second) = (try scene.store(), try scene.store())
        scene.server.fail(.lostAnswer, times: 2) { $0.method == "PUT" }
        let object = try first.create("a", capacity: 0, purpose: .small)
        let error = #expect(throws: SpileError.self) { try second.create("a", capacity: 0, purpose: .small) }
        #expect(error?.code == .alreadyExists)
        try object.put([1], at: 0)
        try object.finish(size: 1, as: "b")
        let other = try second.create("a", capacity: 0, purpose: .small)
        try other.put([2], at: 0)
        try other.sync()
        let taken = #expect(throws: SpileError.self) { try other.finish(size: 1, as: "b") }
        #expect(taken?.code == .alreadyExists)
        // What it had synced is still there: the end of another is not its own.
        let third = try scene.store()
        #expect(Set(try third.list().map(\.name)) == ["a", "b"])
        #expect(try third.all("a") == [2])
    }

    @Test func `a reader on another machine is told that its object was replaced`() throws {
        let scene = try S3Scene()
        let (first, second) = (try scene.store(), try scene.store())
        try first.make("a", bytes(3 << 20))
        let reader = try second.open("a")
        #expect(try reader.take(0..<10) == Array(bytes(3 << 20)[..<10]))
        try bytes(3 << 20, 2).withUnsafeBytes { try first.replace("a", with: $0) }
        #expect(try reader.take(100..<200) == Array(bytes(3 << 20)[100..<200]))
        let error = #expect(throws: SpileError.self) { try reader.take((2 << 20)..<(2 << 20) + 10) }
        #expect(error?.code == .aborted)
        #expect(error?.remedy == "open it again")
        #expect(try second.all("a") == bytes(3 << 20, 2))
    }

    @Test func `an object replaced by another machine meanwhile is not replaced again`() throws {
        let scene = try S3Scene()
        let (first, second) = (try scene.store(), try scene.store())
        try first.make("a", [1])
        // Between the look at what is there and the writing of what replaces it.
        scene.server.fail(.slowDown) { [bucket = scene.bucket] request in
            if request.method == "PUT" { bucket.set("some/place/a", [2]) }
            return false
        }
        let new: [UInt8] = [3]
        let error = #expect(throws: SpileError.self) { try new.withUnsafeBytes { try second.replace("a", with: $0) } }
        #expect(error?.code == .aborted)
        #expect(try first.all("a") == [2])
    }

    @Test func `uploads that were forgotten are given up a day later`() throws {
        let scene = try S3Scene()
        let store = try scene.store()
        let content = bytes(300_000)
        scene.server.fail(.slowDown, times: 100) { $0.method == "PUT" && $0.query.contains { $0.value == "2" } }
        scene.server.fail(.slowDown, times: 6) { $0.method == "DELETE" && !$0.query.isEmpty }
        #expect(throws: SpileError.self) { try store.make("a", content) }
        #expect(scene.bucket.uploads == 1)
        _ = try scene.store()
        #expect(scene.bucket.uploads == 1)
        scene.bucket.clock.advance(seconds: 90_000)
        _ = try scene.store()
        #expect(scene.bucket.uploads == 0)
    }

    @Test func `a bucket that does not keep to conditions is refused`() throws {
        for (scene, word) in [(try S3Scene(isLacking: true), "refuses"), (try S3Scene(isCareless: true), "ignores")] {
            for _ in 0..<2 {
                let error = #expect(throws: SpileError.self) { try scene.store() }
                #expect(error?.code == .failedPrecondition)
                #expect(error?.message.contains("\(word) writes on condition") == true)
            }
        }
    }

    @Test func `a working folder has one owner, and what lies under other keys is left alone`() throws {
        let scene = try S3Scene()
        let strangers = ["some/place/x/y", "some/placeb", "other", "some/place/open/x"]
        for key in strangers { scene.bucket.set(key, [1]) }
        let store = try scene.store()
        let error = #expect(throws: SpileError.self) { try scene.store(again: true) }
        #expect(error?.code == .failedPrecondition)
        #expect(try store.list() == [])
        #expect(scene.bucket.keys == strangers.sorted())
        withExtendedLifetime(store) {}
    }

    @Test(arguments: [1, 2, 3, 4])
    func `stores work as ever while every seventh request goes wrong`(seed: UInt64) throws {
        let scene = try S3Scene()
        let random = SeededRandomness(seed: seed)
        for fault in [S3Fault.slowDown, .reset, .lostAnswer] {
            scene.server.fail(fault, times: .max) { _ in random.below(21) == 0 }
        }
        scene.server.fail(.brokenBody, times: .max) { $0.method == "GET" && random.below(21) == 0 }
        var expected: [String: [UInt8]] = [:]
        for number in 0..<12 {
            let store = try scene.store()
            let content = random.bytes(random.below(400_000))
            let object = try store.create("\(number).open", capacity: 0, purpose: .small)
            var end = 0
            while end < content.count {
                let next = min(content.count, end + 1 + random.below(100_000))
                try object.put(content[end..<next], at: end)
                try object.sync()
                end = next
            }
            try object.finish(size: content.count, as: "\(number)")
            expected["\(number)"] = content
            if random.below(3) == 0, let name = expected.keys.sorted().first {
                try store.remove(name)
                expected[name] = nil
            }
            if random.below(2) == 0, let name = expected.keys.sorted().last {
                let new = random.bytes(random.below(300_000))
                try new.withUnsafeBytes { try store.replace(name, with: $0) }
                expected[name] = new
            }
        }
        let last = try scene.store()
        for (name, content) in expected { #expect(try last.all(name) == content) }
        #expect(Set(try last.list().map(\.name)) == Set(expected.keys))
        #expect(scene.paused.count > 10)
    }
}
