import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf
import Versioning

/// `pps_v2.API`: messages to calls of ``PipelineManager`` and ``LogStore`` and back (`pps.md` §11).
struct PPSService: Sendable {
    let manager: PipelineManager
    let secrets: Secrets
    let logs: LogStore
    let history: History
    let transactions: Transactions
    let clock: any Clock
    let watch: SpoutWatch
    let progress: JobProgress
    /// Where the ports of services are open.
    let serviceHost: String
    let launcher: any Launcher

    typealias Method = PpsV2_API.Method

    func register(in routes: inout Routes) {
        registerChanges(in: &routes)
        registerReads(in: &routes)
        registerJobs(in: &routes)
        registerDatums(in: &routes)
        registerSecrets(in: &routes)
        registerDefaults(in: &routes)
        registerLogs(in: &routes)
        routes.unary(Method.ActivateAuth.descriptor) { (_: PpsV2_ActivateAuthRequest, call) in
            try await manager.bindPipelines(as: call.principal)
            return PpsV2_ActivateAuthResponse()
        }
        routes.unary(Method.RunPipeline.descriptor) { (_: PpsV2_RunPipelineRequest, _) -> Google_Protobuf_Empty in
            throw SpileError.domain("unimplemented", remedy: "rerun pipeline runs one again")
        }
        routes.refuse([Method.RenderTemplate.descriptor]) { _ in
            "RenderTemplate is not offered: this server knows no jsonnet; render on your side: "
                + "jsonnet --tla-str name=value template.jsonnet | pachctl create pipeline -f -"
        }
        routes.refuse(Method.descriptors) {
            "\($0.method) is not offered by this server"
        }
    }
}

