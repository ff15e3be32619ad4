import API
import Core
import Pipelines
import SwiftProtobuf

/// What specs start from (`pps.md` §15).
extension PPSService {
    func registerDefaults(in routes: inout Routes) {
        routes.unary(Method.GetClusterDefaults.descriptor) { (_: PpsV2_GetClusterDefaultsRequest, _) in
            let text = try manager.clusterDefaults()
            return PpsV2_GetClusterDefaultsResponse.with { $0.clusterDefaultsJson = text }
        }
        routes.unary(Method.SetClusterDefaults.descriptor) { (request: PpsV2_SetClusterDefaultsRequest, call) in
            let change = PipelineManager.DefaultsChange(
                json: request.clusterDefaultsJson, regenerate: request.regenerate, reprocess: request.reprocess,
                dryRun: request.dryRun)
            let affected = try await manager.setDefaults(change, as: call.principal)
            return PpsV2_SetClusterDefaultsResponse.with { $0.affectedPipelines = affected.map(\.message) }
        }
        routes.unary(Method.GetProjectDefaults.descriptor) { (request: PpsV2_GetProjectDefaultsRequest, _) in
            let defaults = try manager.projectDefaults(ProjectKey(request.project))
            return PpsV2_GetProjectDefaultsResponse.with {
                $0.projectDefaultsJson = defaults?.json ?? "{}"
                guard let defaults else { return }
                $0.createdBy = defaults.createdBy
                $0.createdAt = defaults.createdAt.message
            }
        }
        routes.unary(Method.SetProjectDefaults.descriptor) { (request: PpsV2_SetProjectDefaultsRequest, call) in
            let change = PipelineManager.DefaultsChange(
                project: ProjectKey(request.project), json: request.projectDefaultsJson,
                regenerate: request.regenerate, reprocess: request.reprocess, dryRun: request.dryRun)
            let affected = try await manager.setDefaults(change, as: call.principal)
            return PpsV2_SetProjectDefaultsResponse.with { $0.affectedPipelines = affected.map(\.message) }
        }
    }
}
