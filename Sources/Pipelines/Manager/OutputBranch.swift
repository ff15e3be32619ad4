import Core
import Versioning

/// What a pipeline's output branch derives from (`pps.md` §2).
enum OutputBranch {
    /// Its inputs and its spec. New commits of an input that is quiet start nothing.
    static func derivation(of spec: PipelineSpec) throws -> BranchChange {
        let inputs = try spec.inputLeaves
        return BranchChange(
            provenance: inputs.map(\.branch) + [spec.key.repo(.spec).branch(SpecDefaults.outputBranch)],
            quiet: inputs.filter(\.isQuiet).map(\.branch))
    }

    /// Makes an end of what an earlier version has begun: commits that a spout left open, and an output branch that the
    /// new version does not write, which becomes an ordinary one.
    static func leave(_ old: PipelineRecord, for spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        if spec.kind != .spout { try SpoutOutput.finishLeftovers(of: old, in: transaction) }
        let branch = try PipelineSpec(canonical: old.effectiveSpec).outputBranch
        guard branch != spec.outputBranch, let repo = try transaction.catalog.repo(old.key.repo(.user)),
            try transaction.catalog.branch(repo: repo.id, name: branch) != nil
        else { return }
        try transaction.createBranch(old.key.repo(.user).branch(branch))
    }

    /// Makes the branches that inputs name a trigger for, and lets them be moved by it; where they point stays. To be
    /// called before anything derives from them.
    static func setTriggers(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        for leaf in try spec.inputLeaves {
            guard let trigger = leaf.trigger else { continue }
            var change = BranchChange(trigger: trigger)
            let source = leaf.branch.repo.branch(trigger.branch)
            let repo = try transaction.catalog.repo(leaf.branch.repo)
            if let repo, try transaction.catalog.branch(repo: repo.id, name: source.name) == nil {
                try transaction.createBranch(source)
                change.head = CommitHandle(source)
            }
            try transaction.createBranch(leaf.branch, change)
        }
    }
}
