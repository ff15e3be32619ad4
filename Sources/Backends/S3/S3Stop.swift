import Foundation

/// Tells calls on a thread of their own that nobody waits for them any more: pauses between tries end then, and nothing
/// is tried again. The call that is on its way is not given up: one that writes could else come to its end behind a
/// later one.
///
/// `@unchecked Sendable`: `isSet` is touched only while `condition` is held.
final class S3Stop: @unchecked Sendable {
    /// That of the calls on this thread.
    @TaskLocal static var current: S3Stop?

    private let condition = NSCondition()
    private var isSet = false

    func set() {
        condition.withLock {
            isSet = true
            condition.broadcast()
        }
    }

    /// Blocks for so many seconds. Throws `CancellationError` as soon as it is set.
    func pause(_ seconds: Double) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        try condition.withLock {
            while !isSet { guard condition.wait(until: end) else { return } }
            throw CancellationError()
        }
    }

    /// The pause of calls on this thread.
    static func pause(_ seconds: Double) throws {
        if let current { try current.pause(seconds) } else { Thread.sleep(forTimeInterval: seconds) }
    }
}
