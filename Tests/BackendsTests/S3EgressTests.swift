import Backends
import Core
import Simulation
import Testing

/// Files that leave for a fake bucket.
@Suite(.timeLimit(.minutes(15))) struct S3EgressTests {
    private static let piece = S3Places.pieceBytes

    private func code(_ body: () async throws -> Void) async -> SpileError.Code? {
        do { try await body() } catch { return (error as? SpileError)?.code }
        return nil
    }

    @Test(arguments: [0, 1, Self.piece, Self.piece + 1, 3 * Self.piece, 3 * Self.piece + 5])
    func `a file is there whole, whatever its size`(size: Int) async throws {
        let places = try S3Places()
        let bytes = SeededRandomness(seed: 3).bytes(size)
        places.scene.bucket.set("out/a b", [1, 2, 3])
        try await places.buckets.put("/a b", bytes, below: "s3://bucket/out")
        #expect(places.scene.bucket["out/a b"]?.bytes == bytes)
        #expect(places.scene.bucket.uploads == 0)
    }

    @Test(arguments: [
        ("s3://bucket", "a/b"), ("s3://bucket/", "a/b"), ("s3://bucket/out", "out/a/b"),
        ("s3://bucket/out/", "out/a/b"), ("s3://bucket/ou%74%3F/x", "out?/x/a/b"),
    ])
    func `a path goes below the prefix`(url: String, key: String) async throws {
        let places = try S3Places()
        try await places.buckets.put("/a/b", [1], below: url)
        #expect(places.scene.bucket.keys == [key])
    }

    @Test func `each request may go wrong for a moment`() async throws {
        let bytes = SeededRandomness(seed: 3).bytes(2 * Self.piece + 1)
        let places = try S3Places()
        places.scene.server.plan([])
        try await places.buckets.put("/a", bytes, below: "s3://bucket")
        let requests = places.scene.server.count
        #expect(requests == 5)
        for number in 0..<requests {
            for fault in [S3Fault.slowDown, .reset, .lostAnswer, .lateError] {
                places.scene.bucket.set("a", [])
                places.scene.server.plan([(fault, number..<number + 1)])
                let error = await code { try await places.buckets.put("/a", bytes, below: "s3://bucket") }
                #expect(error == nil, "\(fault) of request \(number)")
                #expect(places.scene.bucket["a"]?.bytes == bytes, "\(fault) of request \(number)")
            }
        }
    }

    @Test func `what does not come to its end leaves what was there`() async throws {
        let places = try S3Places()
        places.scene.bucket.set("a", [1, 2, 3])
        let bytes = SeededRandomness(seed: 3).bytes(2 * Self.piece + 1)
        places.scene.server.fail(.slowDown, times: 100) { $0.asks("partNumber") == "2" }
        #expect(await code { try await places.buckets.put("/a", bytes, below: "s3://bucket") } == .unavailable)
        #expect(places.scene.bucket["a"]?.bytes == [1, 2, 3])
        // The parts are given up behind the back of whoever waits for the answer.
        while places.scene.bucket.uploads > 0 { await Task.yield() }
    }

    @Test func `an error of whoever gives the bytes ends it`() async throws {
        struct Gone: Error {}
        let places = try S3Places()
        let url = try SourceURL("s3://bucket/out")
        var given = 0
        await #expect(throws: Gone.self) {
            try await S3Egress(places.buckets).put("/a", size: 300_000, below: url) { most in
                given += 1
                if given > 3 { throw Gone() }
                return [UInt8](repeating: 1, count: most)
            }
        }
        #expect(places.scene.bucket.keys == [])
        while places.scene.bucket.uploads > 0 { await Task.yield() }
    }

    @Test func `whoever gives up waits for no further try`() async throws {
        let places = try S3Places { $0.policy.firstPause = 1000 }
        places.scene.server.fail(.slowDown, times: 100)
        let put = Task { try await places.buckets.put("/a", [1], below: "s3://bucket") }
        while places.scene.server.requests.isEmpty { await Task.yield() }
        put.cancel()
        await #expect(throws: CancellationError.self) { try await put.value }
        #expect(places.scene.server.requests.count == 1 && places.scene.bucket.keys == [])
    }

    @Test func `what cannot be written is told apart by its code`() async throws {
        let places = try S3Places()
        let long = "/" + String(repeating: "a", count: 1020)
        #expect(await code { try await places.buckets.put(long, [1], below: "s3://bucket/out/x") } == .invalidArgument)
        #expect(await code { try await places.buckets.put("/a", [1], below: "s3://another") } == .failedPrecondition)
        #expect(await code { try await places.buckets.put("/a", [1], below: "https://host/x") } == .invalidArgument)
        #expect(await code { try await places.buckets.put("/a", [1], below: "azblob://bucket/x") } == .unimplemented)
        let stranger = try S3Places(variables: ["AWS_SECRET_ACCESS_KEY": "wrong"])
        #expect(await code { try await stranger.buckets.put("/a", [1], below: "s3://bucket") } == .permissionDenied)
    }
}
