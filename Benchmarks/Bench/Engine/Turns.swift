import Foundation

/// Compares several sides of one thing with the first of them. All are taken in turn, one after the other, so that a
/// disk that slows down slows all alike.
struct Turns {
    struct Side {
        /// What stands in the name of the line, such as "at 1000 files".
        let name: String
        let goal: Goal
        let body: () async throws -> Void
    }

    let bench: Workbench
    /// What all sides do, such as "engine: commit".
    let name: String
    let sides: [Side]

    /// One line for each side but the first.
    func measure() async throws {
        var lines = sides.dropFirst().map { side in
            Line(
                name: "\(name) \(side.name) ÷ \(sides[0].name)", unit: "µs", limit: "µs", goal: side.goal, samples: [])
        }
        for _ in 0..<bench.plan.runs {
            let (times, foreign) = try await bench.window { try await microseconds() }
            for index in lines.indices {
                lines[index].samples.append(Sample(ours: times[index + 1], limit: times[0], foreign: foreign))
            }
        }
        for line in lines { bench.add(line) }
    }

    /// The mean of each side.
    private func microseconds() async throws -> [Double] {
        var sums = sides.map { _ in 0.0 }
        for _ in 0..<bench.plan.comparedCommits {
            for (index, side) in sides.enumerated() {
                let watch = Stopwatch()
                try await side.body()
                sums[index] += watch.seconds
            }
        }
        return sums.map { $0 * 1e6 / Double(bench.plan.comparedCommits) }
    }
}
