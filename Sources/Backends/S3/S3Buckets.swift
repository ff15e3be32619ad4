import Core
import NIOPosix
import Synchronization

/// The buckets that URLs name, reached with the key that the server's environment holds. What is kept (clients, and
/// threads that wait for them) is made when it is first needed. Any thread may call.
package final class S3Buckets: Sendable {
    /// How buckets are reached, and how hard it is tried.
    package struct Options: Sendable {
        package var transport = S3TransportOptions()
        package var policy = S3RetryPolicy()
        /// What no URL may name: where the server keeps its own data.
        package var own: S3Location?
        /// Bytes of a piece that is read, and of a part that is written: at least ``S3Limits/leastPart``.
        package var pieceBytes = 8 << 20
        /// Bytes of the first piece of an object: one that has no more costs one request.
        package var firstBytes = 1 << 20

        package init() {
            // Whoever waits for it is waited for when the server ends.
            transport.silenceSeconds = 20
            policy.tries = 4
        }
    }

    private struct Place: Hashable {
        var bucket: String
        var region: String?
    }

    let options: Options
    private let variables: [String: String]
    private let clock: any Clock
    private let randomness: any Randomness
    /// Guarded by their mutexes.
    private let services = Mutex<[Place: any S3Service]>([:])
    private let pool = Mutex<NIOThreadPool?>(nil)

    private static let threads = 16
    private static let mostServices = 32

    /// `variables` are those of ``S3Environment``. They are read when a bucket is first asked for: a server without a
    /// key serves everything else.
    package init(
        variables: [String: String], options: Options = Options(), clock: any Clock, randomness: any Randomness
    ) {
        self.variables = variables
        self.options = options
        self.clock = clock
        self.randomness = randomness
    }

    // Calls under way are finished.
    deinit { pool.withLock { $0 }?.shutdownGracefully { _ in } }

    /// What the bucket of an object, or of all whose keys begin so, is called with. Throws `failedPrecondition` where
    /// the server has no key and `permissionDenied` for the server's own data.
    func service(of location: S3Location, isPrefix: Bool) throws -> any S3Service {
        if let own = options.own, own.bucket == location.bucket,
            FilePath.has(location.key, prefix: own.key) || isPrefix && FilePath.has(own.key, prefix: location.key)
        {
            throw SpileError(
                .permissionDenied, "s3://\(location.bucket)/\(location.key) is where this server keeps its own data",
                remedy: "name another bucket or prefix")
        }
        let place = Place(bucket: location.bucket, region: location.region)
        if let known = services.withLock({ $0[place] }) { return known }
        let environment = try S3Environment(variables)
        let client = S3Client(
            bucket: try environment.bucket(location.bucket, region: location.region),
            credentials: environment.credentials, options: options.transport, clock: clock)
        let service = S3Retrying(client, policy: options.policy, randomness: randomness, pause: S3Stop.pause)
        services.withLock { services in
            // Those that are in use stay with their users.
            if services.count >= Self.mostServices { services = [:] }
            services[place] = service
        }
        return service
    }

    /// Runs a call that blocks on a thread of its own, so that whoever asks holds none. When the task is cancelled the
    /// request under way comes to its end, and none is made after it: `CancellationError`.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        let stop = S3Stop()
        return try await withTaskCancellationHandler {
            try await started().runIfActive { try S3Stop.$current.withValue(stop, operation: body) }
        } onCancel: {
            stop.set()
        }
    }

    /// The same for what nobody waits for, and whose errors mean nothing.
    func runLater(_ body: @escaping @Sendable () throws -> Void) {
        started().submit { state in if case .active = state { try? body() } }
    }

    private func started() -> NIOThreadPool {
        pool.withLock { pool in
            if let pool { return pool }
            let fresh = NIOThreadPool(numberOfThreads: Self.threads)
            fresh.start()
            pool = fresh
            return fresh
        }
    }
}