extension PPSService {
    private func registerChanges(in routes: inout Routes) {
        registerCreation(in: &routes)
        registerDeletion(in: &routes)
        routes.unary(Method.StartPipeline.descriptor) { (request: PpsV2_StartPipelineRequest, call) in
            try await manager.start(try Self.key(request.hasPipeline, request.pipeline), as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.StopPipeline.descriptor) { (request: PpsV2_StopPipelineRequest, call) in
            try await manager.stop(
                try Self.key(request.hasPipeline, request.pipeline), mustExist: request.mustExist, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.RerunPipeline.descriptor) { (request: PpsV2_RerunPipelineRequest, call) in
            let key = try Self.key(request.hasPipeline, request.pipeline)
            try await manager.rerun(key, reprocess: request.reprocess, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.RunCron.descriptor) { (request: PpsV2_RunCronRequest, call) in
            try await manager.runCron(try Self.key(request.hasPipeline, request.pipeline), as: call.principal)
            return Google_Protobuf_Empty()
        }
    }

    private func registerCreation(in routes: inout Routes) {
        routes.unary(Method.CreatePipeline.descriptor) { (request: PpsV2_CreatePipelineRequest, call) in
            let pipeline = PipelineRequest(
                spec: try Self.text(request), update: request.update, reprocess: request.reprocess,
                dryRun: request.dryRun)
            _ = try await create(pipeline, request, call)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.CreatePipelineV2.descriptor) { (request: PpsV2_CreatePipelineV2Request, call) in
            let pipeline = PipelineRequest(
                spec: request.createPipelineRequestJson, update: request.update, reprocess: request.reprocess,
                dryRun: request.dryRun)
            let plain = PpsV2_CreatePipelineRequest.with {
                $0.update = request.update
                $0.reprocess = request.reprocess
            }
            let effective = try await create(pipeline, plain, call)
            return PpsV2_CreatePipelineV2Response.with { $0.effectiveCreatePipelineRequestJson = effective }
        }
    }

    /// Creates a pipeline at once, or appends its creation to the call's transaction; returns the effective spec.
    ///
    /// A spec that cannot be read is told by the request's field, too (`pps.md` §0).
    private func create(
        _ pipeline: PipelineRequest, _ plain: PpsV2_CreatePipelineRequest, _ call: Call
    ) async throws -> String {
        do {
            return try await createOrAppend(pipeline, plain, call)
        } catch let error as SpileError where error.code == .invalidArgument {
            let field = "create_pipeline_v2_request.create_pipeline_request_json"
            throw error.with(.field(field, description: error.message))
        }
    }

    private func createOrAppend(
        _ pipeline: PipelineRequest, _ plain: PpsV2_CreatePipelineRequest, _ call: Call
    ) async throws -> String {
        guard try call.transactionID() != nil, !pipeline.dryRun else {
            return try await manager.create(pipeline, as: call.principal)
        }
        let prepared = try manager.prepare(pipeline, as: call.principal)
        var named = plain
        named.pipeline = prepared.key.message
        try await transactions.perform(
            .with {
                $0.createPipelineV2.createPipelineRequest = named
                $0.createPipelineV2.userJson = pipeline.spec
                $0.createPipelineV2.effectiveJson = prepared.effectiveSpec
            }, call)
        return prepared.effectiveSpec
    }

    /// A request message as the spec it is.
    static func text(_ request: PpsV2_CreatePipelineRequest) throws -> String {
        var options = JSONEncodingOptions()
        options.useDeterministicOrdering = true
        return try request.jsonString(options: options)
    }

    private func registerDeletion(in routes: inout Routes) {
        routes.unary(Method.DeletePipeline.descriptor) { (request: PpsV2_DeletePipelineRequest, call) in
            // `all` is older than DeletePipelines and, as the contract has it, deletes nothing.
            if request.all { return Google_Protobuf_Empty() }
            try await manager.delete(
                try Self.key(request.hasPipeline, request.pipeline),
                PipelineManager.Deletion(
                    force: request.force, keepRepo: request.keepRepo, mustExist: request.mustExist),
                as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.DeletePipelines.descriptor) { (request: PpsV2_DeletePipelinesRequest, call) in
            let projects = request.projects.map { ProjectKey($0) }
            if projects.isEmpty && !request.all { return PpsV2_DeletePipelinesResponse() }
            let deleted = try await manager.deleteAll(
                in: request.all ? nil : projects,
                PipelineManager.Deletion(force: request.force, keepRepo: request.keepRepo), as: call.principal)
            return PpsV2_DeletePipelinesResponse.with { $0.pipelines = deleted.map(\.message) }
        }
        routes.unary(Method.DeleteAll.descriptor) { (_: Google_Protobuf_Empty, call) in
            _ = try await manager.deleteAll(in: nil, PipelineManager.Deletion(force: true), as: call.principal)
            try await secrets.deleteAll(as: call.principal)
            return Google_Protobuf_Empty()
        }
    }

    static func key(_ isGiven: Bool, _ message: PpsV2_Pipeline) throws -> PipelineKey {
        guard isGiven, !message.name.isEmpty else {
            throw SpileError.invalid("request.Pipeline cannot be nil", remedy: "name a pipeline")
        }
        return PipelineKey(message)
    }
}

extension PPSService {
    private func registerLogs(in routes: inout Routes) {
        routes.serverStream(Method.GetLogs.descriptor) { (request: PpsV2_GetLogsRequest, call, writer) in
            guard let query = try logQuery(request, call) else { return }
            try await logs.read(query) { record in
                try await writer.write(record.message(of: query.pipeline, isMaster: request.master))
            }
        }
    }

    /// What to read; nil where nothing can match.
    ///
    /// Output of the user's code is not the master's (`contract/README.md` 7), yet scripts written for the original ask
    /// for it by `master`: they get it too, flagged as they expect.
    private func logQuery(_ request: PpsV2_GetLogsRequest, _ call: Call) throws -> LogQuery? {
        var message = request.pipeline
        if request.hasJob {
            guard !request.job.pipeline.name.isEmpty || !message.name.isEmpty else {
                throw SpileError.domain("pipeline must be specified for the given job")
            }
            if message.name.isEmpty { message = request.job.pipeline }
        }
        guard !message.name.isEmpty else {
            try history.read { try $0.require([.clusterGetPachdLogs], on: .cluster, by: call.principal) }
            throw SpileError(
                .unimplemented, "GetLogs of the server itself is not implemented", remedy: "read its standard error")
        }
        let pipeline = try manager.inspect(
            project: ProjectKey(message.project), name: message.name, as: call.principal)
        try manager.checkLogReader(call.principal, of: pipeline)
        var query = LogQuery(
            pipeline: pipeline.key, kind: request.master ? .all : .user, data: request.dataFilters,
            since: request.hasSince ? Double(request.since.seconds) + Double(request.since.nanos) / 1e9 : 0,
            tail: request.tail > 0 ? Int(clamping: request.tail) : nil, follow: request.follow)
        if request.hasDatum, !request.datum.id.isEmpty {
            guard let datum = Digest(hex: request.datum.id) else { return nil }
            query.datum = datum
        }
        let job = request.job.id.isEmpty ? request.datum.job.id : request.job.id
        if !["", "spout"].contains(job) { try restrict(&query, to: job) }
        return query
    }

    /// To one job's lines, by default from an hour before it was made.
    private func restrict(_ query: inout LogQuery, to id: String) throws {
        let pipeline = query.pipeline
        guard let id = CommitID(id), let job = try history.read({ try $0.job(JobKey(pipeline: pipeline, id: id)) })
        else {
            throw SpileError.notFound(
                "job \"\(pipeline)@\(id)\" not found", remedy: "list job shows the ids that there are")
        }
        query.job = id
        if query.since == 0 { query.since = clock.now().seconds(since: job.createdAt) + 3600 }
    }
}
