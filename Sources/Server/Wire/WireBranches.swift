import API
import Core
import Versioning

extension BranchChange {
    init(_ request: PfsV2_CreateBranchRequest, of key: BranchKey) throws {
        self.init(
            head: try request.hasHead ? Self.head(request.head, of: key) : nil,
            provenance: try request.provenance.map { try BranchKey($0) },
            quiet: try request.branchPropagationSpecs.filter(\.propagationSpec.never).map { try BranchKey($0.branch) },
            trigger: request.hasTrigger ? BranchTrigger(request.trigger) : nil)
    }

    /// A head may come as `Commit{repo, id: branch name}` without a project of its own.
    private static func head(_ message: PfsV2_Commit, of key: BranchKey) throws -> CommitHandle? {
        if message.id.isEmpty && message.branch.name.isEmpty { return nil }
        guard message.hasRepo || message.branch.hasRepo else {
            return CommitHandle(repo: key.repo, branch: message.hasBranch ? message.branch.name : nil, id: message.id)
        }
        return try CommitHandle(message)
    }
}

extension BranchTrigger {
    init(_ message: PfsV2_Trigger) {
        self.init(
            branch: message.branch, all: message.all, rateLimit: message.rateLimitSpec, size: message.size,
            commits: message.commits, cron: message.cronSpec)
    }

    var message: PfsV2_Trigger {
        .with {
            $0.branch = branch
            $0.all = all
            $0.rateLimitSpec = rateLimit
            $0.size = size
            $0.commits = commits
            $0.cronSpec = cron
        }
    }
}
