import Core
import Versioning

extension PipelineManager {
    /// Makes a tick of each cron input of a pipeline, stopped or not, all with the present time (`pps.md` §13). Each is
    /// a commit set of its own; when one cannot be written, those before it stay.
    ///
    /// The caller has to be allowed to write to all their repos. Where a client lost the answer another call makes
    /// another tick, or none within the same second.
    package func runCron(_ key: PipelineKey, as principal: Principal) async throws {
        try refuseLaunches(principal, "run cron")
        let now = history.clock.now()
        let leaves = try history.read { catalog in
            guard let pipeline = try catalog.pipeline(key) else { throw Self.missing(key) }
            let leaves = try PipelineSpec(canonical: pipeline.effectiveSpec).cronLeaves
            for leaf in leaves {
                try catalog.require([.repoWrite], on: AccessResource(leaf.branch.repo), by: principal)
            }
            return leaves
        }
        guard !leaves.isEmpty else {
            throw SpileError.domain(
                "pipeline doesn't have a cron input: \(key)", remedy: "rerun pipeline works on what there is")
        }
        var written: Set<BranchKey> = []
        for leaf in leaves where written.insert(leaf.branch).inserted {
            let tick = try MarkWrite(tickAt: now, of: leaf, in: history)
            _ = try await history.transact(as: principal) { try $0.write(tick, on: leaf.branch) }
        }
    }
}
