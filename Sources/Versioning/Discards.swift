import Synchronization

/// Counts how often a commit that stays gave up files: was cleared, forgotten, or written again while it was open.
/// Safe from any thread; starts at zero with the process.
final class Discards: Sendable {
    private let total = Atomic<Int>(0)

    var count: Int { total.load(ordering: .relaxed) }

    func add() { total.add(1, ordering: .relaxed) }
}
