import Core
import Storage

/// Laying changes over a commit or making a commit of them: what ends an upload and what adds a file set.
extension History {
    /// Lays changes over an open commit as one layer.
    func lay(_ set: ChangeSet, over key: CommitKey, as principal: Principal) async throws -> CommitKey {
        try await lay(set, over: .openCommit(key), WriteTerms(), as: principal)
    }

    /// Makes changes durable and visible and returns the commit that holds them.
    func lay(
        _ set: ChangeSet, over target: Upload.Target, _ terms: WriteTerms, as principal: Principal
    ) async throws -> CommitKey {
        guard set.isLarge else {
            return try await transact(as: principal) { try $0.write(set, to: target, terms) }
        }
        return try await layLarge(set, over: target, terms, as: principal)
    }

    /// A large set is applied here, beside the committer, and handed over as finished trees; if what is below them has
    /// moved meanwhile it is applied again, and after a few times within the transaction, which always ends it.
    private func layLarge(
        _ set: ChangeSet, over target: Upload.Target, _ terms: WriteTerms, as principal: Principal
    ) async throws -> CommitKey {
        for _ in 0..<3 {
            let ground = try read { try $0.ground(of: target) }
            let laid = try store.layLarge(set, on: ground, isCommit: target.isNewCommit)
            do {
                return try await transact(as: principal) { try $0.swap(set, ground, for: laid, target: target, terms) }
            } catch is GroundMoved {
                continue
            }
        }
        return try await transact(as: principal) { try $0.write(set, to: target, terms) }
    }
}

/// What changes are laid over.
private struct Ground: Sendable {
    var root: Root
    /// Where what is below is not finished.
    var layer: CommitLayer?
}

/// What comes of laying changes.
private struct Laid: Sendable {
    var root: Root
    var layer: CommitLayer?
    /// Made already, for what becomes a commit of its own.
    var check: ContentCheck?
}

private struct GroundMoved: Error {}

extension Upload.Target {
    fileprivate var isNewCommit: Bool { if case .newCommit = self { true } else { false } }
}

extension Store {
    fileprivate func layLarge(_ set: ChangeSet, on ground: Ground, isCommit: Bool) throws -> Laid {
        let root = try applyLarge(set, to: ground.root)
        let layer = try ground.layer.map { layer in try bulk { try add(set, to: layer, through: $0) } }
        let check = isCommit && layer == nil ? try ContentCheck(store: self, base: ground.root, root: root) : nil
        return Laid(root: root, layer: layer, check: check)
    }

    fileprivate func add(_ set: ChangeSet, to layer: CommitLayer, through writer: SlotWriter) throws -> CommitLayer {
        let upper = try fileSet(of: set, through: writer)
        return CommitLayer(try compose(FileSet(layer), upper, through: writer, for: set.activity))
    }
}

extension CatalogReader {
    fileprivate func ground(of target: Upload.Target) throws -> Ground {
        switch target {
        case .openCommit(let key):
            let commit = try existingCommit(CommitHandle(key))
            return Ground(root: commit.root, layer: commit.layer)
        case .newCommit(let key):
            let repo = try existingRepo(key.repo)
            return try ground(over: try base(from: try branch(repo: repo.id, name: key.name)?.head))
        }
    }

    /// The commit whose files the next write to a branch starts from: its open head, or else the nearest commit that is
    /// not in error. Nil where there is none, or no such branch.
    package func writeBasis(of key: BranchKey) throws -> CommitRecord? {
        guard let head = try repo(key.repo).flatMap({ try branch(repo: $0.id, name: key.name)?.head }) else {
            return nil
        }
        let commit = try knownCommit(head)
        return commit.isOpen ? commit : try base(from: commit)
    }

    /// What a new commit is laid over.
    fileprivate func ground(over base: CommitRecord?) throws -> Ground {
        Ground(root: try base?.readableRoot ?? .empty, layer: base?.isFinished == false ? CommitLayer() : nil)
    }
}

