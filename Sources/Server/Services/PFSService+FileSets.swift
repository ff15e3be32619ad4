import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// File sets (`pfs.md` §4.8).
extension PFSService {
    func registerFileSets(in routes: inout Routes) {
        routes.clientStream(Method.CreateFileSet.descriptor) {
            (messages: RPCAsyncSequence<PfsV2_ModifyFileRequest, any Error>, call) in
            let upload = FileSetUpload(in: history, as: call.principal)
            for try await message in messages { try await apply(message, to: upload, call) }
            if call.isAbandoned() && !history.events.hasClosed { throw CancellationError() }
            try call.confirm()
            return Self.answer(try await upload.finish())
        }
        routes.unary(Method.GetFileSet.descriptor) { (request: PfsV2_GetFileSetRequest, call) in
            let commit = try history.pinned(try Self.handle(request.hasCommit, request.commit))
            switch request.type {
            case .total: return Self.answer(try await history.totalFileSet(of: commit, as: call.principal))
            case .diff: return Self.answer(try await history.differenceFileSet(of: commit, as: call.principal))
            case .UNRECOGNIZED(let number): throw SpileError.invalid("file set type \(number) is unknown")
            }
        }
        routes.unary(Method.AddFileSet.descriptor) { (request: PfsV2_AddFileSetRequest, call) in
            let commit = try Self.handle(request.hasCommit, request.commit)
            try await history.add(fileSet: request.fileSetID, to: commit, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.RenewFileSet.descriptor) { (request: PfsV2_RenewFileSetRequest, call) in
            try await history.renew(
                fileSet: request.fileSetID, seconds: try FileSetLease.renewal(request.ttlSeconds), as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.ComposeFileSet.descriptor) { (request: PfsV2_ComposeFileSetRequest, call) in
            // `compact` asks for what is always so: a composed file set is a tree of its own.
            Self.answer(
                try await history.compose(
                    fileSets: request.fileSetIds, seconds: try FileSetLease.composed(request.ttlSeconds),
                    as: call.principal))
        }
        routes.unary(Method.ShardFileSet.descriptor) { (request: PfsV2_ShardFileSetRequest, _) in
            let shards = try history.shards(
                ofFileSet: request.fileSetID, files: request.numFiles, bytes: request.sizeBytes)
            return PfsV2_ShardFileSetResponse.with {
                $0.shards = shards.map { range in
                    .with {
                        $0.lower = range.lower
                        $0.upper = range.upper
                    }
                }
            }
        }
    }

    private static func answer(_ handle: FileSetHandle) -> PfsV2_CreateFileSetResponse {
        .with { $0.fileSetID = handle.description }
    }
}
