import Foundation

/// Seconds of the monotonic clock.
struct Stopwatch {
    private let start = Stopwatch.now()

    var seconds: Double { Self.now() - start }

    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// How often a second `body` runs to its end, counted for `seconds`.
    static func rate(for seconds: Double, _ body: (Int) async throws -> Void) async rethrows -> Double {
        let watch = Stopwatch()
        var count = 0
        repeat {
            try await body(count)
            count += 1
        } while watch.seconds < seconds
        return Double(count) / watch.seconds
    }
}
