/// Samples of one figure.
struct Samples {
    var values: [Double] = []

    var median: Double {
        if values.isEmpty { return .nan }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    /// The value that this part of them does not exceed.
    func quantile(_ part: Double) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
    }
    var least: Double { values.min() ?? .nan }
    var most: Double { values.max() ?? .nan }
}

/// What a budget asks of a ratio (or, where there is no limit to compare with, of the figure itself).
enum Goal {
    case atLeast(Double)
    case atMost(Double)
    case none

    func isMet(by value: Double) -> Bool? {
        switch self {
        case .atLeast(let bound): value >= bound
        case .atMost(let bound): value <= bound
        case .none: nil
        }
    }
}

/// One sample: our figure, what it is a ratio to, and how busy others kept the machine meanwhile.
struct Sample {
    var ours: Double
    /// The machine's limit, or the other side of a comparison; nil where the budget is absolute.
    var limit: Double?
    /// CPUs kept busy by other processes during the window.
    var foreign: Double
    var isNoisy: Bool { foreign > Quiet.noisyAbove }
    var ratio: Double? { limit.map { ours / $0 } }
}

/// One line of the table.
struct Line {
    var name: String
    var unit: String
    /// Name and unit of the limit.
    var limit: String?
    var goal: Goal
    var samples: [Sample]
    var remark = ""

    /// Samples of quiet windows if there are at least three of them, else all.
    private var kept: [Sample] {
        let quiet = samples.filter { !$0.isNoisy }
        return quiet.count >= 3 ? quiet : samples
    }
    var noisyCount: Int { samples.count { $0.isNoisy } }
    var worstForeign: Double { samples.map(\.foreign).max() ?? 0 }
    var ours: Samples { Samples(values: kept.map(\.ours)) }
    var limits: Samples { Samples(values: kept.compactMap(\.limit)) }
    var ratios: Samples { Samples(values: kept.compactMap(\.ratio)) }
    /// What the goal is about.
    var judged: Samples { limit == nil ? ours : ratios }
    var verdict: Bool? { goal.isMet(by: judged.median) }
}
