import Core

/// How a caller's words become a commit (`pfs.md` §1.3).
extension CatalogReader {
    package func existingRepo(_ key: RepoKey) throws -> RepoRecord {
        guard let repo = try repo(key) else { throw SpileError.repoNotFound(key) }
        return repo
    }

    package func existingBranch(_ key: BranchKey) throws -> BranchRecord {
        let repo = try existingRepo(key.repo)
        guard let branch = try branch(repo: repo.id, name: key.name) else { throw SpileError.branchNotFound(key) }
        return branch
    }

    /// The commit that `handle` names. Throws `notFound` for a missing repo, branch or commit.
    package func existingCommit(_ handle: CommitHandle) throws -> CommitRecord {
        // A file set's handle would not read as a commit's; what may be a file set asks for what is readable.
        if handle.isFileSet { throw SpileError.repoNotFound(handle.repo) }
        let selector = try handle.selector()
        let repo = try existingRepo(handle.repo)
        switch selector {
        case .ancestor(let base, let back):
            return try ancestor(of: try start(base, in: repo, handle), back: back, handle)
        case .fromRoot(let branch, let number, let back):
            let chain = try lineage(of: try start(.branch(branch), in: repo, handle))
            guard number <= chain.count else { throw invalidOffset(handle) }
            return chain[chain.count - number + back]
        }
    }

    /// The commit with this sequence number; that it exists is an invariant.
    package func knownCommit(_ sequence: Int64) throws -> CommitRecord {
        guard let commit = try commit(sequence: sequence) else {
            throw SpileError.bug("commit number \(sequence) is referred to but not in the catalog")
        }
        return commit
    }

    private func start(
        _ base: CommitSelector.Base, in repo: RepoRecord, _ handle: CommitHandle
    ) throws -> CommitRecord {
        switch base {
        case .branch(let name):
            guard let branch = try branch(repo: repo.id, name: name), let head = branch.head else {
                throw SpileError.branchNotFound(repo.key.branch(name))
            }
            return try knownCommit(head)
        case .id(let id):
            if let commit = try commit(repo: repo.id, id: id) { return commit }
            if let alias = try alias(of: id, in: repo.id) { return alias }
            throw SpileError.commitNotFound(CommitHandle(repo.key.commit(id)))
        }
    }

    private func ancestor(of commit: CommitRecord, back: Int, _ handle: CommitHandle) throws -> CommitRecord {
        var commit = commit
        for _ in 0..<back {
            guard let parent = commit.parent else { throw invalidOffset(handle) }
            commit = try knownCommit(parent)
        }
        return commit
    }

    /// The commit and all its ancestors, newest first.
    private func lineage(of commit: CommitRecord) throws -> [CommitRecord] {
        var chain = [commit]
        while let parent = chain[chain.count - 1].parent { chain.append(try knownCommit(parent)) }
        return chain
    }

    private func invalidOffset(_ handle: CommitHandle) -> SpileError {
        .domain("invalid offset for ancestor: \(handle) walks past the root")
    }

    /// The newest commit of a repo in the transitive provenance of the commits that carry a set id: so that
    /// `input@<set id of an output>` names what the output was made from.
    private func alias(of id: CommitID, in repo: Int64) throws -> CommitRecord? {
        var queue = try commits(set: id).flatMap(\.provenance)
        var seen = Set(queue)
        var found: CommitRecord?
        while let sequence = queue.popLast() {
            let commit = try knownCommit(sequence)
            if commit.repo == repo && commit.sequence > (found?.sequence ?? 0) { found = commit }
            for upstream in commit.provenance where seen.insert(upstream).inserted { queue.append(upstream) }
        }
        return found
    }

    /// What a commit started from `parent` inherits: the content of the nearest ancestor that is not in error.
    func inheritedRoot(from parent: Int64?) throws -> Root {
        var next = parent
        while let sequence = next {
            let commit = try knownCommit(sequence)
            if commit.error.isEmpty { return try commit.readableRoot }
            next = commit.parent
        }
        return .empty
    }
}
