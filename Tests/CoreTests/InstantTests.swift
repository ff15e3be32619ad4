import Core
import Testing

/// Times from outside may lie anywhere between the years 1 and 9999.
@Suite struct InstantTests {
    private static let year1: Int64 = -62_135_596_800
    private static let year9999: Int64 = 253_402_300_799

    @Test(arguments: [Int64.min, year1, year9999, .max])
    func `times beyond what fits are the first or the last that does`(seconds: Int64) {
        for nanos in [Int32.min, 0, 999_999_999, .max] {
            let instant = Instant(seconds: seconds, nanos: nanos)
            #expect((instant.nanoseconds < 0) == (seconds < 0))
            #expect((0..<1_000_000_000).contains(instant.nanos))
            #expect((instant.seconds < 0) == (seconds < 0))
        }
    }

    @Test func `what fits is kept to the nanosecond`() {
        for seconds in [-9_000_000_000, -1, 0, 1, 1_795_000_000, 9_000_000_000] as [Int64] {
            let instant = Instant(seconds: seconds, nanos: 123_456_789)
            #expect((instant.seconds, instant.nanos) == (seconds, 123_456_789))
            #expect(instant.adding(seconds: 1.5) == Instant(nanoseconds: instant.nanoseconds + 1_500_000_000))
            #expect(instant.adding(seconds: 1.5).seconds(since: instant) == 1.5)
        }
    }

    @Test func `sums and differences never end the program`() {
        let (first, last) = (Instant(nanoseconds: .min), Instant(nanoseconds: .max))
        #expect(last.seconds(since: first) > 1.8e10)
        #expect(first.seconds(since: last) < -1.8e10)
        for step in [1e30, 3.6e10, -3.6e10, -1e30, .infinity, -.infinity, .nan] {
            for start in [first, Instant(nanoseconds: 0), last] {
                let moved = start.adding(seconds: step)
                #expect(step.isNaN || (step > 0 ? moved > first : moved < last))
            }
        }
    }
}
