import Core
import Versioning

/// What specs start from: built-in defaults, those of the cluster, those of the project, each changed by the next as
/// RFC 7396 says (`pps.md` §15).
struct SpecLayers: Sendable {
    var cluster: JSONValue
    var project: JSONValue

    init(of project: ProjectKey, in catalog: any CatalogReader) throws {
        cluster = try DefaultsDocument.read(try catalog.clusterDefaults() ?? "{}", of: .cluster).request
        self.project = try DefaultsDocument.read(
            try catalog.projectDefaults(project)?.json ?? "{}", of: .project
        ).request
    }

    func effective(_ user: JSONValue) -> JSONValue { SpecDefaults.effective(cluster, project, user) }
}

extension PipelineManager {
    /// A change of defaults.
    package struct DefaultsChange: Sendable {
        /// nil stands for the whole server's.
        package var project: ProjectKey?
        package var json: String
        /// Also give the pipelines that exist a new version where their spec comes out different.
        package var regenerate: Bool
        /// Those begin anew.
        package var reprocess: Bool
        /// Only tell which pipelines would change.
        package var dryRun: Bool

        package init(
            project: ProjectKey? = nil, json: String, regenerate: Bool = false, reprocess: Bool = false,
            dryRun: Bool = false
        ) {
            self.project = project
            self.json = json
            self.regenerate = regenerate
            self.reprocess = reprocess
            self.dryRun = dryRun
        }

        var scope: DefaultsDocument.Scope { project == nil ? .cluster : .project }
    }

    /// Sets defaults and regenerates pipelines, all in one transaction; returns the pipelines that it affects.
    package func setDefaults(_ change: DefaultsChange, as principal: Principal) async throws -> [PipelineKey] {
        try refuseLaunches(principal, "set \(change.scope) defaults")
        let request = try DefaultsDocument.read(change.json, of: change.scope).request
        do throws(SpileError) {
            try PipelineSpec(SpecDefaults.effective(request)).checkStatic()
        } catch {
            throw error.asFault(of: change.scope, "could not merge \(change.scope) defaults")
        }
        let affected = try await history.transact(as: principal) { transaction in
            try Self.checkProject(of: change, in: transaction.catalog)
            if let project = change.project {
                try transaction.require(.projectSetDefaults, on: .project(project))
            } else {
                try transaction.require(.clusterSetDefaults, on: .cluster)
            }
            let affected = change.regenerate ? try Self.affected(by: change, request, in: transaction.catalog) : []
            if change.dryRun { return affected.map(\.spec.key) }
            try Self.store(change, in: transaction)
            for (pipeline, spec) in affected {
                let request = PipelineRequest(spec: pipeline.userSpec, update: true, reprocess: change.reprocess)
                try Self.create(spec, request, in: transaction)
            }
            return affected.map(\.spec.key)
        }
        if !change.dryRun { for key in affected { changed(key) } }
        return affected
    }

    private static func checkProject(of change: DefaultsChange, in catalog: any CatalogReader) throws {
        guard let project = change.project, try catalog.project(project) == nil else { return }
        throw SpileError.domain(
            "unknown error: could not write project defaults: project \"\(project)\" not found",
            remedy: "create it first")
    }

    /// The pipelines whose spec comes out different with the defaults in `request`, each with that spec.
    private static func affected(
        by change: DefaultsChange, _ request: JSONValue, in catalog: any CatalogReader
    ) throws -> [(pipeline: PipelineRecord, spec: PipelineSpec)] {
        var result: [(pipeline: PipelineRecord, spec: PipelineSpec)] = []
        for pipeline in try catalog.pipelines(in: change.project.map { [$0] }) {
            var layers = try SpecLayers(of: pipeline.key.project, in: catalog)
            if change.project == nil { layers.cluster = request } else { layers.project = request }
            let spec: PipelineSpec?
            do throws(SpileError) { spec = try regenerated(pipeline, layers) } catch {
                throw error.asFault(of: change.scope, "pipeline \"\(pipeline.key)\"")
            }
            if let spec { result.append((pipeline, spec)) }
        }
        return result
    }

    /// What a pipeline's spec comes to; nil where that is what it is.
    private static func regenerated(
        _ pipeline: PipelineRecord, _ layers: SpecLayers
    ) throws(SpileError) -> PipelineSpec? {
        let user = try SpecDocument.read(pipeline.userSpec).json
        let spec = try effectiveSpec(of: user, layers).named(pipeline.key)
        let known = try PipelineSpec(canonical: pipeline.effectiveSpec)
        let full = try spec.spellingOutCrons(since: known, now: pipeline.updatedAt)
        return full.json.says(sameAs: known.json) ? nil : spec
    }

    private static func store(_ change: DefaultsChange, in transaction: HistoryTransaction) throws {
        guard let project = change.project else { return try transaction.catalog.setClusterDefaults(change.json) }
        try transaction.catalog.setProjectDefaults(
            project,
            to: ProjectDefaultsRecord(
                json: change.json, createdAt: transaction.now, createdBy: transaction.principal.name))
    }

    /// The defaults of the whole server, verbatim; an empty object where none were set.
    package func clusterDefaults() throws -> String { try history.read { try $0.clusterDefaults() } ?? "{}" }

    /// A project's defaults; nil where none were set. Throws `notFound` for a project that is not there.
    package func projectDefaults(_ project: ProjectKey) throws -> ProjectDefaultsRecord? {
        try history.read { catalog in
            guard try catalog.project(project) != nil else { throw SpileError.projectNotFound(project) }
            return try catalog.projectDefaults(project)
        }
    }

    /// Makes the next version of a pipeline from the spec in force: defaults are not merged anew, and secrets are not
    /// looked up (`pps.md` §11).
    package func rerun(_ key: PipelineKey, reprocess: Bool, as principal: Principal) async throws {
        try refuseLaunches(principal, "rerun pipeline")
        try await history.transact(as: principal) { transaction in
            guard let pipeline = try transaction.catalog.pipeline(key) else { throw Self.missing(key) }
            try Self.create(
                try PipelineSpec(canonical: pipeline.effectiveSpec),
                PipelineRequest(spec: pipeline.userSpec, update: true, reprocess: reprocess), in: transaction)
        }
        changed(key)
    }
}

extension PipelineSpec {
    /// The same spec with the pipeline named in full: a stored one may rely on the project that its call was made for.
    fileprivate func named(_ key: PipelineKey) -> PipelineSpec {
        let project = JSONValue.object([JSONMember("name", .string(key.project.name))])
        let pipeline = JSONValue.object([JSONMember("name", .string(key.name)), JSONMember("project", project)])
        return PipelineSpec(json.merged(with: .object([JSONMember("pipeline", pipeline)])))
    }
}
