import Core

/// One run over the store's sealed segments that finds what no root reaches, and removes it. Why that is safe beside
/// streams, readers and other changes is proven in docs/INVARIANTS.md, Garbage; the steps there carry the names of the
/// methods here. One owner, who calls them in this order and ``end()`` last, whatever happened:
///
/// `listed(_:)`, `mark`, (`awaited` until nothing is), `mark` with the roots of then, `decide`, `sweep`.
///
/// Errors: `unavailable` (another run is under way; retry later), `dataLoss` (what is stored is damaged: nothing is
/// removed; run `spile check`).
package final class GarbageCollection {
    private let slots: SlotStore
    private var marker: TreeMarker
    /// The segments that were sealed when the run began, with their sizes: only these are looked at.
    private let candidates: [UInt64: Int]
    private var generation: UInt64 = 0
    private var dead = SlotMarks()
    /// What is damaged in segments that are left as they are because of it.
    package private(set) var damaged: [String] = []
    /// Segments that have no object.
    private var missing: [UInt64] = []
    private var hasEnded = false

    init(_ slots: SlotStore) throws {
        self.slots = slots
        guard slots.collection.begin() else {
            throw SpileError(.unavailable, "garbage is being collected already", remedy: "retry when that has ended")
        }
        do { candidates = try slots.allSealed() } catch {
            slots.collection.end()
            throw error
        }
        marker = TreeMarker(slots: slots)
    }

    deinit { end() }

    /// Ends the run; after it streams tell nothing any more.
    package func end() {
        guard !hasEnded else { return }
        hasEnded = true
        slots.collection.end()
    }

    /// Nodes of trees and of part lists read so far.
    package private(set) var nodes = 0

    // MARK: Marking

    /// All roots have been listed, in one snapshot taken after the run began.
    package func listed() {
        generation = slots.activities.advance()
        slots.collection.listed(generation: generation)
    }

    /// Marks what these trees reach. `tick` hears of every node that is read and may throw to end the run.
    package func mark(_ roots: [Pointer], _ tick: () throws -> Void) throws {
        for root in roots { try mark(root, tick) }
    }

    private func mark(_ root: Pointer, _ tick: () throws -> Void) throws {
        try marker.mark(root) {
            nodes += 1
            try tick()
        }
    }

    /// Activities that began before ``listed()`` and are still under way.
    package var awaited: (writers: Int, readers: Int) { slots.activities.alive(before: generation) }

    /// Marks what the streams that were awaited have made.
    package func markMade(and others: [Pointer] = [], _ tick: () throws -> Void) throws {
        for top in slots.collection.trees + others {
            // A batch that failed leaves no tree behind; it was in a segment that was open, and so in no candidate.
            if candidates[top.segment] == nil, !slots.holds(top) { continue }
            try mark(top, tick)
        }
    }

    // MARK: Plan

    /// What would be dead if nothing were under way: for a dry run. Changes nothing.
    package func estimate(minimumDeadShare: Double, _ tick: () throws -> Void) throws -> GarbagePlan {
        marker.mark(slots.collection.given)
        return GarbagePlan(try census(tick).segments, minimumDeadShare: minimumDeadShare)
    }

    /// Decides for good what is dead: from here on no stream refers to it anew.
    package func decide(minimumDeadShare: Double, _ tick: () throws -> Void) throws -> GarbagePlan {
        precondition(generation > 0, "a collection decides after it has listed the roots")
        marker.mark(slots.collection.given)
        var (segments, found) = try census(tick)
        let alive = Set(marker.marks.touchedSegments)
        for id in missing {
            // A removal that threw and was done all the same leaves one behind that nothing refers to.
            if alive.contains(id) { damaged.append("segment \(id) is missing") } else { try slots.drop(id) }
        }
        let spared = slots.collection.bar(found)
        found.subtract(spared)
        dead = found
        marker.mark(spared)
        for id in spared.touchedSegments {
            guard let index = segments.firstIndex(where: { $0.segment == id }) else { continue }
            segments[index] = try census(of: id, size: segments[index].bytes, collecting: nil)
        }
        return GarbagePlan(segments, minimumDeadShare: minimumDeadShare)
    }

    private func census(_ tick: () throws -> Void) throws -> (segments: [SegmentCensus], dead: SlotMarks) {
        var segments: [SegmentCensus] = []
        var dead = SlotMarks()
        for (id, size) in candidates.sorted(by: { $0.key < $1.key }) {
            do { segments.append(try census(of: id, size: size) { dead.insert($0) }) } catch let error as SpileError
                where error.code == .dataLoss
            {
                damaged.append(error.description)
            } catch let error as SpileError where error.code == .notFound {
                missing.append(id)
            }
            try tick()
        }
        return (segments, dead)
    }

    private func census(
        of id: UInt64, size: Int, collecting: ((Pointer) -> Void)?
    ) throws -> SegmentCensus {
        var census = SegmentCensus(segment: id, bytes: size)
        for (slot, record) in try slots.directory(id).enumerated() where record.kind != .dead {
            let pointer = Pointer(segment: id, slot: UInt32(slot))
            let isLive = marker.marks.contains(pointer)
            census.count(record, isLive: isLive)
            if !isLive { collecting?(pointer) }
        }
        return census
    }

    // MARK: Sweeping

    /// Carries out one item of the plan and returns the bytes given back. A crash at any point leaves the old segment
    /// or the new one. Needs as much memory as the segment has live bytes, at most 64 MiB and a slot.
    ///
    /// I5: the rows that named what is dead were gone, durably, before the roots were listed.
    package func sweep(_ item: GarbagePlan.Item) throws -> Int {
        let id = item.census.segment
        switch item.action {
        case .keep: return 0
        // A store that is opened goes on behind the highest id: that one stays, so that none is used twice.
        case .drop where !slots.isNewest(id):
            try slots.drop(id)
            slots.collection.forget(segment: id)
            return item.census.bytes
        case .rewrite, .drop:
            do {
                let size = try SegmentCompaction(slots: slots, id: id).rewrite { dead.contains($0) }
                return max(0, item.census.bytes - size)
            } catch let error as SpileError where error.code == .dataLoss {
                damaged.append(error.description)
                return 0
            }
        }
    }
}

extension Store {
    /// Begins a collection; throws `unavailable` while another one is under way.
    package func beginCollection() throws -> GarbageCollection { try GarbageCollection(slots) }

    /// Seals the segments of idle bulk writers, so that a collection can look at them.
    package func sealIdleWriters() throws { try slots.sealIdle() }
}
