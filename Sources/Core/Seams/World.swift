/// Time and chance come in by parameter, so that a whole server runs in a test by seed.

/// An instant: nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1678 to 2262.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package init(seconds: Int64, nanos: Int32 = 0) { nanoseconds = seconds * 1_000_000_000 + Int64(nanos) }

    /// Whole seconds, rounded down, and the nanoseconds above them (0 ..< 10⁹).
    package var seconds: Int64 { (nanoseconds - Int64(nanos)) / 1_000_000_000 }
    package var nanos: Int32 {
        let rest = nanoseconds % 1_000_000_000
        return Int32(rest < 0 ? rest + 1_000_000_000 : rest)
    }

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Seconds from `other` to here.
    package func seconds(since other: Instant) -> Double { Double(nanoseconds - other.nanoseconds) / 1e9 }
    package func adding(seconds: Double) -> Instant { Instant(nanoseconds: nanoseconds + Int64(seconds * 1e9)) }
}

/// The wall clock. Any thread may ask.
package protocol Clock: Sendable {
    func now() -> Instant
}

/// A source of random words. Any thread may ask; a test's source repeats itself by seed.
package protocol Randomness: Sendable {
    func next() -> UInt64
}
