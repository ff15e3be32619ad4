import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf

/// What there is of pipelines, and how it does (`pps.md` §11).
extension PPSService {
    func registerReads(in routes: inout Routes) {
        routes.unary(Method.InspectPipeline.descriptor) { (request: PpsV2_InspectPipelineRequest, call) in
            let key = try Self.key(request.hasPipeline, request.pipeline)
            let pipeline = try manager.inspect(project: key.project, name: key.name, as: call.principal)
            return try await message(of: try shown([pipeline])[0], hasDetails: request.details)
        }
        routes.serverStream(Method.ListPipeline.descriptor) { (request: PpsV2_ListPipelineRequest, call, writer) in
            for pipeline in try list(request, call) {
                try await writer.write(try await message(of: pipeline, hasDetails: true))
            }
        }
        routes.unary(Method.PipelinesSummary.descriptor) { (request: PpsV2_PipelinesSummaryRequest, call) in
            let projects = request.projects.map { ProjectKey($0.name) }
            let listing = PipelineManager.Listing(projects: projects.isEmpty ? nil : projects)
            let pipelines = try manager.list(listing, as: call.principal)
            var response = PpsV2_PipelinesSummaryResponse()
            response.summaries = try summaries(pipelines)
            return response
        }
        routes.serverStream(Method.CheckStatus.descriptor) { (request: PpsV2_CheckStatusRequest, call, writer) in
            for answer in try checkStatus(request, call) { try await writer.write(answer) }
        }
    }

    private func list(_ request: PpsV2_ListPipelineRequest, _ call: Call) throws -> [PipelineRecord] {
        let filter = request.jqFilter.isEmpty ? nil : try JQFilter(request.jqFilter)
        let hasName = request.hasPipeline && !request.pipeline.name.isEmpty
        var pipelines = try manager.list(
            PipelineManager.Listing(
                pipeline: hasName ? PipelineKey(request.pipeline) : nil,
                projects: request.projects.isEmpty ? nil : request.projects.map { ProjectKey($0) },
                history: request.history,
                commitSet: request.hasCommitSet ? try Self.set(request.commitSet) : nil),
            as: call.principal)
        pipelines = try shown(pipelines)
        if let filter {
            pipelines = try pipelines.filter { try filter.keeps(try ownMessage(of: $0, hasDetails: true).filterJSON) }
        }
        if request.hasPage, request.page.pageSize > 0 {
            let size = Int(clamping: request.page.pageSize)
            let (skipped, isTooFar) = size.multipliedReportingOverflow(
                by: max(0, Int(clamping: request.page.pageIndex)))
            pipelines = isTooFar ? [] : Array(pipelines.dropFirst(skipped).prefix(size))
        }
        return pipelines
    }

    /// With the address of its service (`pps.md` §4.2).
    private func message(of pipeline: PipelineRecord, hasDetails: Bool) async throws -> PpsV2_PipelineInfo {
        var message = try ownMessage(of: pipeline, hasDetails: hasDetails)
        if message.details.service.externalPort != 0 {
            message.details.service.ip = try await address(of: message.details.service, pipeline)
        }
        if message.details.spout.service.externalPort != 0 {
            message.details.spout.service.ip = try await address(of: message.details.spout.service, pipeline)
        }
        return message
    }

    /// With the state of its newest job, if it has jobs.
    private func ownMessage(of pipeline: PipelineRecord, hasDetails: Bool) throws -> PpsV2_PipelineInfo {
        var message = try pipeline.message(hasDetails: hasDetails)
        if pipeline.kind == .spout { return message }
        let (newest, oldest) = try history.read { catalog in
            func first(_ isLive: Bool, _ order: CommitOrder) throws -> JobRecord? {
                let filter = JobFilter(pipeline: pipeline.key, isLive: isLive)
                return try catalog.jobs(filter, order: order, beyond: nil, limit: 1).first
            }
            return (try first(false, .newestFirst), hasDetails ? try first(true, .oldestFirst) : nil)
        }
        if let newest { message.lastJobState = newest.state.message }
        if hasDetails, let oldest { message.details.unclaimedTasks = progress[oldest.key]?.waiting ?? 0 }
        return message
    }

    /// Where a service is reached: where the launcher says, else on this machine at least. Nowhere while the outside
    /// world does not tell: all else that is asked of a pipeline is worth an answer.
    private func address(of service: PpsV2_Service, _ pipeline: PipelineRecord) async throws -> String {
        let kind = try PipelineSpec(canonical: pipeline.effectiveSpec).launcherName.flatMap(LauncherKind.init)
        do {
            if let address = try await launcher.serviceAddress(of: pipeline.key, on: kind) { return address }
        } catch let error as SpileError where error.code != .internal {
            return ""
        }
        let isEverywhere = ["0.0.0.0", "::"].contains(serviceHost)
        return isEverywhere || service.type == "ClusterIP" ? "127.0.0.1" : serviceHost
    }

    /// Those that run and commit nothing, with the likely cause as their reason.
    func shown(_ pipelines: [PipelineRecord]) throws -> [PipelineRecord] {
        guard pipelines.contains(where: { $0.state == .running }) else { return pipelines }
        return try history.read { catalog in try pipelines.map { try watch.shown($0, in: catalog) } }
    }

    private static func set(_ message: PfsV2_CommitSet) throws -> CommitID {
        guard let id = CommitID(message.id) else {
            throw SpileError.notFound("commit set \(message.id) not found", remedy: "list commit shows their ids")
        }
        return id
    }

    private func summaries(_ pipelines: [PipelineRecord]) throws -> [PpsV2_PipelinesSummary] {
        let unhealthy = try history.read { catalog in
            Set(
                try pipelines.filter { pipeline in
                    let filter = JobFilter(pipeline: pipeline.key)
                    let last = try catalog.jobs(filter, order: .newestFirst, beyond: nil, limit: 1).first
                    return [.failure, .killed, .unrunnable].contains(last?.state)
                }.map(\.key))
        }
        return Dictionary(grouping: pipelines, by: \.key.project).sorted { $0.key < $1.key }.map { project, pipelines in
            let failed = pipelines.count { $0.state == .failure || $0.state == .crashing }
            let paused = pipelines.count { $0.state == .paused }
            return .with {
                $0.project = project.message
                $0.failedPipelines = Int64(failed)
                $0.pausedPipelines = Int64(paused)
                $0.activePipelines = Int64(pipelines.count - failed - paused)
                $0.unhealthyPipelines = Int64(pipelines.count { unhealthy.contains($0.key) })
            }
        }
    }
}

extension SwiftProtobuf.Message {
    /// What filters look at: the message with the names of the .proto files, without what is zero (`pps.md` §11).
    var filterJSON: JSONValue {
        get throws {
            var options = JSONEncodingOptions()
            options.preserveProtoFieldNames = true
            return try SpecDocument.plainJSON(try jsonString(options: options))
        }
    }
}
