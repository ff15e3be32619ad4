import Foundation
import Synchronization

#if canImport(Musl)
import Musl
#endif

/// Tells work on a thread of its own when to stop, and lets it rest.
final class Pacer: Sendable {
    private let isStopped = Atomic<Bool>(false)

    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// Rests so many seconds, fewer if it is told to stop: then it throws `CancellationError`.
    func pause(_ seconds: Double) throws {
        var left = seconds
        while true {
            if isStopped.load(ordering: .relaxed) { throw CancellationError() }
            guard left > 0 else { return }
            Thread.sleep(forTimeInterval: min(left, 0.2))
            left -= 0.2
        }
    }
}

/// Long work that blocks: on a thread of its own, behind everything else, never on a pool that calls run on.
enum OwnThread {
    private enum Step<Event: Sendable, Value: Sendable>: Sendable {
        case event(Event)
        case value(Value)
    }

    /// Runs `body` and hands on what it reports, the newest only where `onEvent` is slower. When the calling task is
    /// cancelled or `onEvent` throws, the pacer stops `body` at its next pause.
    static func run<Event: Sendable, Value: Sendable>(
        _ name: String, onEvent: (Event) async throws -> Void,
        _ body: @escaping @Sendable (_ pacer: Pacer, _ report: @escaping @Sendable (Event) -> Void) throws -> Value
    ) async throws -> Value {
        let pacer = Pacer()
        let (steps, continuation) = AsyncThrowingStream<Step<Event, Value>, any Error>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        continuation.onTermination = { _ in pacer.stop() }
        start(name) {
            do {
                let value = try body(pacer) { continuation.yield(.event($0)) }
                continuation.yield(.value(value))
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        for try await step in steps {
            switch step {
            case .event(let event): try await onEvent(event)
            case .value(let value): return value
            }
        }
        throw CancellationError()
    }

    /// Starts a thread of the lowest priority but one.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            // Of the thread alone, on Linux. Where it fails the pauses still hold.
            #if canImport(Glibc)
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            #elseif canImport(Musl)
            _ = setpriority(PRIO_PROCESS, 0, 10)
            #endif
            body()
        }
        thread.name = name
        thread.stackSize = 4 << 20
        thread.start()
    }
}
