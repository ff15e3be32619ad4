/// How long a spout rests between two runs, and when it counts as healthy or as crashing.
package struct RestartPolicy: Sendable {
    /// The first pause, in seconds; each further one is longer by ``factor``, up to ``longestPause``.
    package var firstPause: Double
    package var factor: Double
    package var longestPause: Double
    /// A run that lasts this many seconds clears the count of failures.
    package var healthyAfter: Double
    /// From this many failures in a row on, the pipeline is CRASHING.
    package var crashingAfter: Int64

    package init(
        firstPause: Double = 0.5, factor: Double = 2, longestPause: Double = 60, healthyAfter: Double = 60,
        crashingAfter: Int64 = 3
    ) {
        self.firstPause = firstPause
        self.factor = factor
        self.longestPause = longestPause
        self.healthyAfter = healthyAfter
        self.crashingAfter = crashingAfter
    }

    /// The pause after the `failures`th run in a row that ended early; `chance` in 0 ..< 1 spreads it by a fifth either
    /// way, so that spouts of one broken source do not all come back at once.
    package func pause(failures: Int64, chance: Double) -> Double {
        var pause = firstPause
        for _ in 0..<max(0, min(failures, 64) - 1) { pause = min(pause * factor, longestPause) }
        return min(pause * (0.8 + 0.4 * chance), longestPause)
    }
}
