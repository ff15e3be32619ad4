import Core
import Storage

/// One ModifyFile stream (`pfs.md` §4.6): collects changes, then makes them one layer of an open commit or one commit
/// of its own, whole or not at all.
///
/// Owned by one task; calls block on disk. Nothing is visible before ``finish(metadata:)`` returns, and dropping an
/// upload leaves only bytes that nothing refers to.
package final class Upload {
    fileprivate enum Target: Sendable {
        case openCommit(CommitKey)
        case newCommit(BranchKey)
    }

    private let history: History
    let principal: Principal
    private let target: Target
    private let changes: ChangeWriter
    private var isDone = false

    /// Decides where the stream goes; throws at once what could only fail at the end.
    package init(to handle: CommitHandle, in history: History, as principal: Principal) throws {
        self.history = history
        self.principal = principal
        if let known = try Self.knownTarget(handle, history.heads, principal) {
            target = known
        } else {
            target = try history.read { try Self.authorize(Self.target(handle, $0), $0, principal) }
        }
        changes = history.store.beginChanges()
    }

    deinit { if !isDone { changes.abandon() } }

    /// Appends `bytes` to the file at `path`; none at all makes sure that the file exists.
    package func add(path: String, datum: String, bytes: UnsafeRawBufferPointer) throws {
        try changes.add(path: FilePath.validated(path), datum: try Self.tag(datum), bytes: bytes)
    }

    /// Removes the file at `path`, or everything below it where it ends in `/`. Missing targets are no error.
    package func delete(path: String, datum: String) throws {
        let isRoot = FilePath.clean(path) == "/"
        let cleaned = isRoot ? "/" : try FilePath.validated(path)
        if isRoot || FilePath.endsInSeparator(path) {
            try changes.deleteTree(prefix: isRoot ? "/" : cleaned + "/", datum: try Self.tag(datum))
        } else {
            try changes.delete(path: cleaned, datum: try Self.tag(datum))
        }
    }

    /// Copies a file or a directory by reference; a missing source copies nothing.
    package func copy(from source: FileReference, to path: String, datum: String, append: Bool) throws {
        let destination = try FilePath.clean(path) == "/" ? "/" : FilePath.validated(path)
        let origin = FilePath.clean(source.path)
        let commit = try history.read { try $0.existingCommit(source.commit) }
        let tag = try Self.tag(datum)
        var file = history.store.scan(commit.root, from: .first(of: origin), upTo: .after(origin))
        while let (key, entry) = try file.next() {
            guard source.datum.isEmpty || source.datum == key.datum else { continue }
            guard destination != "/" else { throw SpileError.domain("cannot copy a file to /: name the target file") }
            try changes.put(entry, path: destination, datum: tag, append: append)
        }
        let below = origin == "/" ? "/" : origin + "/"
        var tree = history.store.scan(commit.root, from: .first(under: below), upTo: .after(under: below))
        while let (key, entry) = try tree.next() {
            guard source.datum.isEmpty || source.datum == key.datum else { continue }
            let rest = FilePath.dropping(below.utf8.count, from: key.path)
            let path = try FilePath.validated(destination == "/" ? "/\(rest)" : "\(destination)/\(rest)")
            try changes.put(entry, path: path, datum: tag, append: append)
        }
    }

    /// Makes the changes durable and visible and returns the commit that holds them.
    package func finish(metadata: [String: String] = [:]) async throws -> CommitKey {
        isDone = true
        let set = try changes.finish()
        guard set.isLarge else {
            let target = target
            return try await history.transact(as: principal) { try Self.write(set, to: target, $0, metadata) }
        }
        return try await finishLarge(set, metadata: metadata)
    }

    /// A large set is applied here, beside the committer, and handed over as a finished tree; if the tree below it has
    /// moved meanwhile it is applied again, and after a few times within the transaction, which always ends it.
    private func finishLarge(_ set: ChangeSet, metadata: [String: String]) async throws -> CommitKey {
        let target = target
        for _ in 0..<3 {
            let base = try history.read { try Self.base(of: target, $0) }
            let root = try history.store.applyLarge(set, to: base)
            let check = try ContentCheck(store: history.store, base: base, root: root)
            do {
                return try await history.transact(as: principal) {
                    try Self.swap(from: base, to: root, check, target: target, $0, metadata)
                }
            } catch is BaseMoved {
                continue
            }
        }
        return try await history.transact(as: principal) { try Self.write(set, to: target, $0, metadata) }
    }

    // MARK: Inside the transaction

    private static func write(
        _ set: ChangeSet, to target: Target, _ transaction: HistoryTransaction, _ metadata: [String: String]
    ) throws -> CommitKey {
        try transaction.put(target, metadata) { base in
            let root = try transaction.store.apply(set, to: base, through: transaction.slots)
            return (root, nil)
        }
    }

    /// Throws ``BaseMoved``, and thus leaves no trace, if the tree is no longer `base`.
    private static func swap(
        from base: Root, to root: Root, _ check: ContentCheck, target: Target, _ transaction: HistoryTransaction,
        _ metadata: [String: String]
    ) throws -> CommitKey {
        try transaction.put(target, metadata) { current in
            guard current.digest == base.digest else { throw BaseMoved() }
            return (root, check)
        }
    }

    private struct BaseMoved: Error {}

    private static func base(of target: Target, _ catalog: any CatalogReader) throws -> Root {
        switch target {
        case .openCommit(let key): return try catalog.existingCommit(CommitHandle(key)).root
        case .newCommit(let key):
            let repo = try catalog.existingRepo(key.repo)
            return try catalog.inheritedRoot(from: try catalog.branch(repo: repo.id, name: key.name)?.head)
        }
    }

    // MARK: Choosing the target (`pfs.md` §4.6.1)

    /// The target of a user's write to a branch that was written lately: found without a look at the catalog.
    private static func knownTarget(
        _ handle: CommitHandle, _ heads: HeadCache, _ principal: Principal
    ) throws -> Target? {
        guard case .user = principal, handle.id.isEmpty, let name = handle.branch, !name.isEmpty,
            let known = heads.entry(handle.repo.branch(name))
        else { return nil }
        if known.head.isOpen { return .openCommit(known.head.key) }
        try known.branch.refuseOutput(for: principal)
        return .newCommit(known.branch.key)
    }

    private static func target(_ handle: CommitHandle, _ catalog: any CatalogReader) throws -> Target {
        var handle = handle
        if handle.branch == "", !handle.id.isEmpty, CommitID(handle.id) == nil, NameRules.isPlain(handle.id) {
            handle = CommitHandle(repo: handle.repo, branch: handle.id)
        }
        let branch = handle.branch.flatMap { $0.isEmpty ? nil : handle.repo.branch($0) }
        let commit: CommitRecord
        do {
            commit = try catalog.existingCommit(handle)
        } catch let error as SpileError where error.code == .notFound {
            guard let branch, try catalog.repo(handle.repo) != nil else { throw error }
            return .newCommit(branch)
        }
        if commit.isOpen { return .openCommit(commit.key) }
        guard handle.id.isEmpty, let branch else { throw SpileError.alreadyFinished(commit.key) }
        return .newCommit(branch)
    }

    /// What would be refused at the end is refused before anything is sent (and at the end again).
    private static func authorize(
        _ target: Target, _ catalog: any CatalogReader, _ principal: Principal
    ) throws -> Target {
        switch target {
        case .openCommit(let key): try catalog.authorizeWrite(to: key.repo, by: principal)
        case .newCommit(let key):
            try catalog.authorizeWrite(to: key.repo, by: principal)
            guard let repo = try catalog.repo(key.repo) else { break }
            if let branch = try catalog.branch(repo: repo.id, name: key.name) {
                try branch.refuseOutput(for: principal)
            } else {
                try NameRules.checkBranch(key.name)
            }
        }
        return target
    }

    private static func tag(_ datum: String) throws -> String {
        guard datum.utf8.count <= Limits.datumBytes, !datum.utf8.contains(where: { $0 < 32 }) else {
            throw SpileError.invalid(
                "datum \(FilePath.quoted(String(datum.prefix(80)))) is longer than \(Limits.datumBytes) bytes or holds "
                    + "control characters")
        }
        return datum.isEmpty ? FilePath.defaultDatum : datum
    }
}

