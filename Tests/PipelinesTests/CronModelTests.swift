import Core
import Simulation
import Testing
import Versioning

@testable import Pipelines

/// What the ticks should be, worked out naively: a list of times, and a schedule.
private struct CronModel {
    let schedule: CronSchedule
    let start: Instant
    var ticks: [Instant] = []
    /// Writes: a tick by hand within the second of another is one more of them.
    var writes = 0
    var isStopped = false

    mutating func catchUp(to now: Instant) {
        guard !isStopped else { return }
        while let next = schedule.next(after: max(ticks.max() ?? start, start)), next <= now { add(next) }
    }

    mutating func add(_ instant: Instant) {
        let second = Instant(seconds: instant.seconds)
        if !ticks.contains(second) { ticks.append(second) }
        writes += 1
    }
}

/// Random histories of ticks, restarts in their midst, ticks by hand, stops and starts, against the model.
@Suite(.timeLimit(.minutes(15))) struct CronModelTests {
    private static let schedules = ["@every 7s", "@every 60s", "* * * * *", "*/5 * * * *", "@hourly", "@never"]

    @Test(arguments: 1...12)
    func `every tick is made once, whatever happens`(seed: Int) async throws {
        let scene = try CronScene(seed: UInt64(seed))
        let chance = SeededRandomness(seed: UInt64(seed) &* 31)
        let schedule = Self.schedules[seed % Self.schedules.count]
        let isOverwriting = chance.below(3) == 0
        try await scene.create(CronScene.spec("\"spec\": \"\(schedule)\", \"overwrite\": \(isOverwriting)"))
        let leaf = try #require(try PipelineSpec(canonical: scene.pipeline.effectiveSpec).cronLeaves.first)
        var model = CronModel(schedule: try CronSchedule(schedule), start: try #require(leaf.start))
        for _ in 0..<40 {
            try await step(scene, &model, chance)
        }
        if model.isStopped { try await start(scene, &model) }
        try await catchUp(scene, &model)
        let names = model.ticks.map(SpecTimestamp.formatSeconds)
        #expect(try await scene.files() == (isOverwriting ? names.suffix(1) : names[...]).map { $0 })
        #expect(try scene.writes() == model.writes)
    }

    private func step(_ scene: CronScene, _ model: inout CronModel, _ chance: SeededRandomness) async throws {
        switch chance.below(8) {
        case 0, 1, 2:
            scene.time.advance(by: Double(chance.below(90_000)) / 1000)
        case 3:
            // The server is gone in the midst of catching up.
            _ = try await scene.turn()
            try scene.restart(ticksPerTurn: 1 + chance.below(4))
        case 4:
            try await catchUp(scene, &model)
            try await scene.manager.runCron(scene.key, as: scene.user)
            model.add(scene.time.now())
        case 5 where !model.isStopped:
            try await catchUp(scene, &model)
            try await scene.manager.stop(scene.key, mustExist: true, as: scene.user)
            model.isStopped = true
        case 6 where model.isStopped:
            try await start(scene, &model)
        default:
            try await catchUp(scene, &model)
        }
    }

    private func start(_ scene: CronScene, _ model: inout CronModel) async throws {
        try await scene.manager.start(scene.key, as: scene.user)
        model.isStopped = false
    }

    private func catchUp(_ scene: CronScene, _ model: inout CronModel) async throws {
        while try await scene.turn() == 0 {}
        model.catchUp(to: scene.time.now())
    }
}
