import Synchronization

/// A number that grows, or a level that moves: one atomic word. Any thread may call anything; none ever waits.
package final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) { value.wrappingAdd(amount, ordering: .relaxed) }
    /// For levels: what it is now.
    package func set(_ amount: Int) { value.store(amount, ordering: .relaxed) }
    package var current: Int { value.load(ordering: .relaxed) }
}

/// How often a figure fell into which range. Any thread may observe: a few comparisons and two atomic additions,
/// nothing allocated.
package final class Histogram: Sendable {
    /// Upper ends of the ranges, each inclusive, ascending, in the unit of what is observed.
    private let bounds: [Int]
    /// One more than there are bounds.
    private let buckets: [Counter]
    private let sum = Counter()

    package init(bounds: [Int]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend")
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    package func observe(_ figure: Int) {
        var index = 0
        while index < bounds.count && figure > bounds[index] { index += 1 }
        buckets[index].add()
        sum.add(figure)
    }

    /// What was observed so far. Taken beside observations it may hold one in its ranges and not yet in its sum.
    package var reading: HistogramReading {
        var total = 0
        let counts = buckets.map { bucket in
            total += bucket.current
            return total
        }
        return HistogramReading(bounds: bounds, counts: counts, sum: sum.current)
    }
}

/// A histogram at one moment.
package struct HistogramReading: Sendable, Equatable {
    /// Upper ends, inclusive; the last range has none.
    package var bounds: [Int]
    /// How many observations lie at or below each bound; behind these, how many there are at all.
    package var counts: [Int]
    package var sum: Int

    package var count: Int { counts.last ?? 0 }
}
