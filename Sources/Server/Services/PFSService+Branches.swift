import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerBranches(in routes: inout Routes) {
        routes.unary(Method.CreateBranch.descriptor) { (request: PfsV2_CreateBranchRequest, call) in
            try await transactions.perform(.with { $0.createBranch = request }, call)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.InspectBranch.descriptor) { (request: PfsV2_InspectBranchRequest, _) in
            let key = try BranchKey(request.branch)
            return try history.read { try $0.view($0.existingBranch(key)).message }
        }
        routes.serverStream(Method.ListBranch.descriptor) { (request: PfsV2_ListBranchRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoListBranch)
            let key: RepoKey? = request.hasRepo && !request.repo.name.isEmpty ? try RepoKey(request.repo) : nil
            let branches = try history.read { catalog in
                let repo = try key.map { try catalog.existingRepo($0).id }
                return try catalog.branches(repo: repo).filter { try filter.accepts($0.key.repo, catalog) }
                    .map { try catalog.view($0).message }
            }
            for info in request.reverse ? branches : branches.reversed() { try await writer.write(info) }
        }
        routes.unary(Method.DeleteBranch.descriptor) { (request: PfsV2_DeleteBranchRequest, call) in
            try await transactions.perform(.with { $0.deleteBranch = request }, call)
            return Google_Protobuf_Empty()
        }
    }
}
