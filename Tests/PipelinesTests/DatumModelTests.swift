import Core
import Synchronization
import Simulation
import Testing
import Versioning

@testable import Pipelines

/// Random trees of inputs over random files and edits, by seed, against ``DatumModel``.
@Suite struct DatumModelTests {
    private static let plain: @Sendable (DatumScenario) -> any DatumSource = { PlainSource(new: $0.new, old: $0.old) }

    /// Runs a scenario, and shrinks it if it is faulty.
    private static func expectNoFault(
        _ scenario: DatumScenario, _ source: (DatumScenario) -> any DatumSource, bufferedFiles: Int, _ context: String
    ) async throws {
        guard try await scenario.fault(source, bufferedFiles: bufferedFiles) != nil else { return }
        let small = try await scenario.shrunk { try await $0.fault(source, bufferedFiles: bufferedFiles) != nil }
        let fault = try await small.fault(source, bufferedFiles: bufferedFiles) ?? ""
        Issue.record("\(context): \(fault)\nin \(small)")
    }

    @Test(arguments: 0..<24 as Range<UInt64>)
    func datumsAndTheirChangesAreThoseOfTheTable(block: UInt64) async throws {
        for seed in (block * 100)..<(block * 100 + 100) {
            let random = SeededRandomness(seed: seed &* 7_368_787)
            let scenario = try DatumScenario.random(random)
            try await Self.expectNoFault(
                scenario, Self.plain, bufferedFiles: random.pick([0, 1, 3, 4096]), "seed \(seed)")
        }
    }

    /// Each kind of input stands at the top and makes datums come, go and change, now and then.
    @Test func theRandomScenariosReachEachKindOfChange() async throws {
        var counts: [String: Int] = [:]
        for seed in 0..<400 as Range<UInt64> {
            let scenario = try DatumScenario.random(SeededRandomness(seed: seed &* 7_368_787))
            guard case .combined(let combination, _) = scenario.tree else { continue }
            try await DatumPlan(scenario.tree).changes(in: Self.plain(scenario)) { change in
                let kind =
                    switch change {
                    case .added: "added"
                    case .removed: "removed"
                    case .changed: "changed"
                    }
                counts["\(combination) \(kind)", default: 0] += 1
                return true
            }
        }
        for combination in InputSpec.Combination.allCases {
            for kind in ["added", "removed", "changed"] {
                #expect(counts["\(combination) \(kind)", default: 0] >= 5, "\(counts)")
            }
        }
    }

    /// What the random scenarios are worth: a source that hides one change is found out, in a scenario of one file.
    @Test func aChangeThatIsHiddenIsFoundAndShrunk() async throws {
        struct Forgetful: DatumSource {
            let source: any DatumSource
            func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws {
                try await source.matches(of: input, body)
            }
            func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws {
                try await source.changes(of: input) { $0.old == nil ? true : try await body($0) }
            }
        }
        let forgetful: (DatumScenario) -> any DatumSource = { Forgetful(source: Self.plain($0)) }
        var found: DatumScenario?
        for seed in 1...200 where found == nil {
            let scenario = try DatumScenario.random(SeededRandomness(seed: UInt64(seed)))
            if try await scenario.fault(forgetful, bufferedFiles: 4096) != nil { found = scenario }
        }
        let small = try await #require(found).shrunk { try await $0.fault(forgetful, bufferedFiles: 4096) != nil }
        let files = (Array(small.old.repos.values) + Array(small.new.repos.values)).reduce(0) { $0 + $1.count }
        #expect(files == 1, "\(small)")
        #expect(small.tree.leaves.count == 1, "\(small)")
    }
}
