import Foundation
import Synchronization
import Versioning

/// A collection as the server does it by itself: on a thread of low priority that works a tenth of the time.
final class BackgroundCollection: Sendable {
    /// As in the server's `GarbageService`, and so is the priority.
    private static let workShare = 0.1
    private static let priority: Int32 = 10

    private struct Stopped: Error {}

    private let isStopped = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)
    private let outcome = Mutex<Result<GarbageReport?, any Error>>(.success(nil))

    init(_ engine: Engine) {
        let thread = Thread { [self, history = engine.history] in
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.priority)
            var options = GarbageOptions()
            options.workShare = Self.workShare
            let result = Result { try history.collectGarbage(options, pause: rest) }
            outcome.withLock { $0 = result.map { Optional($0) } }
            hasEnded.store(true, ordering: .releasing)
        }
        thread.stackSize = 4 << 20
        thread.start()
    }

    var isUnderWay: Bool { !hasEnded.load(ordering: .acquiring) }

    private func rest(_ seconds: Double) throws {
        if isStopped.load(ordering: .relaxed) { throw Stopped() }
        if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
    }

    /// Ends it if it is still under way; what it found and did, nil if it was ended before.
    func stop() throws -> GarbageReport? {
        isStopped.store(true, ordering: .relaxed)
        while isUnderWay { usleep(1_000) }
        do { return try outcome.withLock { try $0.get() } } catch is Stopped { return nil }
    }
}
