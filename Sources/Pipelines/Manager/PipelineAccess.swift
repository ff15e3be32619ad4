import Core
import Versioning

/// The roles of a pipeline's code (`pps.md` §8): it reads its inputs and writes its output repo. They are given by the
/// authority of whoever makes the pipeline, in the transaction in which that is done.
enum PipelineAccess {
    /// Gives what a version needs, and takes what only the one before needed.
    static func bind(
        _ spec: PipelineSpec, replacing old: PipelineRecord?, in transaction: HistoryTransaction
    ) throws {
        let catalog = transaction.catalog
        guard try catalog.hasAuth() else { return }
        let subject = Subject(spec.key)
        let output = AccessResource(spec.key.repo(.user))
        if old == nil {
            try transaction.require(.repoAddPipelineWriter, on: output)
            try catalog.add(.repoWriter, to: subject, at: output)
        }
        let inputs = Set(try spec.inputRepos.map(AccessResource.init))
        for input in inputs {
            try transaction.require(.repoRead, .repoAddPipelineReader, on: input)
            if input.kind == .repo { try catalog.add(.repoReader, to: subject, at: input) }
        }
        guard let old else { return }
        let before = Set(try PipelineSpec(canonical: old.effectiveSpec).sourceRepos.map(AccessResource.init))
        let dropped = before.subtracting(try spec.sourceRepos.map(AccessResource.init))
        if !dropped.isEmpty { try transaction.require(.repoRemovePipelineReader, on: output) }
        for input in dropped { try catalog.take(subject, from: input) }
    }

    /// Lets a pipeline write the ticks of its cron inputs.
    static func bindTicks(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        guard try transaction.catalog.hasAuth() else { return }
        for repo in Set(try spec.cronLeaves.map(\.branch.repo)) where try transaction.catalog.repo(repo) != nil {
            let resource = AccessResource(repo)
            try transaction.require(.repoAddPipelineWriter, on: resource)
            try transaction.catalog.add(.repoReader, to: Subject(spec.key), at: resource)
            try transaction.catalog.add(.repoWriter, to: Subject(spec.key), at: resource)
        }
    }

    /// Takes everything from a pipeline that goes.
    static func unbind(_ pipeline: PipelineRecord, in transaction: HistoryTransaction) throws {
        guard try transaction.catalog.hasAuth() else { return }
        let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        let repos = try spec.sourceRepos + [pipeline.key.repo(.user)]
        for repo in repos { try transaction.catalog.take(Subject(pipeline.key), from: AccessResource(repo)) }
    }
}

extension CatalogWriter {
    fileprivate func take(_ subject: Subject, from resource: AccessResource) throws {
        guard try roleBinding(resource) != nil else { return }
        try setRoles(at: resource, of: subject, to: [])
    }
}

extension PipelineManager {
    /// Gives the pipelines that exist their roles; the code that runs keeps its tokens and goes on.
    package func bindPipelines(as principal: Principal) async throws {
        try await history.transact(as: principal) { transaction in
            try transaction.require(.clusterAuthActivate, on: .cluster)
            guard try transaction.catalog.hasAuth() else { throw SpileError.authIsOff }
            for pipeline in try transaction.catalog.pipelines(in: nil) {
                let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
                let subject = Subject(pipeline.key)
                try transaction.catalog.add(.repoWriter, to: subject, at: AccessResource(pipeline.key.repo(.user)))
                for input in try spec.inputRepos where input.type != .spec {
                    try transaction.catalog.add(.repoReader, to: subject, at: AccessResource(input))
                }
                try PipelineAccess.bindTicks(of: spec, in: transaction)
            }
        }
    }

    /// Checks that the caller may read what a pipeline's code says: its output repo and its inputs (`pps.md` §8). All
    /// versions write one log: the inputs of the version in force count besides those of the one that is asked for.
    package func checkLogReader(_ principal: Principal, of pipeline: PipelineRecord) throws {
        try history.read { catalog in
            let versions = [pipeline, try catalog.pipeline(pipeline.key)].compactMap { $0 }
            try catalog.requireReader(of: pipeline.key, versions, by: principal)
        }
    }
}

extension CatalogReader {
    /// Checks that somebody may read a pipeline's output repo, and what these versions of it read (`clients.md` §3.3).
    func requireReader(of pipeline: PipelineKey, _ versions: [PipelineRecord], by principal: Principal) throws {
        let inputs = try versions.flatMap { try PipelineSpec(canonical: $0.effectiveSpec).inputRepos }
        // What is gone has no readers.
        let known = try inputs.filter { try repo($0) != nil }
        for repo in known + [pipeline.repo(.user)] {
            try require([.repoRead], on: AccessResource(repo), by: principal)
        }
    }
}

extension PipelineSpec {
    /// The repos that its inputs name, without those of ticks.
    var inputRepos: [RepoKey] {
        get throws(SpileError) { try inputLeaves.filter { $0.schedule == nil }.map(\.branch.repo) }
    }

    /// All repos that it reads.
    var sourceRepos: [RepoKey] {
        get throws(SpileError) { try inputLeaves.map(\.branch.repo) }
    }
}
