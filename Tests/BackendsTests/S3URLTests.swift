import Backends
import Core
import Foundation
import Simulation
import Testing

/// Files by `s3://`, from a fake bucket.
@Suite(.timeLimit(.minutes(15))) struct S3URLTests {
    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [0, 1, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 64 << 10, 200_000])
    func `an object comes whole, whatever its size`(size: Int) async throws {
        let places = try S3Places()
        let bytes = SeededRandomness(seed: 7).bytes(size)
        places.scene.bucket.set("a b/c", bytes)
        #expect(try await places.buckets.fetch("s3://bucket/a%20b/c") == ["": bytes])
    }

    @Test func `a small object costs one request`() async throws {
        let places = try S3Places()
        places.scene.bucket.set("a", Self.text("1"))
        _ = try await places.buckets.fetch("s3://bucket/a")
        #expect(places.scene.server.requests.count == 1)
    }

    @Test func `all objects of a prefix come, in order, page by page`() async throws {
        let places = try S3Places(pageSize: 3)
        var expected: [String: [UInt8]] = [:]
        for number in 0..<50 {
            let name = String(format: "%02d", number)
            let bytes = SeededRandomness(seed: UInt64(number)).bytes(number * 997)
            places.scene.bucket.set("logs/d\(number % 3)/\(name)", bytes)
            expected["/d\(number % 3)/\(name)"] = bytes
        }
        places.scene.bucket.set("logs2/x", Self.text("no"))
        places.scene.bucket.set("logs/empty/", [])
        var rests: [String] = []
        let found = try await places.buckets.fetch("s3://bucket/logs/", recursive: true) { rests.append($0) }
        #expect(found == expected)
        #expect(rests == rests.sorted())
    }

    @Test(arguments: [
        ("", ["/logs/a", "/logs/b/c", "/logs2/d"]), ("/", ["/logs/a", "/logs/b/c", "/logs2/d"]),
        ("/logs", ["/a", "/b/c", "2/d"]), ("/logs/", ["/a", "/b/c"]), ("/logs/a", [""]), ("/logs/b", ["/c"]),
    ])
    func `a prefix is the beginning of a key, and what follows names the file`(
        path: String, rests: [String]
    ) async throws {
        let places = try S3Places()
        for key in ["logs/a", "logs/b/c", "logs2/d"] { places.scene.bucket.set(key, Self.text(key)) }
        let found = try await places.buckets.fetch("s3://bucket\(path)", recursive: true)
        #expect(found.keys.sorted() == rests.sorted())
    }

    @Test func `while a piece is taken, no more than the beginnings of the next objects are asked for`() async throws {
        let places = try S3Places(pageSize: 100)
        for number in 0..<60 { places.scene.bucket.set("a/\(100 + number)", Self.text("x")) }
        let server = places.scene.server
        let fetcher = try URLFetcher(folders: [], trustFile: nil, buckets: places.buckets)
        var taken = 0
        try await fetcher.fetch(try SourceURL("s3://bucket/a/"), recursive: true) { _, _ in
            taken += 1
            // One more than are ahead, and the list.
            #expect(server.requests.count <= taken + 16 + 1)
        }
        await fetcher.close()
        #expect(taken == 60)
    }

    @Test func `what goes wrong for a moment is tried again`() async throws {
        let places = try S3Places()
        let bytes = SeededRandomness(seed: 7).bytes(200_000)
        places.scene.bucket.set("a", bytes)
        for fault in [S3Fault.slowDown, .reset, .brokenBody, .shortBody] {
            places.scene.server.fail(fault, times: 2)
            #expect(try await places.buckets.fetch("s3://bucket/a") == ["": bytes])
            places.scene.server.fail(fault, times: 2)
            #expect(try await places.buckets.fetch("s3://bucket/", recursive: true) == ["/a": bytes])
        }
        #expect(places.scene.server.pendingFaults == 0)
        places.scene.server.fail(.slowDown, times: 100)
        #expect(await places.buckets.failure("s3://bucket/a")?.code == .unavailable)
    }

    @Test func `an object that is replaced in the middle is not put together of two`() async throws {
        let places = try S3Places()
        let bucket = places.scene.bucket
        bucket.set("a", SeededRandomness(seed: 7).bytes(200_000))
        let fetcher = try URLFetcher(folders: [], trustFile: nil, buckets: places.buckets)
        let url = try SourceURL("s3://bucket/a")
        let error = await #expect(throws: SpileError.self) {
            try await fetcher.fetch(url, recursive: false) { _, _ in
                bucket.set("a", SeededRandomness(seed: 8).bytes(200_000))
            }
        }
        await fetcher.close()
        #expect(error?.code == .aborted)
    }

    @Test func `an error of whoever takes the pieces ends the fetch`() async throws {
        let places = try S3Places()
        for key in ["a", "b", "c"] { places.scene.bucket.set(key, Self.text(key)) }
        struct Full: Error {}
        let fetcher = try URLFetcher(folders: [], trustFile: nil, buckets: places.buckets)
        let url = try SourceURL("s3://bucket")
        await #expect(throws: Full.self) {
            try await fetcher.fetch(url, recursive: true) { rest, _ in if rest == "/b" { throw Full() } }
        }
        await fetcher.close()
    }

    @Test func `what is not there, not allowed or not written right is told with what to do`() async throws {
        let places = try S3Places()
        places.scene.bucket.set("a/b", Self.text("x"))
        let buckets = places.buckets
        let missing = await buckets.failure("s3://bucket/a")
        #expect(missing?.code == .notFound && missing?.remedy.contains("put file -r") == true)
        #expect(await buckets.failure("s3://bucket/none/", recursive: true)?.code == .notFound)
        let whole = await buckets.failure("s3://bucket/")
        #expect(whole?.code == .invalidArgument && whole?.remedy.contains("put file -r") == true)
        #expect(await buckets.failure("s3://another/a")?.code == .failedPrecondition)
        #expect(await buckets.failure("s3://no%20bucket/a")?.code == .invalidArgument)
        let other = await buckets.failure("gs://bucket/a")
        #expect(other?.code == .unimplemented && other?.remedy.contains("SPILE_S3_ENDPOINT") == true)
        let stranger = try S3Places(variables: ["AWS_SECRET_ACCESS_KEY": "wrong"])
        #expect(await stranger.buckets.failure("s3://bucket/a")?.code == .permissionDenied)
        let keyless = try S3Places(variables: ["AWS_ACCESS_KEY_ID": ""])
        let error = await keyless.buckets.failure("s3://bucket/a")
        #expect(error?.code == .failedPrecondition && error?.remedy.contains("AWS_ACCESS_KEY_ID") == true)
    }

    @Test func `where the server keeps its own data no URL leads`() async throws {
        let places = try S3Places { $0.own = S3Location(bucket: "bucket", key: "spile/") }
        for key in ["spile/segment", "spiles", "other"] { places.scene.bucket.set(key, Self.text(key)) }
        for url in ["s3://bucket/spile/segment", "s3://bucket/", "s3://bucket/spile/", "s3://bucket/sp"] {
            #expect(await places.buckets.failure(url, recursive: true)?.code == .permissionDenied, "\(url)")
        }
        #expect(try await places.buckets.fetch("s3://bucket/spiles") == ["": Self.text("spiles")])
        let error = await #expect(throws: SpileError.self) {
            try await places.buckets.put("/segment", [1], below: "s3://bucket/spile")
        }
        #expect(error?.code == .permissionDenied)
        try await places.buckets.put("/a", [1], below: "s3://bucket/other")
        // What its place begins with is another object.
        try await places.buckets.put("/sp", [2], below: "s3://bucket")
        #expect(try await places.buckets.fetch("s3://bucket/sp") == ["": [2]])
        #expect(places.scene.bucket["spile/segment"]?.bytes == Self.text("spile/segment"))
    }
}
