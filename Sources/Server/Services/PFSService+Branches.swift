import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerBranches(in routes: inout Routes) {
        routes.unary(Method.CreateBranch.descriptor) { (request: PfsV2_CreateBranchRequest, call) in
            try call.refuseTransaction()
            guard request.hasBranch else { throw SpileError.invalid("validate request: branch is missing") }
            let key = try BranchKey(request.branch)
            let head = try request.hasHead ? Self.head(request.head, of: key).map(history.pinned) : nil
            try Self.refuseDerivation(request)
            try await history.transact(as: call.principal) { try $0.createBranch(key, head: head, provenance: []) }
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.InspectBranch.descriptor) { (request: PfsV2_InspectBranchRequest, _) in
            let key = try BranchKey(request.branch)
            return try history.read { try $0.view($0.existingBranch(key)).message }
        }
        routes.serverStream(Method.ListBranch.descriptor) { (request: PfsV2_ListBranchRequest, _, writer) in
            let key: RepoKey? = request.hasRepo && !request.repo.name.isEmpty ? try RepoKey(request.repo) : nil
            let branches = try history.read { catalog in
                let repo = try key.map { try catalog.existingRepo($0).id }
                return try catalog.branches(repo: repo).map { try catalog.view($0).message }
            }
            for info in request.reverse ? branches : branches.reversed() { try await writer.write(info) }
        }
        routes.unary(Method.DeleteBranch.descriptor) { (request: PfsV2_DeleteBranchRequest, call) in
            try call.refuseTransaction()
            guard request.hasBranch else { throw SpileError.invalid("validate request: branch is missing") }
            let key = try BranchKey(request.branch)
            try await history.transact(as: call.principal) { try $0.deleteBranch(key, force: request.force) }
            return Google_Protobuf_Empty()
        }
    }

    /// A head may come as `Commit{repo, id: branch name}` without a project of its own.
    private static func head(_ message: PfsV2_Commit, of key: BranchKey) throws -> CommitHandle? {
        if message.id.isEmpty && message.branch.name.isEmpty { return nil }
        guard message.hasRepo || message.branch.hasRepo else {
            return CommitHandle(repo: key.repo, branch: message.hasBranch ? message.branch.name : nil, id: message.id)
        }
        return try CommitHandle(message)
    }

    /// What a branch derives from is set by pipelines alone so far.
    private static func refuseDerivation(_ request: PfsV2_CreateBranchRequest) throws {
        if !request.provenance.isEmpty || !request.branchPropagationSpecs.isEmpty {
            throw SpileError(
                .unimplemented, "CreateBranch with provenance is not offered by this version of Spile",
                remedy: "leave provenance out; pipelines set their own")
        }
        if request.hasTrigger {
            throw SpileError(
                .unimplemented, "CreateBranch with a trigger is not offered by this version of Spile",
                remedy: "leave the trigger out")
        }
    }
}
