import Synchronization

/// Bounds and sizes of a store. The defaults suit a server; tests make them small.
package struct StoreOptions: Sendable {
    /// Greatest size of a segment written by the committer, in bytes.
    package var smallSegmentBytes = 16 << 20
    /// Greatest size of a segment written by large streams, in bytes.
    package var bulkSegmentBytes = 64 << 20
    /// Content a stream may hold in memory before it gets a bulk segment, in bytes.
    package var smallStreamBytes = 256 << 10
    /// Changes a stream may hold in memory before it gets a bulk segment.
    package var smallStreamChanges = 1_000
    /// Memory of a stream's changes before they are spilled as a sorted run, in bytes.
    package var changeBudgetBytes = 32 << 20
    /// Decoded tree nodes kept, in bytes.
    package var nodeCacheBytes = 64 << 20
    /// Directories of sealed segments kept, in bytes; each also holds a file open.
    package var directoryCacheBytes = 16 << 20
    /// Chunks remembered by hash.
    package var fingerprints = 1 << 20
    /// Newest sealed segments whose chunks are learnt before the first look-up.
    package var fingerprintSegments = 1_000
    /// Bulk writers kept open between streams.
    package var idleBulkWriters = 4
    /// Whether bulk writers use a thread of their own. Off in simulations.
    package var writeBehind = true
    /// This server's number among those that share the store: the upper half of its segments' ids, so that no two of
    /// them have the same. 0 for a store of one server.
    package var server: UInt64 = 0
    /// Numbers of servers that are there as well: their segments are not given an end.
    package var others: Set<UInt64> = []

    package init() {}
}

/// Figures about a store since it was opened, for metrics and for tests. All are counts or bytes.
package struct StoreStatistics: Sendable {
    package var openSegments = 0
    package var sealedSegments = 0
    package var sealedBytes = 0
    package var recoveredSegments = 0
    package var abandonedSegments = 0
    package var slotsAppended = 0
    package var payloadBytes = 0
    package var bytesWritten = 0
    package var bytesRead = 0
    package var syncs = 0
    package var dedupHits = 0
    package var dedupMisses = 0
    package var spilledRuns = 0
    /// Streams given up after they had begun to write.
    package var abandonedStreams = 0
    package var nodeCacheBytes = 0
    package var nodeCacheHits = 0
    package var nodeCacheMisses = 0
    /// Nodes fetched, from the cache or not.
    package var nodesVisited: Int { nodeCacheHits + nodeCacheMisses }
}

/// The counters behind ``StoreStatistics``; each is atomic.
final class StoreCounters: Sendable {
    private let appended = Atomic<Int>(0)
    private let payload = Atomic<Int>(0)
    private let written = Atomic<Int>(0)
    private let reads = Atomic<Int>(0)
    private let syncs = Atomic<Int>(0)
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let recoveries = Atomic<Int>(0)
    private let abandonments = Atomic<Int>(0)
    private let runs = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)

    func slots(_ count: Int, bytes: Int) {
        appended.add(count, ordering: .relaxed)
        payload.add(bytes, ordering: .relaxed)
    }
    func wrote(_ count: Int) { written.add(count, ordering: .relaxed) }
    func read(_ count: Int) { reads.add(count, ordering: .relaxed) }
    func synced() { syncs.add(1, ordering: .relaxed) }
    func dedup(hit: Bool) {
        if hit { hits.add(1, ordering: .relaxed) } else { misses.add(1, ordering: .relaxed) }
    }
    func recovered() { recoveries.add(1, ordering: .relaxed) }
    func abandoned() { abandonments.add(1, ordering: .relaxed) }
    func spilled() { runs.add(1, ordering: .relaxed) }
    func abandonedStream() { streams.add(1, ordering: .relaxed) }

    func add(to statistics: inout StoreStatistics) {
        statistics.slotsAppended = appended.load(ordering: .relaxed)
        statistics.payloadBytes = payload.load(ordering: .relaxed)
        statistics.bytesWritten = written.load(ordering: .relaxed)
        statistics.bytesRead = reads.load(ordering: .relaxed)
        statistics.syncs = syncs.load(ordering: .relaxed)
        statistics.dedupHits = hits.load(ordering: .relaxed)
        statistics.dedupMisses = misses.load(ordering: .relaxed)
        statistics.recoveredSegments = recoveries.load(ordering: .relaxed)
        statistics.abandonedSegments = abandonments.load(ordering: .relaxed)
        statistics.spilledRuns = runs.load(ordering: .relaxed)
        statistics.abandonedStreams = streams.load(ordering: .relaxed)
    }
}