extension HistoryTransaction {
    fileprivate func put(
        _ target: Upload.Target, _ metadata: [String: String],
        _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        switch target {
        case .openCommit(let key): try addLayer(to: key, apply)
        case .newCommit(let key): try addCommit(on: key, metadata: metadata, apply)
        }
    }

    /// Changes the content of an open commit.
    fileprivate func addLayer(
        to key: CommitKey, _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        guard var commit = try catalog.repo(key.repo).flatMap({ try catalog.commit(repo: $0.id, id: key.id) }) else {
            throw SpileError.domain("commit \(key) was deleted")
        }
        try authorizeWrite(to: key.repo)
        guard commit.isOpen else { throw SpileError.alreadyFinished(key) }
        commit.root = try apply(commit.root).root
        try catalog.update(commit)
        touch(repo: commit.repo)
        return key
    }

    /// Makes one finished commit with the content.
    fileprivate func addCommit(
        on key: BranchKey, metadata: [String: String], _ apply: (Root) throws -> (root: Root, check: ContentCheck?)
    ) throws -> CommitKey {
        let (branch, parent) = try prepareCommit(on: key, parent: nil)
        let base =
            if let parent, parent.error.isEmpty { parent.root } else {
                try catalog.inheritedRoot(from: parent?.sequence)
            }
        let (root, check) = try apply(base)
        let error = try check?.error ?? ContentCheck(store: store, base: base, root: root).error
        return try insertCommit(
            on: branch, parent: parent, origin: .user, description: "", isOpen: false, root: root, error: error,
            metadata: metadata
        ).key
    }
}
