import Core
import Versioning

extension Jobs {
    /// Which jobs to list, and in which order.
    package struct Listing: Sendable {
        /// Nil: of all pipelines.
        package var pipeline: PipelineKey?
        /// Nil: of all projects.
        package var projects: Set<ProjectKey>?
        /// Jobs of how many older versions to list beside those of the version in force; negative stands for all.
        package var history: Int64
        /// Only jobs in whose set some commit derives from each of these.
        package var inputs: [CommitHandle]
        package var isOldestFirst: Bool
        /// Only jobs made after (before, where the newest come first) this instant.
        package var marker: Instant?

        package init(
            pipeline: PipelineKey? = nil, projects: Set<ProjectKey>? = nil, history: Int64 = -1,
            inputs: [CommitHandle] = [], isOldestFirst: Bool = false, marker: Instant? = nil
        ) {
            self.pipeline = pipeline
            self.projects = projects
            self.history = history
            self.inputs = inputs
            self.isOldestFirst = isOldestFirst
            self.marker = marker
        }
    }

    private static let page = 200

    /// Gives the jobs that the caller may see one after the other, a page of them read at a time, until there are no
    /// more or `body` says false. Throws `notFound` where the listing names a pipeline that is not there.
    package func list(
        _ listing: Listing, as principal: Principal, _ body: (View) async throws -> Bool
    ) async throws {
        var scope = try history.read { try JobScope(listing, in: $0) }
        let sight = JobSight(principal: principal)
        var cursor: Int64?
        while true {
            try Task.checkCancellation()
            let (views, last) = try history.read { catalog -> ([View], Int64?) in
                let jobs = try catalog.jobs(
                    JobFilter(pipeline: listing.pipeline), order: listing.isOldestFirst ? .oldestFirst : .newestFirst,
                    beyond: cursor, limit: Self.page)
                let visible = try sight.visible(jobs, in: catalog)
                var kept: [JobRecord] = []
                for job in visible where try scope.holds(job, in: catalog) { kept.append(job) }
                return (try kept.map { try view($0, in: catalog) }, jobs.last?.number)
            }
            for view in views where try await !body(view) { return }
            guard let last else { return }
            cursor = last
        }
    }

    /// The jobs of a commit set that the caller may see, each after all that it derives from; `isOver`: each once it is
    /// terminal.
    package func list(set id: CommitID, isOver: Bool, as principal: Principal) async throws -> [View] {
        let sight = JobSight(principal: principal)
        let jobs = try history.read { catalog in
            try sight.visible(
                try catalog.jobs(JobFilter(set: id), order: .oldestFirst, beyond: nil, limit: .max), in: catalog)
        }
        var views: [View] = []
        for job in jobs.sorted(by: { $0.commit < $1.commit }) {
            views.append(try await seen(job.key, isOver: isOver))
        }
        return views
    }

    /// Gives the jobs of a pipeline that are not over, oldest first, and then each new one, once. Returns only by
    /// throwing: when the task is cancelled, when `deliver` throws, when the server shuts down.
    package func subscribe(
        _ pipeline: PipelineKey, as principal: Principal, _ deliver: (View) async throws -> Void
    ) async throws {
        // Of those that were made before, the ones that are over are left out.
        let newest = try history.read {
            try $0.jobs(JobFilter(), order: .newestFirst, beyond: nil, limit: 1).first?.number ?? 0
        }
        var cursor: Int64 = 0
        while true {
            let generation = history.events.generation(repo: EventHub.jobs)
            let (views, isPast) = try history.read { catalog -> ([View], Bool) in
                // Again and again: what a caller may see changes.
                try Self.require(pipeline, by: principal, in: catalog)
                let jobs = try catalog.jobs(
                    JobFilter(pipeline: pipeline, isLive: cursor < newest), order: .oldestFirst, beyond: cursor,
                    limit: Self.page)
                // What is newer is told of in its turn, be it over by then or not.
                let known = cursor < newest ? jobs.filter { $0.number <= newest } : jobs
                return (try known.map { try view($0, in: catalog) }, known.count < jobs.count)
            }
            for view in views { try await deliver(view) }
            if let last = views.last, !isPast {
                cursor = last.job.number
            } else if cursor < newest {
                cursor = newest
            } else {
                try await history.events.wait(repo: EventHub.jobs, after: generation)
            }
        }
    }
}

/// Whose jobs a caller may see.
private struct JobSight {
    let principal: Principal

    func visible(_ jobs: [JobRecord], in catalog: any CatalogReader) throws -> [JobRecord] {
        if case .launch(let own, _) = principal { return jobs.filter { $0.key.pipeline == own } }
        guard var access = try catalog.access(of: principal) else { return jobs }
        var answers: [PipelineKey: Bool] = [:]
        return try jobs.filter { job in
            let key = job.key.pipeline
            if let known = answers[key] { return known }
            let answer = try access.has(.pipelineListJob, on: AccessResource(key.repo(.user)))
            answers[key] = answer
            return answer
        }
    }
}

/// What of a listing is not asked of the catalog.
private struct JobScope {
    let listing: Jobs.Listing
    /// The lowest version of each pipeline whose jobs are listed, as far as it was asked for.
    private var firstVersions: [PipelineKey: Int64] = [:]
    private var inputs: Set<Int64>

    init(_ listing: Jobs.Listing, in catalog: any CatalogReader) throws {
        self.listing = listing
        inputs = Set(try listing.inputs.map { try catalog.existingCommit($0).sequence })
        guard let key = listing.pipeline else { return }
        if try catalog.pipeline(key) == nil { throw PipelineManager.missing(key) }
    }

    /// The lowest version of a pipeline whose jobs are listed; all are of one that is gone.
    private mutating func firstVersion(of key: PipelineKey, in catalog: any CatalogReader) throws -> Int64 {
        if listing.history < 0 { return 0 }
        if let known = firstVersions[key] { return known }
        let first = try catalog.pipeline(key).map { $0.version - listing.history } ?? 0
        firstVersions[key] = first
        return first
    }

    mutating func holds(_ job: JobRecord, in catalog: any CatalogReader) throws -> Bool {
        if let projects = listing.projects, !projects.contains(job.key.pipeline.project) { return false }
        if job.version < (try firstVersion(of: job.key.pipeline, in: catalog)) { return false }
        if let marker = listing.marker {
            if listing.isOldestFirst ? job.createdAt <= marker : job.createdAt >= marker { return false }
        }
        if inputs.isEmpty { return true }
        let derived = try catalog.commits(set: job.key.id).flatMap(\.provenance)
        return inputs.isSubset(of: derived)
    }
}
