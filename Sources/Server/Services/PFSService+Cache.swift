import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// The workers' cache (`pfs.md` §4.9).
extension PFSService {
    func registerCache(in routes: inout Routes) {
        routes.unary(Method.PutCache.descriptor) { (request: PfsV2_PutCacheRequest, call) in
            let value: [UInt8] = try request.value.serializedBytes()
            try await history.putCache(
                request.key, value: value, tag: request.tag, fileSets: request.fileSetIds, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.GetCache.descriptor) { (request: PfsV2_GetCacheRequest, call) in
            let value = try await history.cached(request.key, as: call.principal)
            return try PfsV2_GetCacheResponse.with { $0.value = try Google_Protobuf_Any(serializedBytes: value) }
        }
        routes.unary(Method.ClearCache.descriptor) { (request: PfsV2_ClearCacheRequest, call) in
            try await history.clearCache(tagPrefix: request.tagPrefix, as: call.principal)
            return Google_Protobuf_Empty()
        }
    }
}
