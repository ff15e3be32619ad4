import Foundation

/// Keeps other processes' work out of the figures: waits for a quiet machine, and says how quiet a window was.
///
/// Disk figures suffer most: one or two busy processes raise the time of an `fdatasync` many times over.
final class Quiet {
    static let quietBelow = 0.20
    static let noisyAbove = 0.35

    private let longestWait: Double
    private var allowance: Double
    /// Child processes whose work is ours.
    var children: Set<pid_t> = []
    private(set) var waited = 0.0

    init(longestWait: Double, allowance: Double) {
        self.longestWait = longestWait
        self.allowance = allowance
    }

    /// Waits until other processes use little CPU, or until waiting takes too long.
    func settle() {
        let watch = Stopwatch()
        let longest = min(longestWait, allowance)
        guard longest > 0 else { return }
        var busy = foreign { usleep(250_000) }
        while busy > Self.quietBelow && watch.seconds < longest {
            Progress.say(String(format: "waiting: other processes use %.2f CPU", busy))
            busy = foreign { usleep(1_000_000) }
        }
        // Short looks are free, so that a quiet run never uses the allowance up.
        if watch.seconds > 0.5 { allowance -= watch.seconds }
        waited += watch.seconds
    }

    /// CPUs kept busy by others while `body` runs.
    private func foreign(_ body: () -> Void) -> Double {
        let meter = Meter(children)
        body()
        return meter.foreign
    }

    func meter() -> Meter { Meter(children) }

    /// Counts others' CPU from its making.
    struct Meter {
        private let children: Set<pid_t>
        private let start: (time: Double, foreign: Double)

        init(_ children: Set<pid_t>) {
            self.children = children
            start = (Stopwatch.now(), Self.foreignSeconds(children))
        }

        /// Zero for windows that are too short for the kernel's clock, which ticks every 10 ms.
        var foreign: Double {
            let elapsed = Stopwatch.now() - start.time
            return elapsed > 0.1 ? max(0, Self.foreignSeconds(children) - start.foreign) / elapsed : 0
        }

        private static func foreignSeconds(_ children: Set<pid_t>) -> Double {
            ProcessFigures.machineSeconds() - ProcessFigures.ownSeconds()
                - children.reduce(0) { $0 + ProcessFigures.seconds(of: $1) }
        }
    }
}

/// Lines on standard error that say how far a run is.
enum Progress {
    private static let start = Stopwatch()

    static func say(_ text: String) {
        FileHandle.standardError.write(Data((String(format: "%6.1f s  ", start.seconds) + text + "\n").utf8))
    }
}
