import Foundation

/// What every measurement shares: sizes, folders, limits, the lines found so far.
final class Workbench {
    let plan: Plan
    let quiet: Quiet
    let limits: MachineLimits
    /// Everything is written below this folder.
    let folder: String
    /// The server's program.
    let server: String
    private let only: String?
    private(set) var lines: [Line] = []

    init(plan: Plan, folder: String, server: String, only: String?) {
        self.plan = plan
        self.folder = folder
        self.server = server
        self.only = only
        quiet = Quiet(longestWait: plan.quietWait, allowance: plan.quietAllowance)
        limits = MachineLimits(folder: folder, window: plan.window)
    }

    /// Runs a section if it is asked for.
    func section(_ name: String, _ body: (Workbench) async throws -> Void) async throws {
        if let only, !name.contains(only) { return }
        Progress.say(name)
        try await body(self)
    }

    /// Makes an empty folder of its own.
    func newFolder(_ name: String) throws -> String {
        let path = "\(folder)/\(name)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Measures one window, on a quiet machine if that can be had, and how quiet it was.
    func window<Result>(_ body: () async throws -> Result) async rethrows -> (value: Result, foreign: Double) {
        quiet.settle()
        let meter = quiet.meter()
        let value = try await body()
        return (value, meter.foreign)
    }

    /// One line of as many samples as the plan has runs.
    func measure(
        _ name: String, unit: String, limit: String? = nil, goal: Goal, remark: String = "",
        _ body: (Int) async throws -> (ours: Double, limit: Double?)
    ) async throws {
        var line = Line(name: name, unit: unit, limit: limit, goal: goal, samples: [], remark: remark)
        for run in 0..<plan.runs {
            let (figures, foreign) = try await window { try await body(run) }
            line.samples.append(Sample(ours: figures.ours, limit: figures.limit, foreign: foreign))
        }
        add(line)
    }

    func add(_ line: Line) {
        lines.append(line)
        let ratio = line.limit == nil ? "" : ", ratio \(Table.spread(line.ratios))"
        Progress.say("  \(line.name): \(Table.spread(line.ours)) \(line.unit)\(ratio)")
    }
}
