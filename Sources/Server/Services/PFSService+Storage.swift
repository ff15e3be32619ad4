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
        routes.unary(Method.Egress.descriptor) { (request: PfsV2_EgressRequest, _) -> PfsV2_EgressResponse in
            try refuseEgress(request)
        }
    }

    /// Says first what would be wrong on a server that offers it.
    private func refuseEgress(_ request: PfsV2_EgressRequest) throws -> Never {
        let handle = try Self.handle(request.hasCommit, request.commit)
        _ = try history.read { try $0.existingCommit(handle) }
        switch request.target {
        case .objectStorage(let target): throw Self.exportRefusal(target.url)
        case .sqlDatabase(let target):
            guard target.hasSecret else { throw SpileError.domain("egress.sql_database.secret is required") }
            guard !target.secret.name.isEmpty, !target.secret.key.isEmpty else {
                throw SpileError.domain(
                    "egress.sql_database.secret.name and egress.sql_database.secret.key are required")
            }
            throw SpileError(
                .unimplemented, "Egress to a database is not offered by this version of Spile",
                remedy: "read the files and load them yourself")
        case nil:
            throw SpileError.invalid("egress has no target", remedy: "set object_storage or sql_database")
        }
    }

    /// Why files are not written to `url`: it is no place that files could go to, or one that is not there yet.
    static func exportRefusal(_ url: String) -> SpileError {
        do {
            let target = try SourceURL(url)
            guard case .objectStore(let scheme) = target.scheme else {
                return .invalid(
                    "files cannot be written to \(target)",
                    remedy: "the URL of an object store is wanted, such as s3://")
            }
            return SpileError(
                .unimplemented, "writing files to object storage (\(scheme)) is not offered by this version of Spile",
                remedy: "read the files and store them yourself")
        } catch {
            return error
        }
    }
}
