import Foundation

/// Compares several sides of one thing with the first of them. All are taken in turn, once in each round, so that a
/// disk that slows down slows all alike; the order differs from round to round, so that none gains by its place.
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
        var order = Array(sides.indices)
        for round in 0..<bench.plan.comparedCommits {
            for place in order.indices.dropFirst() {
                order.swapAt(place, Int(Noise.word(UInt64(round), UInt64(place)) % UInt64(place + 1)))
            }
            for index in order {
                let watch = Stopwatch()
                try await sides[index].body()
                sums[index] += watch.seconds
            }
        }
        return sums.map { $0 * 1e6 / Double(bench.plan.comparedCommits) }
    }
}
