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
        let isMoved = branch != spec.outputBranch
        if isMoved { try free(branch, of: old.key.repo(.user), in: transaction) }
        if isMoved || spec.kind != .transform { try free(branch, of: old.key.repo(.meta), in: transaction) }
    }

    /// Makes a branch an ordinary one, where it is.
    private static func free(_ branch: String, of key: RepoKey, in transaction: HistoryTransaction) throws {
        guard let repo = try transaction.catalog.repo(key),
            try transaction.catalog.branch(repo: repo.id, name: branch) != nil
        else { return }
        try transaction.createBranch(key.branch(branch))
    }

    /// Makes the branch on which a transform's jobs tell of their datums: it derives from what the output derives from,
    /// so that each output commit has one beside it.
    static func setMeta(of spec: PipelineSpec, derives: Bool, in transaction: HistoryTransaction) throws {
        try transaction.createBranch(
            spec.key.repo(.meta).branch(spec.outputBranch), derives ? derivation(of: spec) : BranchChange())
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
