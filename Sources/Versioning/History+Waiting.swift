import Core

/// How far a caller wants a commit to be (`pfs.md` §4.4).
package enum CommitStage: Sendable {
    case started, ready, finishing, finished
}

/// Which commits a subscriber gets.
package struct CommitSubscription: Sendable {
    package var repo: RepoKey
    /// Only commits made on this branch.
    package var branch: String?
    /// Only commits after this one.
    package var from: CommitHandle?
    package var stage: CommitStage
    package var origin: CommitOrigin?

    package init(
        repo: RepoKey, branch: String? = nil, from: CommitHandle? = nil, stage: CommitStage = .started,
        origin: CommitOrigin? = nil
    ) {
        self.repo = repo
        self.branch = branch
        self.from = from
        self.stage = stage
        self.origin = origin
    }
}

extension History {
    /// The commit that `handle` names, once it is as far as `stage`. The handle is resolved once, before waiting.
    /// Throws `notFound`, or `commit … was deleted` if that happens meanwhile.
    package func commit(_ handle: CommitHandle, at stage: CommitStage) async throws -> CommitRecord {
        if handle.isFileSet { return try readable(handle) }
        let first = try read { try $0.existingCommit(handle) }
        return try await wait(for: first, stage)
    }

    /// Waits for a commit that is finishing; any other comes back as it is.
    func settled(_ commit: CommitRecord) async throws -> CommitRecord {
        commit.isFinishing ? try await wait(for: commit, .finished) : commit
    }

    /// The same commit once it is as far as `stage`. Throws `commit … was deleted` if it is or goes.
    package func wait(for commit: CommitRecord, _ stage: CommitStage) async throws -> CommitRecord {
        var commit = commit
        while true {
            let generation = events.generation(repo: commit.repo)
            commit = try read { try $0.commit(sequence: commit.sequence) } ?? Self.deleted(commit.key)
            switch stage {
            case .started: return commit
            case .finishing where commit.finishing != nil: return commit
            case .finished where commit.finished != nil: return commit
            case .ready:
                // What is gone meanwhile took this commit with it, or is not waited for.
                for sequence in commit.provenance {
                    guard let upstream = try read({ try $0.commit(sequence: sequence) }) else { continue }
                    _ = try await wait(for: upstream, .finished)
                }
                return try read { try $0.commit(sequence: commit.sequence) } ?? Self.deleted(commit.key)
            default: try await events.wait(repo: commit.repo, after: generation)
            }
        }
    }

    private static func deleted(_ key: CommitKey) throws -> CommitRecord {
        throw SpileError.domain("commit \(key) was deleted")
    }

    /// Delivers the commits of a repo in the order they were made: first those there are, then each new one, once.
    /// Returns only by throwing: when the task is cancelled, when `deliver` throws, when the repo is deleted.
    package func subscribe(
        _ subscription: CommitSubscription, _ deliver: (CommitView) async throws -> Void
    ) async throws {
        let (repo, start) = try read { catalog -> (RepoRecord, Int64) in
            let repo = try catalog.existingRepo(subscription.repo)
            guard let from = subscription.from else { return (repo, 0) }
            return (repo, try catalog.existingCommit(from).sequence)
        }
        var cursor = start
        while true {
            let generation = events.generation(repo: repo.id)
            let (batch, end) = try read { catalog -> ([CommitView], Int64?) in
                guard try catalog.repo(id: repo.id) != nil else {
                    throw SpileError.notFound("repo \(repo.key) was deleted")
                }
                let branch = try subscription.branch.map { try catalog.branch(repo: repo.id, name: $0)?.id ?? -1 }
                let page = try catalog.commits(repo: repo.id, order: .oldestFirst, beyond: cursor, limit: 100)
                let wanted = page.filter { commit in
                    (branch == nil || commit.branch == branch)
                        && (subscription.origin == nil || commit.origin == subscription.origin)
                }
                return (try wanted.map(catalog.view), page.last?.sequence)
            }
            for view in batch {
                guard subscription.stage != .started else {
                    try await deliver(view)
                    continue
                }
                let commit = try await wait(for: view.record, subscription.stage)
                try await deliver(try read { try $0.view(commit) })
            }
            if let end { cursor = end } else { try await events.wait(repo: repo.id, after: generation) }
        }
    }
}
