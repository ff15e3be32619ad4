import API
import Core
import Versioning

/// A request that reads repos: which ones, for callers that may not read all. Nil stands for all there are.
protocol ReadsRepos {
    var readRepos: [PfsV2_Repo?] { get }
    /// What it takes, where authentication is on (`clients.md` §3.3, handler checks).
    var readPermissions: [Permission] { get }
}

extension ReadsRepos {
    var readPermissions: [Permission] { [.repoRead] }
}

extension Call {
    /// Code of a pipeline reads its own repos and what its inputs name, nothing else. File sets are for whoever knows
    /// their handle. Where all repos are meant, the handler leaves out what a user may not see.
    func checkReader(of request: some Any, _ history: History) throws {
        switch principal {
        case .server: return
        case .user:
            // A stream may have been opened while authentication was off.
            if history.isAuthOn { throw SpileError.noToken }
            return
        case .launch, .subject, .stranger: break
        }
        guard let request = request as? any ReadsRepos else { return }
        for repo in request.readRepos { try checkReader(of: repo, request.readPermissions, history) }
    }

    private func checkReader(of repo: PfsV2_Repo?, _ permissions: [Permission], _ history: History) throws {
        let key = try repo.map { try RepoKey($0) }
        if let key, key.name == RepoKey.fileSets { return }
        try checkLaunch(reads: key, history)
        // A request that names no repo is wrong, and its handler says how.
        guard let key, !permissions.isEmpty, !key.name.isEmpty else { return }
        if case .stranger = principal { _ = try subject() }
        try history.read { try $0.require(permissions, on: AccessResource(key), by: principal) }
    }

    /// Checks that code of a pipeline may list the repo, nil: all.
    func checkLaunch(reads key: RepoKey?, _ history: History) throws {
        guard case .launch(let pipeline, _) = principal else { return }
        guard let key else {
            throw Principal.refusal(of: pipeline, "it may not list all repos", remedy: "name a repo of the pipeline")
        }
        if try history.read({ try $0.mayRead(key, by: principal) }) { return }
        throw Principal.refusal(of: pipeline, "it may read \(pipeline) and its inputs only, not \(key)")
    }
}

extension PfsV2_Commit {
    /// The repo it is in, wherever the caller put that.
    fileprivate var home: PfsV2_Repo { hasRepo && !repo.name.isEmpty ? repo : branch.repo }
}

extension Spile_V1_TraceRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [file.commit.home] }
}
extension PfsV2_InspectRepoRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [repo] }
    var readPermissions: [Permission] { [] }
}
extension PfsV2_ReposSummaryRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_InspectBranchRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [branch.repo] }
    var readPermissions: [Permission] { [] }
}
extension PfsV2_ListBranchRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [repo.name.isEmpty ? nil : repo] }
    var readPermissions: [Permission] { [.repoListBranch] }
}
extension PfsV2_InspectCommitRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [commit.home] }
    var readPermissions: [Permission] { [.repoInspectCommit] }
}
extension PfsV2_ListCommitRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [repo.name.isEmpty ? nil : repo] }
    var readPermissions: [Permission] { [.repoListCommit] }
}
extension PfsV2_SubscribeCommitRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [repo] }
    var readPermissions: [Permission] { [.repoListCommit] }
}
extension PfsV2_ListCommitSetRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_FindCommitsRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [start.home] }
    var readPermissions: [Permission] { [.repoRead, .repoInspectCommit] }
}
extension PfsV2_GetFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [file.commit.home] }
}
extension PfsV2_InspectFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [file.commit.home] }
    var readPermissions: [Permission] { [.repoRead, .repoInspectFile] }
}
extension PfsV2_ListFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [file.commit.home] }
    var readPermissions: [Permission] { [.repoRead, .repoListFile] }
}
extension PfsV2_WalkFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [file.commit.home] }
    var readPermissions: [Permission] { [.repoRead, .repoListFile] }
}
extension PfsV2_GlobFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [commit.home] }
    var readPermissions: [Permission] { [.repoRead, .repoListFile] }
}
extension PfsV2_DiffFileRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [newFile.commit.home] + (hasOldFile ? [oldFile.commit.home] : []) }
}
extension PfsV2_GetFileSetRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [commit.home] }
}
extension PfsV2_EgressRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [commit.home] }
}
extension PfsV2_CopyFile: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [src.commit.home] }
}

// Calls that look across repos: for callers that may read all of them.

extension PfsV2_WalkCommitProvenanceRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_WalkCommitSubvenanceRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_WalkBranchProvenanceRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_WalkBranchSubvenanceRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_FsckRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension PfsV2_CheckStorageRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension TransactionV2_InspectTransactionRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
extension TransactionV2_ListTransactionRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { [nil] }
}
