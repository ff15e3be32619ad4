import API
import Core
import Foundation
import Pipelines
import SwiftProtobuf

extension PipelineKey {
    init(_ message: PpsV2_Pipeline) { self.init(project: ProjectKey(message.project), name: message.name) }

    var message: PpsV2_Pipeline {
        .with {
            $0.project = project.message
            $0.name = name
        }
    }
}

extension PipelineState {
    var message: PpsV2_PipelineState { PpsV2_PipelineState(rawValue: rawValue) ?? .unknown }
}

extension PipelineRecord {
    /// With `hasDetails` also what its spec says, and how its code does.
    func message(hasDetails: Bool) throws -> PpsV2_PipelineInfo {
        let spec = hasDetails ? try PpsV2_CreatePipelineRequest(jsonString: effectiveSpec) : nil
        return .with {
            $0.pipeline = key.message
            $0.version = UInt64(version)
            $0.specCommit = key.repo(.spec).commit(specCommit).message
            $0.stopped = stopped
            $0.state = state.message
            $0.reason = reason
            $0.parallelism = UInt64(parallelism)
            $0.type = PpsV2_PipelineInfo.PipelineType(rawValue: kind.rawValue) ?? .pipelintTypeUnknown
            $0.userSpecJson = userSpec
            $0.effectiveSpecJson = effectiveSpec
            $0.metadata = metadata
            if let spec { $0.details = details(spec) }
        }
    }

    private func details(_ spec: PpsV2_CreatePipelineRequest) -> PpsV2_PipelineInfo.Details {
        var details = PpsV2_PipelineInfo.Details()
        copyMessages(of: spec, to: &details)
        details.createdAt = createdAt.message
        details.updatedAt = updatedAt.message
        details.createdBy = createdBy
        if let workersStartedAt { details.workersStartedAt = workersStartedAt.message }
        details.outputBranch = spec.outputBranch
        details.description_p = spec.description_p
        details.salt = salt
        details.reason = reason
        if state == .crashing || state == .failure { details.recentError = reason }
        details.workersRequested = stopped ? 0 : parallelism
        details.workersAvailable = workersStartedAt == nil ? 0 : parallelism
        details.datumTries = spec.datumTries
        details.podSpec = spec.podSpec
        details.podPatch = spec.podPatch
        details.s3Out = spec.s3Out
        details.reprocessSpec = spec.reprocessSpec
        details.autoscaling = spec.autoscaling
        details.tolerations = spec.tolerations
        return details
    }

    /// Messages are copied only where the spec has them: presence carries meaning.
    private func copyMessages(of spec: PpsV2_CreatePipelineRequest, to details: inout PpsV2_PipelineInfo.Details) {
        if spec.hasTransform { details.transform = spec.transform }
        if spec.hasTfJob { details.tfJob = spec.tfJob }
        if spec.hasParallelismSpec { details.parallelismSpec = spec.parallelismSpec }
        if spec.hasEgress { details.egress = spec.egress }
        if spec.hasInput { details.input = spec.input }
        if spec.hasService { details.service = spec.service }
        if spec.hasSpout { details.spout = spec.spout }
        if spec.hasResourceRequests { details.resourceRequests = spec.resourceRequests }
        if spec.hasResourceLimits { details.resourceLimits = spec.resourceLimits }
        if spec.hasSidecarResourceLimits { details.sidecarResourceLimits = spec.sidecarResourceLimits }
        if spec.hasSidecarResourceRequests { details.sidecarResourceRequests = spec.sidecarResourceRequests }
        if spec.hasDatumSetSpec { details.datumSetSpec = spec.datumSetSpec }
        if spec.hasDatumTimeout { details.datumTimeout = spec.datumTimeout }
        if spec.hasJobTimeout { details.jobTimeout = spec.jobTimeout }
        if spec.hasSchedulingSpec { details.schedulingSpec = spec.schedulingSpec }
        if spec.hasMetadata { details.metadata = spec.metadata }
        if spec.hasDetermined { details.determined = spec.determined }
        if spec.hasMaximumExpectedUptime { details.maximumExpectedUptime = spec.maximumExpectedUptime }
    }
}

extension LogRecord {
    func message(of pipeline: PipelineKey, isMaster: Bool) -> PpsV2_LogMessage {
        .with {
            $0.projectName = pipeline.project.name
            $0.pipelineName = pipeline.name
            $0.workerID = worker
            $0.ts = instant.message
            $0.message = message
            if let job { $0.jobID = "\(job)" }
            if let datum { $0.datumID = "\(datum)" }
            $0.data = data.map { input in
                .with {
                    $0.path = input.path
                    $0.hash = Data(input.hash.bytes)
                }
            }
            $0.user = !isServer
            $0.master = isServer || isMaster
        }
    }
}
