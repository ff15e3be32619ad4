import API
import Core
import GRPCCore
import Versioning

/// Calls that follow history: what a file's changes are in, what derives from what (`pfs.md` §4.3, §4.4).
extension PFSService {
    func registerWalks(in routes: inout Routes) {
        routes.serverStream(Method.FindCommits.descriptor) { (request: PfsV2_FindCommitsRequest, call, writer) in
            try await history.find(try search(request, call)) { try await writer.write($0.message) }
        }
        routes.serverStream(Method.WalkCommitProvenance.descriptor) {
            (request: PfsV2_WalkCommitProvenanceRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoInspectCommit)
            let bounds = WalkBounds(count: request.maxCommits, depth: request.maxDepth)
            try await history.walk(.provenance, from: try request.start.map(CommitPicker.init), bounds) {
                if try filter.accepts($0.record.key.repo) { try await writer.write($0.message) }
            }
        }
        routes.serverStream(Method.WalkCommitSubvenance.descriptor) {
            (request: PfsV2_WalkCommitSubvenanceRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoInspectCommit)
            let bounds = WalkBounds(count: request.maxCommits, depth: request.maxDepth)
            try await history.walk(.subvenance, from: try request.start.map(CommitPicker.init), bounds) {
                if try filter.accepts($0.record.key.repo) { try await writer.write($0.message) }
            }
        }
        routes.serverStream(Method.WalkBranchProvenance.descriptor) {
            (request: PfsV2_WalkBranchProvenanceRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoListBranch)
            let bounds = WalkBounds(count: request.maxBranches, depth: request.maxDepth)
            try await history.walk(.provenance, from: try request.start.map(BranchKey.init), bounds) {
                if try filter.accepts($0.record.key.repo) { try await writer.write($0.message) }
            }
        }
        routes.serverStream(Method.WalkBranchSubvenance.descriptor) {
            (request: PfsV2_WalkBranchSubvenanceRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoListBranch)
            let bounds = WalkBounds(count: request.maxBranches, depth: request.maxDepth)
            try await history.walk(.subvenance, from: try request.start.map(BranchKey.init), bounds) {
                if try filter.accepts($0.record.key.repo) { try await writer.write($0.message) }
            }
        }
    }

    /// Leaves 15 % of the caller's time for the answer to arrive.
    private func search(_ request: PfsV2_FindCommitsRequest, _ call: Call) throws -> CommitSearch {
        guard request.hasStart else { throw SpileError.invalid("validate request: start is missing") }
        return CommitSearch(
            start: try CommitHandle(request.start), path: request.filePath, limit: Int(request.limit),
            stopAt: call.seconds.map { history.clock.now().adding(seconds: min($0, 1e8) * 0.85) })
    }
}

extension CommitSearch.Answer {
    fileprivate var message: PfsV2_FindCommitsResponse {
        .with {
            switch self {
            case .found(let commit, let searched):
                $0.foundCommit = commit.message
                $0.commitsSearched = UInt32(clamping: searched)
            case .end(let commit, let searched):
                $0.lastSearchedCommit = commit.message
                $0.commitsSearched = UInt32(clamping: searched)
            }
        }
    }
}
