import Core

/// How garbage is collected.
package struct GarbageOptions: Sendable {
    /// Say what would be done and do nothing.
    package var isDryRun = false
    /// Share of a segment's size that must be dead before it is written anew (0 ... 1).
    package var minimumDeadShare = 0.25
    /// Seconds that a reader is waited for. One that reads a dropped commit for longer may find it gone.
    package var readerGrace = 3600.0
    /// Share of time that the collector works (0 ..< 1 pauses for the rest, 1 never does).
    package var workShare = 1.0
    /// Whether segments that are being written are ended first, so that what is dead in them counts, too.
    package var sealsFirst = true

    package init() {}
}

/// How far a collection has come.
package enum GarbageProgress: Sendable, Equatable {
    case marking(nodes: Int)
    /// For streams and readers that began before the roots were listed.
    case waiting(writers: Int, readers: Int)
    case sweeping(done: Int, total: Int, bytesFreed: Int)
}

/// What a collection found and did.
package struct GarbageReport: Sendable {
    package var plan: GarbagePlanSummary
    /// Bytes given back; 0 in a dry run.
    package var bytesFreed: Int
    /// Tree nodes read.
    package var nodes: Int
    /// Segments that were left as they are because something in them is damaged.
    package var damaged: [String]
}

/// A plan in figures.
package struct GarbagePlanSummary: Sendable, Equatable {
    package var segments = 0
    package var bytes = 0
    package var slotsLive = 0
    package var slotsDead = 0
    package var bytesDead = 0
    package var segmentsDropped = 0
    package var segmentsRewritten = 0
    package var bytesToFree = 0
}

/// How a collector passes time: it works, then it rests for as long as keeps it within its share. One owner.
struct WorkRhythm {
    /// Work is measured in stretches of this many seconds.
    private static let stretch = 0.005

    private let clock: any Clock
    private let share: Double
    private let pause: (Double) throws -> Void
    private var started: Instant

    init(clock: any Clock, share: Double, pause: @escaping (Double) throws -> Void) {
        self.clock = clock
        self.share = share
        self.pause = pause
        started = clock.now()
    }

    /// Called between two pieces of work. Throws what `pause` throws, which is how a collection is stopped.
    mutating func step() throws {
        let worked = clock.now().seconds(since: started)
        guard worked >= Self.stretch else { return }
        try pause(share < 1 ? worked * (1 - share) / share : 0)
        started = clock.now()
    }
}
