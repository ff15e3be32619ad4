import Foundation

/// Bounds the bytes that are under way at once: whoever needs room for a body waits until there is some. First come,
/// first served, so that large bodies get their turn.
///
/// `@unchecked Sendable`: `used`, `next` and `serving` are touched only while `condition` is held.
final class TransferBudget: @unchecked Sendable {
    private let limit: Int
    private let condition = NSCondition()
    private var used = 0
    /// Numbers of those that wait: the next to be given, and the one whose turn it is.
    private var next = 0
    private var serving = 0

    init(limit: Int) { self.limit = limit }

    /// Runs `body` once there is room for `bytes`; one that needs more than all there is gets it alone. Not to be
    /// nested.
    func with<Result>(_ bytes: Int, _ body: () throws -> Result) rethrows -> Result {
        let bytes = min(bytes, limit)
        condition.lock()
        let own = next
        next += 1
        while serving != own || used + bytes > limit { condition.wait() }
        serving += 1
        used += bytes
        condition.broadcast()
        condition.unlock()
        defer {
            condition.lock()
            used -= bytes
            condition.broadcast()
            condition.unlock()
        }
        return try body()
    }
}
