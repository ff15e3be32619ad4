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
    private let outcome = Mutex<(any Error)?>(nil)
    private let last = Mutex<GarbageProgress>(.marking(nodes: 0))

    init(_ engine: Engine) {
        let thread = Thread { [self, history = engine.history] in
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.priority)
            var options = GarbageOptions()
            options.workShare = Self.workShare
            do {
                _ = try history.collectGarbage(options, pause: rest) { [self] in note($0) }
            } catch {
                outcome.withLock { $0 = error }
            }
            hasEnded.store(true, ordering: .releasing)
        }
        thread.stackSize = 4 << 20
        thread.start()
    }

    var isUnderWay: Bool { !hasEnded.load(ordering: .acquiring) }

    private func note(_ progress: GarbageProgress) { last.withLock { $0 = progress } }

    private func rest(_ seconds: Double) throws {
        if isStopped.load(ordering: .relaxed) { throw Stopped() }
        if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
    }

    /// How far it has come.
    var progress: GarbageProgress { last.withLock { $0 } }

    /// Ends it if it is still under way, and throws what made it fail.
    func stop() throws {
        isStopped.store(true, ordering: .relaxed)
        while isUnderWay { usleep(1_000) }
        if let failure = outcome.withLock({ $0 }), !(failure is Stopped) { throw failure }
    }
}
