import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerRepos(in routes: inout Routes) {
        routes.unary(Method.CreateRepo.descriptor) { (request: PfsV2_CreateRepoRequest, call) in
            try await transactions.perform(.with { $0.createRepo = request }, call)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.InspectRepo.descriptor) { (request: PfsV2_InspectRepoRequest, call) in
            let key = try RepoKey(request.repo)
            return try history.read { catalog in
                let repo = try catalog.existingRepo(key)
                var info = try Self.info(repo, catalog)
                info.details.sizeBytes = Int64(clamping: try catalog.masterSize(repo: repo.id))
                if var access = try catalog.access(of: call.principal) {
                    info.authInfo = try access.message(on: AccessResource(key))
                }
                return info
            }
        }
        routes.serverStream(Method.ListRepo.descriptor) { (request: PfsV2_ListRepoRequest, call, writer) in
            for info in try list(request, call.principal) { try await writer.write(info) }
        }
        routes.unary(Method.DeleteRepo.descriptor) { (request: PfsV2_DeleteRepoRequest, call) in
            let outcome = try await transactions.perform(.with { $0.deleteRepo = request }, call)
            return PfsV2_DeleteRepoResponse.with { $0.deleted = outcome.deleted }
        }
        routes.unary(Method.DeleteRepos.descriptor) { (request: PfsV2_DeleteReposRequest, call) in
            let projects: [ProjectKey]? = request.all ? nil : request.projects.map(ProjectKey.init)
            let keys = try await history.transact(as: call.principal) {
                try $0.deleteRepos(in: projects, force: request.force)
            }
            return PfsV2_DeleteReposResponse.with { $0.repos = keys.map(\.message) }
        }
        routes.unary(Method.ReposSummary.descriptor) { (request: PfsV2_ReposSummaryRequest, call) in
            try PfsV2_ReposSummaryResponse.with { response in
                response.summaries = try request.projects.compactMap { try summary(ProjectKey($0), call.principal) }
            }
        }
    }

    private static func info(_ repo: RepoRecord, _ catalog: any CatalogReader) throws -> PfsV2_RepoInfo {
        let branches = try catalog.branches(repo: repo.id)
        return .with {
            $0.repo = repo.key.message
            $0.created = repo.createdAt.message
            $0.description_p = repo.description
            $0.branches = branches.map { $0.key.message }
            $0.metadata = repo.metadata
        }
    }

    private func list(_ request: PfsV2_ListRepoRequest, _ principal: Principal) throws -> [PfsV2_RepoInfo] {
        var type: RepoType?
        if !request.type.isEmpty {
            guard let known = RepoType(rawValue: request.type) else {
                throw SpileError.invalid(
                    "repo type \"\(request.type)\" is unknown", remedy: "use user, meta, spec or none")
            }
            type = known
        }
        let projects = request.projects.isEmpty ? nil : request.projects.map(ProjectKey.init)
        return try history.read { catalog in
            var access = try catalog.access(of: principal)
            var repos = try catalog.repos(in: projects, type: type)
                .filter { try catalog.mayRead($0.key, by: principal) && access?.lists($0.key) ?? true }
            if request.hasPage {
                let size = Int(clamping: request.page.pageSize)
                let (start, overflows) = Int(clamping: request.page.pageIndex).multipliedReportingOverflow(by: size)
                repos = overflows || start < 0 ? [] : Array(repos.dropFirst(start).prefix(max(0, size)))
            }
            return try repos.map { repo in
                var info = try Self.info(repo, catalog)
                info.sizeBytesUpperBound = Int64(clamping: try catalog.masterSize(repo: repo.id))
                if let shown = try access?.message(on: AccessResource(repo.key)) { info.authInfo = shown }
                return info
            }
        }
    }

    private func summary(_ project: ProjectKey, _ principal: Principal) throws -> PfsV2_ReposSummary? {
        try history.read { catalog in
            var access = try catalog.access(of: principal)
            let repos = try catalog.repos(in: [project], type: .user).filter { try access?.lists($0.key) ?? true }
            guard !repos.isEmpty else { return nil }
            let size = try repos.reduce(0 as UInt64) { try $0 + catalog.masterSize(repo: $1.id) }
            return .with {
                $0.project = project.message
                $0.userRepoCount = Int64(repos.count)
                $0.sizeBytes = Int64(clamping: size)
            }
        }
    }
}
