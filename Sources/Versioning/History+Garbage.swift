import Core
import Storage

extension History {
    /// Removes the slots that no root reaches, and returns what was found. Blocks, for minutes perhaps: call it from a
    /// thread of its own. One at a time; a second one throws `unavailable`.
    ///
    /// `pause` is told how many seconds to rest and may throw to end the run: nothing is half done then, and what was
    /// decided is found again by the next run. `report` hears how far it has come. `dataLoss` says that a tree is
    /// damaged; nothing was removed.
    package func collectGarbage(
        _ options: GarbageOptions = GarbageOptions(), pause: @escaping (Double) throws -> Void,
        report: @escaping (GarbageProgress) -> Void = { _ in }
    ) throws -> GarbageReport {
        let (deleted, left) = (try read { try $0.deletedCommits() }, leftovers)
        if options.sealsFirst && !options.isDryRun {
            try store.sealIdleWriters()
            try transactBlocking { try $0.slots.rotate() }
        }
        let others = try options.isDryRun ? nil : peers.map { try PeerCollection($0, pause: pause) }
        defer { others?.end() }
        let collection = try store.beginCollection()
        defer { collection.end() }
        var run = GarbageRun(
            collection: collection, others: others, options: options,
            rhythm: WorkRhythm(clock: clock, share: options.workShare, pause: pause), pause: pause, tell: report)
        let plan = try run.plan(liveRoots)
        guard !options.isDryRun else { return run.report(plan, bytesFreed: 0) }
        let freed = try run.sweep(plan)
        try transactBlocking { try $0.catalog.setSetting(Self.collectedSetting, to: String(deleted)) }
        collectedLeftovers.withLock { $0 = left }
        return run.report(plan, bytesFreed: freed)
    }

    /// Whether commits were deleted or gave up files, or streams left something, since garbage was last collected.
    package func expectsGarbage() throws -> Bool {
        if leftovers != collectedLeftovers.withLock({ $0 }) { return true }
        return try read { try $0.deletedCommits() > Int64($0.setting(Self.collectedSetting) ?? "0") ?? 0 }
    }

    /// How many times something was left in the store that no commit names.
    private var leftovers: Int {
        let statistics = store.statistics()
        return statistics.recoveredSegments + statistics.spilledRuns + statistics.abandonedStreams
            + discards.current
    }

    /// How many commits had been deleted when garbage was last collected.
    private static let collectedSetting = "garbage_collected"

    /// The tops of all live trees in one snapshot, neighbours that are the same once: 16 bytes per commit.
    private func liveRoots() throws -> [Pointer] {
        try read { catalog in
            var tops: [Pointer] = []
            try catalog.forEachLiveRoot { root in
                if !root.isEmpty, tops.last != root.pointer { tops.append(root.pointer) }
            }
            return tops
        }
    }
}

extension CatalogReader {
    /// How many commits were ever deleted: sequence numbers are given out without a gap and never again.
    fileprivate func deletedCommits() throws -> Int64 { try lastSequence() - commitCount() }
}

/// The steps of one collection, in the order that docs/INVARIANTS.md (Garbage) proves safe.
private struct GarbageRun {
    let collection: GarbageCollection
    /// Other servers on the same store.
    let others: PeerCollection?
    let options: GarbageOptions
    var rhythm: WorkRhythm
    let pause: (Double) throws -> Void
    let tell: (GarbageProgress) -> Void

    mutating func plan(_ roots: () throws -> [Pointer]) throws -> GarbagePlan {
        try others?.begin()
        let first = try roots()
        collection.listed()
        try others?.listed()
        try mark { collection, tick in try collection.mark(first, tick) }
        if options.isDryRun {
            return try collection.estimate(minimumDeadShare: options.minimumDeadShare) { try rhythm.step() }
        }
        try wait()
        let made = try others?.waited() ?? []
        let second = try roots()
        try mark { collection, tick in
            try collection.markMade(and: made, tick)
            try collection.mark(second, tick)
        }
        return try collection.decide(minimumDeadShare: options.minimumDeadShare) { try rhythm.step() }
    }

    private mutating func mark(_ body: (GarbageCollection, () throws -> Void) throws -> Void) throws {
        let collection = collection
        try body(collection) {
            if collection.nodes.isMultiple(of: 64) { try rhythm.step() }
            if collection.nodes.isMultiple(of: 4096) { tell(.marking(nodes: collection.nodes)) }
        }
        tell(.marking(nodes: collection.nodes))
    }

    /// Waits for those that may hold what the first marking did not see. Writers end when they end.
    private func wait() throws {
        var waited = 0.0
        var step = 0.01
        while true {
            let (writers, readers) = collection.awaited
            if writers == 0 && (readers == 0 || waited >= options.readerGrace) { return }
            tell(.waiting(writers: writers, readers: readers))
            try pause(step)
            waited += step
            step = min(1, step * 1.5)
        }
    }

    mutating func sweep(_ plan: GarbagePlan) throws -> Int {
        let items = plan.items.filter { $0.action != .keep }
        var freed = 0
        for (index, item) in items.enumerated() {
            try others?.require()
            tell(.sweeping(done: index, total: items.count, bytesFreed: freed))
            freed += try collection.sweep(item)
            try rhythm.step()
        }
        tell(.sweeping(done: items.count, total: items.count, bytesFreed: freed))
        return freed
    }

    func report(_ plan: GarbagePlan, bytesFreed: Int) -> GarbageReport {
        GarbageReport(
            plan: GarbagePlanSummary(
                segments: plan.items.count, bytes: plan.bytes, slotsLive: plan.slotsLive, slotsDead: plan.slotsDead,
                bytesDead: plan.bytesDead, segmentsDropped: plan.count(.drop), segmentsRewritten: plan.count(.rewrite),
                bytesToFree: plan.bytesFreed),
            bytesFreed: bytesFreed, nodes: collection.nodes, damaged: collection.damaged)
    }
}
