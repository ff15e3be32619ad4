import API
import Core
import Foundation
import Pipelines
import SwiftProtobuf
import Versioning

extension JobState {
    var message: PpsV2_JobState { PpsV2_JobState(rawValue: rawValue) ?? .unknown }
}

extension Jobs.View {
    /// With `hasDetails` also what its version of the spec says, with the commits that it reads.
    func message(hasDetails: Bool) throws -> PpsV2_JobInfo {
        let spec = hasDetails ? try pipeline.map { try PpsV2_CreatePipelineRequest(jsonString: $0.effectiveSpec) } : nil
        return .with {
            $0.job = job.key.message
            $0.pipelineVersion = UInt64(job.version)
            $0.outputCommit = job.key.pipeline.repo(.user).commit(job.key.id).message
            $0.restart = UInt64(clamping: job.restarts)
            $0.dataTotal = counts.total
            $0.dataProcessed = counts.processed
            $0.dataSkipped = counts.skipped
            $0.dataFailed = counts.failed
            $0.dataRecovered = counts.recovered
            $0.stats = stats.message
            $0.state = job.state.message
            $0.reason = job.reason
            $0.created = job.createdAt.message
            if let started = job.startedAt { $0.started = started.message }
            if let finished = job.finishedAt { $0.finished = finished.message }
            if hasDetails { $0.details = details(spec ?? PpsV2_CreatePipelineRequest()) }
        }
    }

    private func details(_ spec: PpsV2_CreatePipelineRequest) -> PpsV2_JobInfo.Details {
        var details = PpsV2_JobInfo.Details()
        if spec.hasTransform { details.transform = spec.transform }
        if spec.hasParallelismSpec { details.parallelismSpec = spec.parallelismSpec }
        if spec.hasEgress { details.egress = spec.egress }
        if spec.hasService { details.service = spec.service }
        if spec.hasSpout { details.spout = spec.spout }
        if spec.hasResourceRequests { details.resourceRequests = spec.resourceRequests }
        if spec.hasResourceLimits { details.resourceLimits = spec.resourceLimits }
        if spec.hasSidecarResourceLimits { details.sidecarResourceLimits = spec.sidecarResourceLimits }
        if spec.hasSidecarResourceRequests { details.sidecarResourceRequests = spec.sidecarResourceRequests }
        if spec.hasInput { details.input = filled(spec.input) }
        if spec.hasDatumSetSpec { details.datumSetSpec = spec.datumSetSpec }
        if spec.hasDatumTimeout { details.datumTimeout = spec.datumTimeout }
        if spec.hasJobTimeout { details.jobTimeout = spec.jobTimeout }
        if spec.hasSchedulingSpec { details.schedulingSpec = spec.schedulingSpec }
        details.salt = pipeline?.salt ?? ""
        details.datumTries = spec.datumTries
        details.podSpec = spec.podSpec
        details.podPatch = spec.podPatch
        details.workerStatus = workers
        return details
    }

    /// So many files of a datum are shown of one that is being worked on.
    private static let filesShown = 1000

    /// Those that work on a datum now.
    private var workers: [PpsV2_WorkerStatus] {
        (live?.active ?? [:]).sorted { $0.key < $1.key }.map { _, active in
            .with {
                $0.workerID = active.worker
                $0.jobID = job.key.id.description
                $0.datumStatus.started = active.since.message
                $0.datumStatus.data = active.files.prefix(Self.filesShown).map { file in
                    .with {
                        $0.path = file.path
                        $0.hash = Data(file.digest.bytes)
                    }
                }
            }
        }
    }

    /// An input with the commits that this job reads.
    private func filled(_ input: PpsV2_Input) -> PpsV2_Input {
        var input = input
        if input.hasPfs { input.pfs.commit = commit(of: input.pfs) }
        if input.hasCron {
            let project = input.cron.project.isEmpty ? job.key.pipeline.project : ProjectKey(input.cron.project)
            let ticks = RepoKey(project: project, name: input.cron.repo).branch(SpecDefaults.outputBranch)
            input.cron.commit = inputs[ticks].map(\.description) ?? ""
        }
        input.cross = input.cross.map(filled)
        input.union = input.union.map(filled)
        input.join = input.join.map(filled)
        input.group = input.group.map(filled)
        return input
    }

    private func commit(of pfs: PpsV2_PFSInput) -> String {
        let project = pfs.project.isEmpty ? job.key.pipeline.project : ProjectKey(pfs.project)
        let repo = RepoKey(project: project, name: pfs.repo, type: RepoType(rawValue: pfs.repoType) ?? .user)
        let branch = repo.branch(pfs.branch.isEmpty ? SpecDefaults.outputBranch : pfs.branch)
        return inputs[branch].map(\.description) ?? ""
    }
}
