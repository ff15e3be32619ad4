import Backends
import Core
import Foundation
import NIOCore
import Simulation
import Synchronization

/// A fake bucket behind its server, with clients and stores on it. Folders go with the scene.
final class S3Scene: Sendable {
    let bucket: S3FakeBucket
    let server: S3FakeServer
    let folder: String
    private let machines = Mutex(0)
    private let pauses = Mutex<[Double]>([])

    init(pageSize: Int = 3, isLacking: Bool = false, isCareless: Bool = false) throws {
        let bucket = S3FakeBucket(pageSize: pageSize, isLacking: isLacking, isCareless: isCareless)
        self.bucket = bucket
        server = try S3FakeServer { bucket.answer($0) }
        folder = NSTemporaryDirectory() + "spile-s3-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// What a server's environment has to say to get here.
    var environment: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "not/a+secret", "AWS_SESSION_TOKEN": "lent",
            "AWS_REGION": "eu-test-1", "SPILE_S3_ENDPOINT": server.endpoint,
        ]
    }

    /// Pauses that retries would have made, in seconds.
    var paused: [Double] { pauses.withLock { $0 } }

    func client(silence: Double = 20, name: String = S3FakeBucket.name, secret: String? = nil) throws -> S3Client {
        var options = S3TransportOptions()
        options.silenceSeconds = silence
        let right = S3FakeBucket.credentials
        let wrong = secret.map { S3Credentials(accessKey: "KEY", secretKey: $0, sessionToken: "lent") }
        return S3Client(
            bucket: try S3Bucket(name: name, region: "eu-test-1", endpoint: server.endpoint),
            credentials: wrong ?? right, options: options, clock: bucket.clock)
    }

    /// A client that tries again without a pause.
    func retrying(silence: Double = 20, tries: Int = 6) throws -> S3Retrying {
        var policy = S3RetryPolicy()
        policy.tries = tries
        return S3Retrying(
            try client(silence: silence), policy: policy,
            randomness: SeededRandomness(seed: UInt64(server.requests.count) &+ UInt64(server.port) << 20)
        ) { [self] seconds in pauses.withLock { $0.append(seconds) } }
    }

    /// A store of a machine that has nothing of it yet, or of the one before with `again`.
    func store(
        again: Bool = false, silence: Double = 20, change: (inout S3StoreOptions) -> Void = { _ in }
    ) throws -> S3Store {
        let number = machines.withLock { machines in
            if !again { machines += 1 }
            return machines
        }
        var options = S3StoreOptions(folder: "\(folder)/machine-\(number)", prefix: "some/place")
        options.cacheBytes = 3 << 20
        options.singlePutBytes = 128 << 10
        options.partBytes = 64 << 10
        options.extentBytes = 32 << 10
        options.bytesUnderWay = 8 << 20
        change(&options)
        return try S3Store(try retrying(silence: silence), options: options, clock: bucket.clock)
    }
}

extension ByteBuffer {
    /// All bytes that can be read.
    var array: [UInt8] { Array(readableBytesView) }
}
