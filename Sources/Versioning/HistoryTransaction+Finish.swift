import Core
import Storage

extension HistoryTransaction {
    /// Closes an open commit: a change of state and nothing more, so it is readable at once.
    ///
    /// A path that is both a file and a directory, or that two datums wrote, makes it a commit in error. One that
    /// inherits from a commit that is not finished is finished together with that; one that is closed with an error,
    /// at once. `prepared`: what ``History/prepareFinish(_:error:)`` has made; what is missing there, or has moved
    /// since, is made here.
    package func finishCommit(
        _ handle: CommitHandle, description: String, error: String, force: Bool, _ terms: WriteTerms = WriteTerms(),
        prepared: FinishPreparation? = nil
    ) throws -> CommitRecord {
        var commit = try catalog.existingCommit(handle)
        try authorizeWrite(to: commit.key.repo)
        if let known = try finishedBefore(commit, handle, terms) { return known }
        guard commit.isOpen else { throw SpileError.alreadyFinished(commit.key) }
        try refuseTransformOutput(commit, force: force)
        try checkParent(of: commit, terms)
        try remember(terms, .finish, commit)
        commit.finishing = now
        commit.metadata = try terms.merged(over: commit.metadata)
        if !description.isEmpty { commit.description = description }
        if error.isEmpty {
            let base = try catalog.base(from: commit.parent)
            guard base?.isFinished != false else {
                try catalog.update(commit)
                touch(repo: commit.repo)
                return commit
            }
            try fail(&commit, try check(commit, over: base?.readableRoot ?? .empty, prepared?.check))
        } else {
            try fail(&commit, error)
        }
        return try close(commit, prepared)
    }

    /// Puts a commit in error, unless there is none.
    private func fail(_ commit: inout CommitRecord, _ error: String) throws {
        commit.error = error
        if error.isEmpty { return }
        commit.shortcut = try catalog.lastTried(from: commit.parent.map { try catalog.knownCommit($0) })?.sequence
    }

    /// What is wrong with the content of a commit.
    private func check(_ commit: CommitRecord, over root: Root, _ checked: ContentCheck?) throws -> String {
        // Each datum has folders of its own there.
        if commit.key.repo.type == .meta { return "" }
        if let checked, checked.isOf(root, commit.root) { return checked.error }
        return try ContentCheck(store: store, base: root, root: commit.root).error
    }

    /// Makes a commit finished and, with it, those that were closed over it.
    private func close(_ commit: CommitRecord, _ prepared: FinishPreparation?) throws -> CommitRecord {
        let first = try markFinished(commit)
        var queue = [first]
        while let next = queue.popLast() {
            for child in try catalog.layered(over: next.sequence) {
                let settled = try settle(child, prepared)
                if settled.isFinishing && settled.layer == nil {
                    queue.append(try markFinished(settled))
                } else {
                    try catalog.update(settled)
                    touch(repo: settled.repo)
                }
            }
        }
        return first
    }

    private func markFinished(_ commit: CommitRecord) throws -> CommitRecord {
        var commit = commit
        commit.finished = now
        commit.layer = nil
        try catalog.update(commit)
        touch(repo: commit.repo)
        try closeJob(of: commit)
        touchedRepos.insert(EventHub.jobs)
        noteFinished(commit, on: try commit.branch.flatMap { try catalog.branch(id: $0) }?.key)
        return commit
    }

    /// Lays what was written to a commit over what it inherits now; if that is final, it needs its layer no more.
    private func settle(_ commit: CommitRecord, _ prepared: FinishPreparation?) throws -> CommitRecord {
        var commit = commit
        guard let layer = commit.layer else { return commit }
        let base = try catalog.base(from: commit.parent)
        let inherited = try base?.readableRoot ?? .empty
        if let known = prepared?.settled[commit.sequence], known.layer == layer, known.base == inherited.digest {
            commit.root = known.root
        } else {
            commit.root = try store.apply(
                store.changes(of: FileSet(layer), for: activity), to: inherited, through: slots)
        }
        if base?.isFinished != false {
            commit.layer = nil
            if commit.isFinishing { try fail(&commit, try check(commit, over: inherited, nil)) }
        }
        return commit
    }
}

extension CatalogReader {
    /// The children of a commit, and on through those in error: whatever inherits from it, or would.
    func heirs(of sequence: Int64) throws -> [CommitRecord] {
        var found: [CommitRecord] = []
        var queue = [sequence]
        while let next = queue.popLast() {
            for child in try childSequences(of: next) {
                let commit = try knownCommit(child)
                found.append(commit)
                if !commit.error.isEmpty { queue.append(child) }
            }
        }
        return found
    }

    /// The commits not finished yet that inherit from one that was not either.
    func layered(over sequence: Int64) throws -> [CommitRecord] {
        try heirs(of: sequence).filter { $0.layer != nil }
    }
}
