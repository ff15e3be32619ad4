import API
import Core
import GRPCCore
import Versioning

/// Calls about the store and about what moves data out of it (`pfs.md` §4.9).
extension PFSService {
    func registerStorage(in routes: inout Routes) {
        // The ids that `chunk_begin` and `chunk_end` bound are not those of slots: the whole store is looked at.
        routes.wait(Method.CheckStorage.descriptor) { (request: PfsV2_CheckStorageRequest, _) in
            var count: Int64 = 0
            try history.store.forEachContentSlot(verified: request.readChunkData) { _, _ in
                count += 1
                if request.readChunkData || count % 1024 == 0 { try Task.checkCancellation() }
            }
            return PfsV2_CheckStorageResponse.with { $0.chunkObjectCount = count }
        }
        // Nothing is queued: what a call asks for is done within the call.
        routes.serverStream(Method.ListTask.descriptor) {
            (_: Taskapi_ListTaskRequest, _, _: RPCWriter<Taskapi_TaskInfo>) in
        }
        routes.unary(Method.ActivateAuth.descriptor) { (_: PfsV2_ActivateAuthRequest, call) in
            try await history.bindEverything(as: call.principal)
            return PfsV2_ActivateAuthResponse()
        }
    }
}