extension HistoryTransaction {
    /// Lays changes over the open head of a branch, or makes one finished commit of them, as the end of a ModifyFile
    /// stream does; returns the commit that holds them. For sets that are not large.
    func write(_ set: ChangeSet, on key: BranchKey) throws -> CommitKey {
        let head = try catalog.writeBasis(of: key)
        if let head, head.isOpen { return try write(set, to: .openCommit(head.key), WriteTerms()) }
        return try write(set, to: .newCommit(key), WriteTerms())
    }

    fileprivate func write(
        _ set: ChangeSet, to target: Upload.Target, _ terms: WriteTerms
    ) throws -> CommitKey {
        try put(set, target, terms) { ground in
            Laid(
                root: try store.apply(set, to: ground.root, through: slots),
                layer: try ground.layer.map { try store.add(set, to: $0, through: slots) })
        }
    }

    /// Throws ``GroundMoved``, and thus leaves no trace, if the trees are no longer those of `ground`.
    fileprivate func swap(
        _ set: ChangeSet, _ ground: Ground, for laid: Laid, target: Upload.Target, _ terms: WriteTerms
    ) throws -> CommitKey {
        try put(set, target, terms) { current in
            guard current.root.digest == ground.root.digest, current.layer == ground.layer else { throw GroundMoved() }
            return laid
        }
    }

    private func put(
        _ set: ChangeSet, _ target: Upload.Target, _ terms: WriteTerms, _ lay: (Ground) throws -> Laid
    ) throws -> CommitKey {
        if let key = terms.key, let known = try written(key, to: target) { return known }
        let commit =
            switch target {
            case .openCommit(let key): try addLayer(to: key, terms, lay)
            case .newCommit(let key): try addCommit(on: key, terms, lay)
            }
        try remember(terms, .write, commit)
        noteWritten(set)
        return commit.key
    }

    /// Changes the content of an open commit.
    private func addLayer(
        to key: CommitKey, _ terms: WriteTerms, _ lay: (Ground) throws -> Laid
    ) throws -> CommitRecord {
        guard var commit = try catalog.repo(key.repo).flatMap({ try catalog.commit(repo: $0.id, id: key.id) }) else {
            throw SpileError.domain("commit \(key) was deleted")
        }
        try authorizeWrite(to: key.repo)
        guard commit.isOpen else { throw SpileError.alreadyFinished(key) }
        try refuseLaid(commit)
        try checkHead(over: commit, terms)
        let laid = try lay(Ground(root: commit.root, layer: commit.layer))
        if try catalog.inheritedRoot(from: commit.parent).digest != commit.root.digest { world.discards.add() }
        commit.root = laid.root
        commit.layer = laid.layer
        commit.metadata = try terms.merged(over: commit.metadata)
        try catalog.update(commit)
        touch(repo: commit.repo)
        return commit
    }

    /// Makes one commit with the content, finished unless what it inherits from is not.
    private func addCommit(
        on key: BranchKey, _ terms: WriteTerms, _ lay: (Ground) throws -> Laid
    ) throws -> CommitRecord {
        let (branch, parent) = try prepareCommit(on: key, parent: nil, terms)
        let ground = try catalog.ground(over: try catalog.base(from: parent))
        let laid = try lay(ground)
        var content = CommitContent(root: laid.root, metadata: try terms.merged(over: [:]))
        if let layer = laid.layer {
            content.layer = layer
        } else {
            content.error =
                try laid.check?.error
                ?? ContentCheck(store: store, base: ground.root, root: laid.root).error
        }
        return try insertCommit(on: branch, parent: parent, origin: .user, isOpen: false, content)
    }
}

extension FileSet {
    init(_ layer: CommitLayer) { self.init(content: layer.content, deletions: layer.deletions) }
}

extension CommitLayer {
    init(_ set: FileSet) { self.init(content: set.content, deletions: set.deletions) }
}
