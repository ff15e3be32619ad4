import Core
import Storage

/// Laying changes over a commit or making a commit of them: what ends an upload and what adds a file set.
extension History {
    /// Lays changes over an open commit as one layer.
    func lay(_ set: ChangeSet, over key: CommitKey, as principal: Principal) async throws -> CommitKey {
        try await lay(set, over: .openCommit(key), metadata: [:], as: principal)
    }

    /// Makes changes durable and visible and returns the commit that holds them.
    func lay(
        _ set: ChangeSet, over target: Upload.Target, metadata: [String: String], as principal: Principal
    ) async throws -> CommitKey {
        guard set.isLarge else {
            return try await transact(as: principal) { try $0.write(set, to: target, metadata) }
        }
        return try await layLarge(set, over: target, metadata: metadata, as: principal)
    }

    /// A large set is applied here, beside the committer, and handed over as a finished tree; if the tree below it has
    /// moved meanwhile it is applied again, and after a few times within the transaction, which always ends it.
    private func layLarge(
        _ set: ChangeSet, over target: Upload.Target, metadata: [String: String], as principal: Principal
    ) async throws -> CommitKey {
        for _ in 0..<3 {
            let base = try read { try $0.base(of: target) }
            let root = try store.applyLarge(set, to: base)
            let check = try ContentCheck(store: store, base: base, root: root)
            do {
                return try await transact(as: principal) {
                    try $0.swap(set, from: base, to: root, check, target: target, metadata)
                }
            } catch is BaseMoved {
                continue
            }
        }
        return try await transact(as: principal) { try $0.write(set, to: target, metadata) }
    }
}

private struct BaseMoved: Error {}

extension CatalogReader {
    fileprivate func base(of target: Upload.Target) throws -> Root {
        switch target {
        case .openCommit(let key): return try existingCommit(CommitHandle(key)).root
        case .newCommit(let key):
            let repo = try existingRepo(key.repo)
            return try inheritedRoot(from: try branch(repo: repo.id, name: key.name)?.head)
        }
    }
}

extension HistoryTransaction {
    fileprivate func write(
        _ set: ChangeSet, to target: Upload.Target, _ metadata: [String: String]
    ) throws -> CommitKey {
        try put(set, target, metadata) { base in (try store.apply(set, to: base, through: slots), nil) }
    }

    /// Throws ``BaseMoved``, and thus leaves no trace, if the tree is no longer `base`.
    fileprivate func swap(
        _ set: ChangeSet, from base: Root, to root: Root, _ check: ContentCheck, target: Upload.Target,
        _ metadata: [String: String]
    ) throws -> CommitKey {
        try put(set, target, metadata) { current in
            guard current.digest == base.digest else { throw BaseMoved() }
            return (root, check)
        }
    }

    private func put(
        _ set: ChangeSet, _ target: Upload.Target, _ metadata: [String: String],
        _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        switch target {
        case .openCommit(let key): try addLayer(set, to: key, apply)
        case .newCommit(let key): try addCommit(on: key, metadata: metadata, apply)
        }
    }

    /// Changes the content of an open commit.
    private func addLayer(
        _ set: ChangeSet, to key: CommitKey, _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        guard var commit = try catalog.repo(key.repo).flatMap({ try catalog.commit(repo: $0.id, id: key.id) }) else {
            throw SpileError.domain("commit \(key) was deleted")
        }
        try authorizeWrite(to: key.repo)
        guard commit.isOpen else { throw SpileError.alreadyFinished(key) }
        commit.root = try apply(commit.root).root
        if let layer = commit.layer {
            let upper = try store.fileSet(of: set, through: slots)
            commit.layer = CommitLayer(try store.compose(FileSet(layer), upper, through: slots))
        }
        try catalog.update(commit)
        touch(repo: commit.repo)
        return key
    }

    /// Makes one finished commit with the content.
    private func addCommit(
        on key: BranchKey, metadata: [String: String], _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        let (branch, parent) = try prepareCommit(on: key, parent: nil)
        let base =
            if let parent, parent.error.isEmpty { try parent.readableRoot } else {
                try catalog.inheritedRoot(from: parent?.sequence)
            }
        let (root, check) = try apply(base)
        let error = try check?.error ?? ContentCheck(store: store, base: base, root: root).error
        return try insertCommit(
            on: branch, parent: parent, origin: .user, isOpen: false,
            CommitContent(root: root, error: error, metadata: metadata)
        ).key
    }
}

extension FileSet {
    init(_ layer: CommitLayer) { self.init(content: layer.content, deletions: layer.deletions) }
}

extension CommitLayer {
    init(_ set: FileSet) { self.init(content: set.content, deletions: set.deletions) }
}
