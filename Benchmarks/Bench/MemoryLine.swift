import Foundation

/// The most memory that one process has resident in each run, step by step. A kernel that keeps no peak gives zero.
final class MemoryLine {
    private let bench: Workbench
    private let name: String
    private let process: pid_t
    /// What the process had at first; of this one, mostly what earlier sections left in pieces too small to give back.
    private var first = 0.0
    private var greatest = 0.0
    private var peaks: [Double] = []

    /// `process` is this one, or a server. Counts from here.
    init(_ bench: Workbench, _ name: String, of process: pid_t = getpid()) {
        self.bench = bench
        self.name = name
        self.process = process
        begin()
        first = peak
    }

    private var peak: Double { ProcessFigures.peakResident(of: process) / 1_048_576 }

    /// Forgets what was before, such as the making of what is to be measured.
    func begin() { ProcessFigures.forgetPeak(of: process) }

    /// Ends one step, and says what it took.
    func end(_ step: String) {
        let peak = peak
        Progress.say("  \(Table.number(peak)) MiB resident at most: \(step)")
        greatest = max(greatest, peak)
        begin()
    }

    /// Ends one run of all the steps.
    func endRun() {
        peaks.append(greatest)
        greatest = 0
    }

    /// Adds the line. Others' work does not change the figure, so no window is noisy.
    func show() {
        bench.add(
            Line(
                name: name, unit: "MiB", goal: .atMost(256),
                samples: peaks.map { Sample(ours: $0, limit: nil, foreign: 0) },
                remark: "peak; \(Table.number(first)) at first"))
    }
}
