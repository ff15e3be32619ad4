import Core
import GRPCCore
import Synchronization

/// How the calls of each method went. Only methods that have a handler are counted, so what callers ask for cannot
/// make the set of labels grow.
///
/// The list is behind a mutex: it is written while handlers are registered and read when somebody looks. A call touches
/// nothing but the atomics of its own method.
final class CallMetrics: Sendable {
    private let all = Mutex<[MethodMetrics]>([])

    /// The figures of a method; to be asked for once, when its handler is registered.
    func add(_ method: MethodDescriptor) -> MethodMetrics {
        let metrics = MethodMetrics(method)
        all.withLock { $0.append(metrics) }
        return metrics
    }

    /// Those of the methods that were called so far.
    var called: [MethodMetrics] { all.withLock { $0 }.filter { $0.seconds.reading.count > 0 } }
}

final class MethodMetrics: Sendable {
    let service: String
    let method: String
    /// By number of the code.
    private let codes: [Counter]
    /// Nanoseconds from the call's arrival to its end.
    let seconds = Histogram(bounds: MethodMetrics.bounds)

    private static let bounds = [
        250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000,
        500_000_000, 1_000_000_000, 2_500_000_000, 10_000_000_000, 60_000_000_000,
    ]

    /// As metrics of gRPC servers write them, by number.
    private static let names = [
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
        "Internal", "Unavailable", "DataLoss", "Unauthenticated",
    ]

    init(_ method: MethodDescriptor) {
        service = method.service.fullyQualifiedService
        self.method = method.method
        codes = Self.names.map { _ in Counter() }
    }

    /// The codes that calls ended with, and how many did.
    var handled: [(code: String, count: Int)] {
        zip(Self.names, codes).map { ($0, $1.current) }.filter { $0.1 > 0 }
    }

    func begin() -> CallSpan { CallSpan(metrics: self, start: .now) }

    fileprivate func end(_ code: Int, after duration: Duration) {
        codes[codes.indices.contains(code) ? code : 2].add()
        let (whole, atto) = duration.components
        seconds.observe(Int(clamping: whole) &* 1_000_000_000 &+ Int(atto / 1_000_000_000))
    }
}

/// One call under way.
struct CallSpan: Sendable {
    fileprivate let metrics: MethodMetrics
    fileprivate let start: ContinuousClock.Instant

    /// The call is over; nil: in good order.
    func end(_ error: (any Error)?) {
        let code = error.map { ErrorMapping.status($0).code.rawValue } ?? 0
        metrics.end(code, after: start.duration(to: .now))
    }

    /// Runs what ends the call.
    func ending<Result>(_ body: () async throws -> Result) async throws -> Result {
        let result = try await preparing(body)
        end(nil)
        return result
    }

    /// Runs what comes before the answer of a call that goes on: only a failure ends it.
    func preparing<Result>(_ body: () async throws -> Result) async throws -> Result {
        do { return try await body() } catch {
            end(error)
            throw error
        }
    }
}
