import Core
import Versioning

/// The repos that ticks are written to: they come with the pipeline and go with it (`pps.md` §2, §13, §16).
///
/// What was made for ticks is told by its description. A repo that somebody made himself is used where an input names
/// it, yet it never goes with a pipeline, and nothing in it is overwritten.
enum CronRepos {
    private static let mark = "Cron tick repo for pipeline "

    /// Makes the repos that a spec's cron inputs name, where there are none, with a branch to derive from, and lets the
    /// pipeline write to them.
    ///
    /// Those of inputs that an update drops stay, as in the original: their ticks are data like any other. Nobody
    /// deletes them but their owner, and an input of that name goes on in the one that it had.
    /// `old`: the version that this one takes the place of; what is in a repo of its own are its ticks.
    static func make(
        of spec: PipelineSpec, replacing old: PipelineSpec? = nil, in transaction: HistoryTransaction
    ) throws {
        let known = Set(try old?.cronLeaves.map(\.branch.repo) ?? [])
        for leaf in try spec.cronLeaves {
            let key = leaf.branch.repo
            if let repo = try transaction.catalog.repo(key) {
                try check(repo, for: leaf, isKnown: known.contains(key), in: transaction.catalog)
                if try transaction.catalog.branch(repo: repo.id, name: leaf.branch.name) != nil { continue }
            } else {
                try transaction.createRepo(key, description: "\(mark)\(spec.key).", update: false)
            }
            try transaction.createBranch(leaf.branch)
        }
        try PipelineAccess.bindTicks(of: spec, in: transaction)
    }

    /// Makes anew what was deleted while the pipeline was stopped.
    static func restore(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        let isMissing = try spec.cronLeaves.contains { try transaction.catalog.repo($0.branch.repo) == nil }
        if isMissing { try make(of: spec, replacing: spec, in: transaction) }
    }

    /// Deletes the repos of a pipeline whose rows are gone: those that were made for ticks and that no other pipeline
    /// reads. Of such a repo the last pipeline deletes it.
    static func remove(of pipeline: PipelineRecord, force: Bool, in transaction: HistoryTransaction) throws {
        let catalog = transaction.catalog
        let leaves = try PipelineSpec(canonical: pipeline.effectiveSpec).cronLeaves
        for key in Set(leaves.map(\.branch.repo)).sorted() {
            guard let repo = try catalog.repo(key), repo.description.hasPrefix(mark) else { continue }
            let isRead = try catalog.pipelines(in: nil).contains { other in
                try PipelineSpec(canonical: other.effectiveSpec).inputLeaves.contains { $0.branch.repo == key }
            }
            if !isRead { _ = try transaction.deleteRepo(key, force: force) }
        }
    }

    private static func check(
        _ repo: RepoRecord, for leaf: InputLeaf, isKnown: Bool, in catalog: any CatalogReader
    ) throws {
        let key = repo.key
        let remedy = "name another repo in the input's `repo`, or none: then one is made"
        if try catalog.pipeline(PipelineKey(project: key.project, name: key.name)) != nil {
            throw SpileError.domain(
                "input \(leaf.name): ticks cannot be written to repo \(key), the output of a pipeline", remedy: remedy)
        }
        guard let branch = try catalog.branch(repo: repo.id, name: leaf.branch.name) else { return }
        if !branch.provenance.isEmpty {
            throw SpileError.domain(
                "input \(leaf.name): ticks cannot be written to branch \(leaf.branch), which derives from others",
                remedy: remedy)
        }
        if leaf.isOverwriting, !isKnown, !repo.description.hasPrefix(mark),
            try catalog.writeBasis(of: leaf.branch)?.root.isEmpty == false
        {
            throw SpileError.domain(
                "input \(leaf.name): its ticks would overwrite the files of repo \(key), which was not made for ticks",
                remedy: remedy)
        }
    }
}
