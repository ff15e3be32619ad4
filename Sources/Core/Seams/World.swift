/// Time and chance come in by parameter, so that a whole server runs in a test by seed.

/// An instant: nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1678 to 2262.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    /// Times beyond those years are the first or the last of them.
    package init(seconds: Int64, nanos: Int32 = 0) {
        let bounded = min(max(seconds, -Self.mostSeconds), Self.mostSeconds)
        nanoseconds = bounded * 1_000_000_000 + Int64(nanos)
    }

    /// A little less than what fits, so that nothing near it overflows.
    private static let mostSeconds: Int64 = 9_223_372_030

    /// Whole seconds, rounded down, and the nanoseconds above them (0 ..< 10⁹).
    package var seconds: Int64 { (nanoseconds - Int64(nanos)) / 1_000_000_000 }
    package var nanos: Int32 {
        let rest = nanoseconds % 1_000_000_000
        return Int32(rest < 0 ? rest + 1_000_000_000 : rest)
    }

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Seconds from `other` to here.
    package func seconds(since other: Instant) -> Double {
        let (difference, isTooFar) = nanoseconds.subtractingReportingOverflow(other.nanoseconds)
        return isTooFar ? (Double(nanoseconds) - Double(other.nanoseconds)) / 1e9 : Double(difference) / 1e9
    }

    /// The same, or the first or the last instant there is where that is beyond it.
    package func adding(seconds: Double) -> Instant {
        let most = Double(Self.mostSeconds)
        let step = Int64(min(max(seconds.isNaN ? 0 : seconds, -most), most) * 1e9)
        let (sum, isTooFar) = nanoseconds.addingReportingOverflow(step)
        return isTooFar ? Instant(seconds: step < 0 ? .min : .max) : Instant(nanoseconds: sum)
    }
}

/// The wall clock. Any thread may ask.
package protocol Clock: Sendable {
    func now() -> Instant
}

/// A source of random words. Any thread may ask; a test's source repeats itself by seed.
package protocol Randomness: Sendable {
    func next() -> UInt64
}

extension Randomness {
    /// A number in 0 ..< 1.
    package func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
