import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf
import Versioning

/// Jobs (`pps.md` §10, §11).
extension PPSService {
    var jobs: Jobs { Jobs(history: history, progress: progress) }

    func registerJobs(in routes: inout Routes) {
        routes.unary(Method.InspectJob.descriptor) { (request: PpsV2_InspectJobRequest, call) in
            let key = try Self.job(request.hasJob, request.job)
            let view = try await jobs.inspect(key, isOver: request.wait, as: call.principal)
            return try view.message(hasDetails: request.details)
        }
        routes.unary(Method.StopJob.descriptor) { (request: PpsV2_StopJobRequest, call) in
            let key = try Self.job(request.hasJob, request.job)
            guard try call.transactionID() == nil else {
                try await transactions.perform(.with { $0.stopJob = request }, call)
                return Google_Protobuf_Empty()
            }
            try await jobs.stop(key, reason: request.reason, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.DeleteJob.descriptor) { (request: PpsV2_DeleteJobRequest, call) in
            try await jobs.delete(try Self.job(request.hasJob, request.job), as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.serverStream(Method.ListTask.descriptor) {
            (_: Taskapi_ListTaskRequest, _, _: RPCWriter<Taskapi_TaskInfo>) in
        }
        registerLists(in: &routes)
    }

    private func registerLists(in routes: inout Routes) {
        routes.serverStream(Method.ListJob.descriptor) { (request: PpsV2_ListJobRequest, call, writer) in
            let filter = try ShownJobs(request.jqFilter)
            var left = request.number > 0 ? request.number : .max
            try await jobs.list(try Self.listing(request), as: call.principal) { view in
                guard let message = try filter.message(of: view, hasDetails: request.details) else { return true }
                try await writer.write(message)
                left -= 1
                return left > 0
            }
        }
        routes.serverStream(Method.SubscribeJob.descriptor) { (request: PpsV2_SubscribeJobRequest, call, writer) in
            let key = try Self.key(request.hasPipeline, request.pipeline)
            try await jobs.subscribe(key, as: call.principal) { view in
                try await writer.write(try view.message(hasDetails: request.details))
            }
        }
        routes.serverStream(Method.InspectJobSet.descriptor) { (request: PpsV2_InspectJobSetRequest, call, writer) in
            guard let id = CommitID(request.jobSet.id) else {
                throw SpileError.notFound("job set \"\(request.jobSet.id)\" not found", remedy: "list job shows them")
            }
            for view in try await jobs.list(set: id, isOver: request.wait, as: call.principal) {
                try await writer.write(try view.message(hasDetails: request.details))
            }
        }
        routes.serverStream(Method.ListJobSet.descriptor) { (request: PpsV2_ListJobSetRequest, call, writer) in
            try await listSets(request, call, writer)
        }
    }

    /// Sets by their newest job (`reverse`: their oldest); jobs that a filter leaves out are not shown, nor is a set
    /// without any.
    private func listSets(
        _ request: PpsV2_ListJobSetRequest, _ call: Call, _ writer: RPCWriter<PpsV2_JobSetInfo>
    ) async throws {
        if request.number < 0 { throw SpileError.invalid("number must be non-negative") }
        let filter = try ShownJobs(request.jqFilter)
        let listing = Jobs.Listing(
            isOldestFirst: request.reverse,
            marker: request.hasPaginationMarker ? Instant(request.paginationMarker) : nil)
        var seen: Set<CommitID> = []
        var left = request.number > 0 ? request.number : .max
        try await jobs.list(listing, as: call.principal) { view in
            let id = view.job.key.id
            guard seen.insert(id).inserted else { return true }
            let views = try await jobs.list(set: id, isOver: false, as: call.principal)
            let info = try filter.message(of: views, id, request)
            if info.jobs.isEmpty { return true }
            try await writer.write(info)
            left -= 1
            return left > 0
        }
    }

    private static func listing(_ request: PpsV2_ListJobRequest) throws -> Jobs.Listing {
        let isNamed = request.hasPipeline && !request.pipeline.name.isEmpty
        return Jobs.Listing(
            pipeline: isNamed ? PipelineKey(request.pipeline) : nil,
            projects: request.projects.isEmpty ? nil : Set(request.projects.map { ProjectKey($0) }),
            history: request.history, inputs: try request.inputCommit.map { try CommitHandle($0) },
            isOldestFirst: request.reverse,
            marker: request.hasPaginationMarker ? Instant(request.paginationMarker) : nil)
    }

    static func job(_ isGiven: Bool, _ message: PpsV2_Job) throws -> JobKey {
        guard isGiven else { throw SpileError.domain("must specify a job") }
        let pipeline = PipelineKey(message.pipeline)
        guard let id = CommitID(message.id) else {
            throw SpileError.notFound(
                "job \"\(pipeline)@\(message.id)\" not found", remedy: "list job shows the ids that there are")
        }
        return JobKey(pipeline: pipeline, id: id)
    }
}

/// What a request's jq filter leaves of jobs.
private struct ShownJobs {
    private let filter: JQFilter?

    init(_ text: String) throws { filter = text.isEmpty ? nil : try JQFilter(text) }

    /// A job's message; nil for one that is left out.
    func message(of view: Jobs.View, hasDetails: Bool) throws -> PpsV2_JobInfo? {
        if let filter {
            let isKept = try filter.keeps(try view.message(hasDetails: true).filterJSON)
            if !isKept { return nil }
        }
        return try view.message(hasDetails: hasDetails)
    }

    /// A set's message. Never a part of its caller: the compiler's optimiser fails on that.
    @inline(never)
    func message(
        of views: [Jobs.View], _ id: CommitID, _ request: PpsV2_ListJobSetRequest
    ) throws -> PpsV2_JobSetInfo {
        let projects = request.projects.isEmpty ? nil : Set(request.projects.map { ProjectKey($0) })
        var info = PpsV2_JobSetInfo()
        info.jobSet.id = id.description
        info.jobs = try views.filter { projects?.contains($0.job.key.pipeline.project) ?? true }
            .compactMap { try message(of: $0, hasDetails: request.details) }
        return info
    }
}
