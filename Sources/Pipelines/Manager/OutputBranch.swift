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
