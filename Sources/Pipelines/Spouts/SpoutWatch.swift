import Core
import Synchronization
import Versioning

/// What is known of a spout since the server was started.
package struct SpoutFigures: Sendable {
    package var commits = 0
    package var files = 0
    package var bytes = 0
    /// Runs that began.
    package var launches = 0
    /// Runs that ended by themselves, and those that could not be started.
    package var failures = 0
    /// Writes of its code that were refused.
    package var refusals = 0
    package var pace: SpoutPace
}

/// Watches what spouts write and how their code does, and tells which of them are stalled. It keeps nothing on disk:
/// a new server begins to count anew.
///
/// All state is behind one mutex, held for a few additions only. Any thread may call anything.
package final class SpoutWatch: LandingObserver {
    private let spouts = Mutex<[PipelineKey: SpoutFigures]>([:])
    private let clock: any Clock
    private let policy: StallPolicy
    /// Commits that one look goes back over: it is taken again and again.
    private static let longestLook = 100

    package init(clock: any Clock, policy: StallPolicy = StallPolicy()) {
        self.clock = clock
        self.policy = policy
    }

    package func landed(_ landing: Landing, by pipeline: PipelineKey, epoch: Int64) {
        change(pipeline) { spout in
            spout.commits += landing.commits
            spout.files += landing.files
            spout.bytes += landing.bytes
            if landing.commits > 0 { spout.pace.committed(at: landing.instant, epoch: epoch) }
        }
    }

    /// A write of a launch of `pipeline` was refused for `reason`.
    package func refused(_ pipeline: PipelineKey, epoch: Int64, _ reason: String) {
        let now = clock.now()
        let short = reason.count > 300 ? String(reason.prefix(300)) + "…" : reason
        change(pipeline) { spout in
            spout.refusals += 1
            spout.pace.refused(short, at: now, epoch: epoch)
        }
    }

    func began(_ pipeline: PipelineKey, epoch: Int64) { change(pipeline) { $0.pace.began(epoch: epoch) } }
    func launched(_ pipeline: PipelineKey) { change(pipeline) { $0.launches += 1 } }
    func failed(_ pipeline: PipelineKey) { change(pipeline) { $0.failures += 1 } }
    func forget(_ pipeline: PipelineKey) { spouts.withLock { $0[pipeline] = nil } }

    private func change(_ pipeline: PipelineKey, _ body: (inout SpoutFigures) -> Void) {
        let policy = policy
        spouts.withLock { body(&$0[pipeline, default: SpoutFigures(pace: SpoutPace(policy: policy))]) }
    }

    /// Zeroes for one that nothing was heard of.
    package func figures(of pipeline: PipelineKey) -> SpoutFigures {
        spouts.withLock { $0[pipeline] } ?? SpoutFigures(pace: SpoutPace(policy: policy))
    }

    /// Why a version that is RUNNING brings nothing; nil for one that does, or is not. Reads the catalog for those
    /// alone that are silent.
    package func stall(of pipeline: PipelineRecord, in catalog: any CatalogReader) throws -> SpoutStall? {
        guard pipeline.kind == .spout, pipeline.state == .running, let start = pipeline.workersStartedAt else {
            return nil
        }
        return try figures(of: pipeline.key).pace.stall(upSince: start, at: clock.now()) {
            try Self.openCommit(of: pipeline, in: catalog)
        }
    }

    /// The record with the stall as its reason, if there is one.
    package func shown(_ pipeline: PipelineRecord, in catalog: any CatalogReader) throws -> PipelineRecord {
        guard let stall = try stall(of: pipeline, in: catalog) else { return pipeline }
        var shown = pipeline
        shown.reason = stall.reason
        return shown
    }

    /// When its code finished its newest good commit; where this server has seen none, what the catalog says of the
    /// newest commits. Nil if there is none.
    package func lastCommit(of pipeline: PipelineRecord, in catalog: any CatalogReader) throws -> Instant? {
        if let known = figures(of: pipeline.key).pace.lastCommit { return known }
        return try SpoutPosition.newestGood(of: pipeline, in: catalog, within: Self.longestLook)?.finished
    }

    /// Since when a commit of the output branch is open.
    private static func openCommit(of pipeline: PipelineRecord, in catalog: any CatalogReader) throws -> Instant? {
        let name = try PipelineSpec(canonical: pipeline.effectiveSpec).outputBranch
        guard let repo = try catalog.repo(pipeline.key.repo(.user)),
            let head = try catalog.branch(repo: repo.id, name: name)?.head,
            let commit = try catalog.commit(sequence: head), commit.isOpen
        else { return nil }
        return commit.started
    }
}
