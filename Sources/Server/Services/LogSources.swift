import API
import Core
import Pipelines
import Versioning

/// A pipeline's log, and which records of it are asked for.
struct LogSource {
    var pipeline: PipelineKey
    var kind: LogQuery.Kind = .all
    var job: CommitID?
    var datum: Digest?
    /// When the first of them can have been written; nil where that is not known.
    var first: Instant?

    func query(_ selection: LogSelection, follow: Bool = false) -> LogQuery {
        LogQuery(
            pipeline: pipeline, kind: selection.kind(kind), job: job, datum: datum, since: selection.since,
            follow: follow)
    }
}

/// Finds the logs that a query of `logs.API` asks for, as far as the caller may read them (`clients.md` §3.6).
struct LogSources {
    let manager: PipelineManager
    let history: History
    let principal: Principal

    /// By name of pipeline. Throws where a pipeline or a job is named that is not there or that the caller may not
    /// read; of a project, a job without its pipeline and a datum, logs that the caller may not read are left out.
    func find(_ query: Logs_LogQuery) throws -> [LogSource] {
        switch query.queryType {
        case .user(let user): return try find(user)
        case .admin(let admin):
            try history.read { try $0.require([.clusterGetLokiLogs], on: .cluster, by: principal) }
            switch admin.adminType {
            case .user(let user): return try find(user)
            case .master(let message): return [LogSource(pipeline: try pipeline(message), kind: .server)]
            case .logql:
                throw SpileError(
                    .unimplemented, "GetLogs: LogQL is not offered", remedy: "ask for a project's or a pipeline's logs")
            case .pod, .podContainer, .app, .storage:
                throw SpileError(
                    .unimplemented, "GetLogs: the server keeps no records of itself", remedy: "read its standard error")
            case nil: throw SpileError.invalid("query.admin names nothing", remedy: "set one of its fields")
            }
        case nil: throw SpileError.invalid("query is not set", remedy: "set query.user or query.admin")
        }
    }

    private func find(_ user: Logs_UserLogQuery) throws -> [LogSource] {
        switch user.userType {
        case .pipeline(let message): return [LogSource(pipeline: try pipeline(message))]
        case .project(let name): return try readable(in: [ProjectKey(name)]).map { LogSource(pipeline: $0.key) }
        case .job(let id): return try ofJob(id)
        case .pipelineJob(let query): return [try ofJob(query.job, of: try pipeline(query.pipeline))]
        case .datum(let id):
            let datum = try datum(id)
            // Nothing says whose datum it is: all logs that can hold it are read.
            return try readable(in: nil).filter { $0.kind != .spout }.map { LogSource(pipeline: $0.key, datum: datum) }
        case .jobDatum(let query):
            let datum = try datum(query.datum)
            return try ofJob(query.job).map { source in
                var source = source
                source.datum = datum
                return source
            }
        case .pipelineDatum(let query):
            return [LogSource(pipeline: try pipeline(query.pipeline), datum: try datum(query.datum))]
        case nil: throw SpileError.invalid("query.user names nothing", remedy: "set one of its fields")
        }
    }

    private func pipeline(_ message: Logs_PipelineLogQuery) throws -> PipelineKey {
        guard !message.pipeline.isEmpty else { throw SpileError.invalid("the query names no pipeline") }
        let pipeline = try manager.inspect(
            project: ProjectKey(message.project), name: message.pipeline, as: principal)
        try manager.checkLogReader(principal, of: pipeline)
        return pipeline.key
    }

    private func readable(in projects: [ProjectKey]?) throws -> [PipelineRecord] {
        let all = try manager.list(PipelineManager.Listing(projects: projects), as: principal)
        return try all.sorted { $0.key < $1.key }.filter(mayRead)
    }

    private func mayRead(_ pipeline: PipelineRecord) throws -> Bool {
        do {
            try manager.checkLogReader(principal, of: pipeline)
            return true
        } catch let error as SpileError where error.code == .permissionDenied {
            return false
        }
    }

    /// All jobs of an id: those of one commit set, each of another pipeline.
    private func ofJob(_ text: String) throws -> [LogSource] {
        let id = try job(text)
        let jobs = try history.read { try $0.jobs(JobFilter(set: id), order: .oldestFirst, beyond: nil, limit: .max) }
        if jobs.isEmpty { throw missing(text) }
        let keys = Set(jobs.map(\.key.pipeline))
        return try readable(in: nil).filter { keys.contains($0.key) }.map { try ofJob(text, of: $0.key) }
    }

    private func ofJob(_ text: String, of pipeline: PipelineKey) throws -> LogSource {
        let id = try job(text)
        guard let job = try history.read({ try $0.job(JobKey(pipeline: pipeline, id: id)) }) else {
            throw missing("\(pipeline)@\(text)")
        }
        return LogSource(pipeline: pipeline, job: id, first: job.createdAt)
    }

    private func job(_ text: String) throws -> CommitID {
        guard let id = CommitID(text) else {
            throw SpileError.invalid("\"\(text)\" is no job's id", remedy: "list job shows the ids that there are")
        }
        return id
    }

    private func missing(_ name: String) -> SpileError {
        .notFound("job \"\(name)\" not found", remedy: "list job shows the ids that there are")
    }

    private func datum(_ text: String) throws -> Digest {
        guard let id = Digest(hex: text) else {
            throw SpileError.invalid("\"\(text)\" is no datum's id", remedy: "list datum shows the ids of a job's")
        }
        return id
    }
}
