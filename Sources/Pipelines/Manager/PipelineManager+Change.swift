import Core
import Versioning

extension PipelineManager {
    /// Lets a stopped pipeline run again; no change for one that is not stopped.
    package func start(_ key: PipelineKey, as principal: Principal) async throws {
        try refuseLaunches(principal, "start pipeline")
        try await history.transact(as: principal) { transaction in
            guard var pipeline = try transaction.catalog.pipeline(key) else { throw Self.missing(key) }
            try transaction.require(.repoWrite, on: AccessResource(key.repo(.user)))
            guard pipeline.stopped else { return }
            try SpoutOutput.finishLeftovers(of: pipeline, in: transaction)
            pipeline.stopped = false
            try transaction.catalog.put(pipeline)
            transaction.notePipeline()
            let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
            try CronRepos.restore(of: spec, in: transaction)
            try transaction.createBranch(try Self.outputBranch(pipeline), OutputBranch.derivation(of: spec))
            if pipeline.kind == .spout { try SpoutOutput.closeOpening(of: key, in: transaction) }
            if pipeline.kind == .transform { try OutputBranch.setMeta(of: spec, derives: true, in: transaction) }
        }
        changed(key)
    }

    /// Stops a pipeline: its output branch becomes an ordinary one, and its code is ended.
    package func stop(_ key: PipelineKey, mustExist: Bool, as principal: Principal) async throws {
        try refuseLaunches(principal, "stop pipeline")
        try await history.transact(as: principal) { transaction in
            guard var pipeline = try transaction.catalog.pipeline(key) else {
                if mustExist { throw Self.missing(key) }
                return
            }
            try transaction.require(.repoWrite, on: AccessResource(key.repo(.user)))
            guard !pipeline.stopped else { return }
            pipeline.stopped = true
            try transaction.catalog.put(pipeline)
            transaction.notePipeline()
            let user = Self.killer(principal)
            try transaction.killJobs(
                of: key, reason: "all jobs killed because pipeline was stopped for user \(user)")
            try transaction.createBranch(try Self.outputBranch(pipeline))
            if pipeline.kind == .transform {
                let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
                try OutputBranch.setMeta(of: spec, derives: false, in: transaction)
            }
        }
        changed(key)
    }

    /// How a pipeline is deleted (`pps.md` §16).
    package struct Deletion: Sendable {
        /// Also where branches elsewhere derive from its output: those links are cut.
        package var force: Bool
        /// The output repo stays, as an ordinary one.
        package var keepRepo: Bool
        package var mustExist: Bool
        package init(force: Bool = false, keepRepo: Bool = false, mustExist: Bool = false) {
            self.force = force
            self.keepRepo = keepRepo
            self.mustExist = mustExist
        }
    }

    /// Deletes a pipeline with all its versions; where that is refused, it goes on as before.
    package func delete(_ key: PipelineKey, _ deletion: Deletion, as principal: Principal) async throws {
        try refuseLaunches(principal, "delete pipeline")
        try await history.transact(as: principal) { transaction in
            guard let pipeline = try transaction.catalog.pipeline(key) else {
                if deletion.mustExist { throw Self.missing(key) }
                return
            }
            try Self.delete(pipeline, deletion, in: transaction)
        }
        changed(key)
    }

    /// Deletes all pipelines of some projects (nil: of all), all or none, and returns their names.
    package func deleteAll(
        in projects: [ProjectKey]?, _ deletion: Deletion, as principal: Principal
    ) async throws -> [PipelineKey] {
        try refuseLaunches(principal, "delete pipelines")
        let deleted = try await history.transact(as: principal) { transaction in
            let pipelines = try Self.readersFirst(transaction.catalog.pipelines(in: projects))
            for pipeline in pipelines { try Self.delete(pipeline, deletion, in: transaction) }
            return pipelines.map(\.key)
        }
        for key in deleted { changed(key) }
        return deleted
    }

    /// Pipelines, each before those whose output it reads.
    private static func readersFirst(_ pipelines: [PipelineRecord]) throws -> [PipelineRecord] {
        let outputs = Dictionary(pipelines.map { ($0.key.repo(.user), $0) }, uniquingKeysWith: { $1 })
        var (ordered, placed): ([PipelineRecord], Set<PipelineKey>) = ([], [])
        func place(_ pipeline: PipelineRecord) throws {
            guard placed.insert(pipeline.key).inserted else { return }
            for repo in try PipelineSpec(canonical: pipeline.effectiveSpec).inputRepos {
                if let upstream = outputs[repo] { try place(upstream) }
            }
            ordered.append(pipeline)
        }
        for pipeline in pipelines { try place(pipeline) }
        return ordered.reversed()
    }

    private static func delete(
        _ pipeline: PipelineRecord, _ deletion: Deletion, in transaction: HistoryTransaction
    ) throws {
        let key = pipeline.key
        try transaction.require(.repoDelete, on: AccessResource(key.repo(.user)))
        try PipelineAccess.unbind(pipeline, in: transaction)
        try transaction.killJobs(of: key, reason: "job deleted")
        // First the rows: a repo that still has a pipeline must not be deleted, and the launch's token dies with them.
        try transaction.catalog.deletePipeline(key)
        transaction.notePipeline()
        if deletion.keepRepo {
            if try transaction.catalog.repo(key.repo(.user)) != nil {
                try SpoutOutput.finishLeftovers(of: pipeline, in: transaction)
                try transaction.createBranch(try outputBranch(pipeline))
            }
            _ = try transaction.deleteRepo(key.repo(.spec), force: deletion.force)
        } else {
            _ = try transaction.deleteRepo(key.repo(.user), force: deletion.force)
            _ = try transaction.deleteRepo(key.repo(.spec), force: deletion.force)
        }
        // Of a pipeline that is, or was, a transform.
        if try transaction.catalog.repo(key.repo(.meta)) != nil {
            _ = try transaction.deleteRepo(key.repo(.meta), force: deletion.force)
        }
        try CronRepos.remove(of: pipeline, force: deletion.force, in: transaction)
    }

    private static func outputBranch(_ pipeline: PipelineRecord) throws -> BranchKey {
        pipeline.key.repo(.user).branch(try PipelineSpec(canonical: pipeline.effectiveSpec).outputBranch)
    }
}
