import API
import Core
import Pipelines
import Versioning

/// One request that can stand in a transaction, read and checked, ready to run (`pfs.md` §5.1).
struct TransactionStep: Sendable {
    struct Outcome: Sendable {
        /// The commit that the request opened.
        var commit: PfsV2_Commit?
        /// The commit that the request finished.
        var finished: CommitKey?
        /// Whether there was a repo to delete.
        var deleted = false
    }

    private let body: @Sendable (HistoryTransaction) throws -> Outcome
    /// The pipeline it changes: told of to whoever runs the code, once that is durable.
    let pipeline: PipelineKey?

    private init(pipeline: PipelineKey? = nil, _ body: @escaping @Sendable (HistoryTransaction) throws -> Outcome) {
        self.body = body
        self.pipeline = pipeline
    }

    /// Runs on the committer's thread.
    func run(in transaction: HistoryTransaction) throws -> Outcome { try body(transaction) }
}

extension TransactionStep {
    /// Reads a request, and does beforehand what would hold up the transaction, which serves everybody: long walks to
    /// a commit, a look through its files. Of several requests that are set the first in the contract's order counts.
    /// Blocks.
    init(
        _ request: TransactionV2_TransactionRequest, _ pipelines: PipelineManager, _ history: History,
        as principal: Principal, _ terms: WriteTerms = WriteTerms()
    ) throws {
        if request.hasCreateRepo {
            self = try Self.createRepo(request.createRepo)
        } else if request.hasDeleteRepo {
            self = try Self.deleteRepo(request.deleteRepo)
        } else if request.hasStartCommit {
            self = try Self.startCommit(request.startCommit, history, terms)
        } else if request.hasFinishCommit {
            self = try Self.finishCommit(request.finishCommit, history, terms)
        } else if request.hasSquashCommitSet {
            self = try Self.squash(request.squashCommitSet)
        } else if request.hasCreateBranch {
            self = try Self.createBranch(request.createBranch, history)
        } else if request.hasDeleteBranch {
            self = try Self.deleteBranch(request.deleteBranch)
        } else if request.hasUpdateJobState {
            throw SpileError(.unimplemented, "UpdateJobState is not offered: the server itself runs jobs")
        } else if request.hasStopJob {
            self = try Self.stopJob(request.stopJob)
        } else if request.hasCreatePipelineV2 {
            self = try Self.createPipeline(request.createPipelineV2, pipelines, as: principal)
        } else {
            throw SpileError.invalid("unrecognized transaction request type", remedy: "set one of its fields")
        }
    }

    private static func stopJob(_ request: PpsV2_StopJobRequest) throws -> TransactionStep {
        let key = try PPSService.job(request.hasJob, request.job)
        return TransactionStep { transaction in
            try Jobs.stop(key, reason: request.reason, in: transaction)
            return Outcome()
        }
    }

    private static func createRepo(_ request: PfsV2_CreateRepoRequest) throws -> TransactionStep {
        let key = try RepoKey(request.repo)
        return TransactionStep { transaction in
            try transaction.createRepo(key, description: request.description_p, update: request.update)
            return Outcome()
        }
    }

    private static func deleteRepo(_ request: PfsV2_DeleteRepoRequest) throws -> TransactionStep {
        guard request.hasRepo else { throw SpileError.invalid("no repo specified") }
        let key = try RepoKey(request.repo)
        return TransactionStep { transaction in
            // Who may not delete it is told that it was not, as of one that is not there (`clients.md` §3.3).
            guard try transaction.mayDelete(key) else { return Outcome() }
            if try transaction.catalog.repo(key) != nil { try transaction.refusePipelineRepo(key) }
            return Outcome(deleted: try transaction.deleteRepo(key, force: request.force))
        }
    }

    private static func startCommit(
        _ request: PfsV2_StartCommitRequest, _ history: History, _ terms: WriteTerms
    ) throws -> TransactionStep {
        let key = try BranchKey(request.branch)
        let parent = request.hasParent ? try PFSService.parent(request.parent, of: key).map(history.pinned) : nil
        return TransactionStep { transaction in
            let commit = try transaction.startCommit(
                on: key, parent: parent, description: request.description_p, terms)
            return Outcome(commit: commit.key.message)
        }
    }

    private static func finishCommit(
        _ request: PfsV2_FinishCommitRequest, _ history: History, _ terms: WriteTerms
    ) throws -> TransactionStep {
        let handle = try history.pinned(try PFSService.handle(request.hasCommit, request.commit))
        let prepared = try history.prepareFinish(handle, error: request.error)
        return TransactionStep { transaction in
            let commit = try transaction.finishCommit(
                handle, description: request.description_p, error: request.error, force: request.force, terms,
                prepared: prepared)
            return Outcome(finished: commit.key)
        }
    }

    private static func squash(_ request: PfsV2_SquashCommitSetRequest) throws -> TransactionStep {
        guard let id = try PFSService.removedSet(request.commitSet) else { return TransactionStep { _ in Outcome() } }
        return TransactionStep { transaction in
            try transaction.remove(set: id, by: .squash)
            return Outcome()
        }
    }

    private static func createBranch(_ request: PfsV2_CreateBranchRequest, _ history: History) throws -> TransactionStep
    {
        guard request.hasBranch else { throw SpileError.invalid("validate request: branch is missing") }
        let key = try BranchKey(request.branch)
        var change = try BranchChange(request, of: key)
        change.head = try change.head.map(history.pinned)
        let wanted = change
        return TransactionStep { transaction in
            try transaction.createBranch(key, wanted)
            return Outcome()
        }
    }

    private static func deleteBranch(_ request: PfsV2_DeleteBranchRequest) throws -> TransactionStep {
        guard request.hasBranch else { throw SpileError.invalid("validate request: branch is missing") }
        let key = try BranchKey(request.branch)
        return TransactionStep { transaction in
            try transaction.deleteBranch(key, force: request.force)
            return Outcome()
        }
    }

    private static func createPipeline(
        _ request: PpsV2_CreatePipelineTransaction, _ pipelines: PipelineManager, as principal: Principal
    ) throws -> TransactionStep {
        let plain = request.createPipelineRequest
        let prepared = try pipelines.prepare(
            PipelineRequest(
                spec: request.userJson.isEmpty ? try PPSService.text(plain) : request.userJson, update: plain.update,
                reprocess: plain.reprocess, effective: request.effectiveJson.isEmpty ? nil : request.effectiveJson),
            as: principal)
        return TransactionStep(pipeline: prepared.key) { transaction in
            try pipelines.create(prepared, in: transaction)
            return Outcome()
        }
    }
}
