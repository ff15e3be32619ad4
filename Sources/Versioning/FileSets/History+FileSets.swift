import Core
import Storage

/// File sets: made from commits and from each other, laid over commits, kept alive (`pfs.md` §4.8). Handles are text,
/// as callers hold them; one that is malformed, unknown or expired throws `notFound`.
extension History {
    /// A file set with the whole content of a commit as it is now. Nothing is copied.
    package func totalFileSet(of commit: CommitHandle, as principal: Principal) async throws -> FileSetHandle {
        let handle = FileSetHandle(randomness)
        _ = try await settled(try readable(commit))
        try await transact(as: principal) { transaction in
            let root = try transaction.catalog.readable(commit, at: transaction.now).readableRoot
            try transaction.insert(handle, FileSet(content: root))
        }
        return handle
    }

    /// A file set with what a commit changed in what it inherits: a file that differs stands there whole, and with its
    /// removal.
    package func differenceFileSet(of commit: CommitHandle, as principal: Principal) async throws -> FileSetHandle {
        let handle = FileSetHandle(randomness)
        _ = try await settled(try readable(commit))
        let writing = store.beginWriting()
        defer { withExtendedLifetime(writing) {} }
        for attempt in 1... {
            let (base, root) = try read { try $0.span(of: commit, at: clock.now()) }
            let set = try store.bulk { try store.fileSet(from: base, to: root, through: $0, for: writing) }
            // What the file set refers to is kept by the commit's root until its own row is there.
            let isCurrent = try await transact(as: principal) { transaction in
                let now = try transaction.catalog.span(of: commit, at: transaction.now)
                guard now.root.digest == root.digest, now.base.digest == base.digest else { return false }
                try transaction.insert(handle, set)
                return true
            }
            if isCurrent { return handle }
            guard attempt < 5 else { break }
        }
        throw SpileError(
            .aborted, "commit \(commit) is being written faster than its changes can be collected",
            remedy: "finish it, or retry")
    }

    /// Lays a file set over an open commit as one layer, in one transaction. Throws `has already finished` for a commit
    /// that is not open; a branch stands for its head.
    @discardableResult
    package func add(
        fileSet handle: String, to commit: CommitHandle, as principal: Principal
    ) async throws -> CommitKey {
        let writing = store.beginWriting()
        let (key, set) = try read { catalog in
            let record = try catalog.existingCommit(commit)
            guard record.isOpen else { throw SpileError.alreadyFinished(record.key) }
            try catalog.authorizeWrite(to: record.key.repo, by: principal)
            return (record.key, try catalog.livingFileSet(handle, at: clock.now()).trees)
        }
        return try await lay(store.changes(of: set, for: writing), over: key, as: principal)
    }

    /// One new file set that does what `handles` do, one after the other; `seconds`: its lease.
    package func compose(
        fileSets handles: [String], seconds: Double, as principal: Principal
    ) async throws -> FileSetHandle {
        let handle = FileSetHandle(randomness)
        let writing = store.beginWriting()
        defer { withExtendedLifetime(writing) {} }
        let sets = try read { catalog in try handles.map { try catalog.livingFileSet($0, at: clock.now()).trees } }
        if sets.count <= 8, sets.dropFirst().allSatisfy({ !store.changes(of: $0, for: writing).isLarge }) {
            try await transact(as: principal) { transaction in
                let set = try transaction.store.composed(sets, through: transaction.slots, for: writing)
                try transaction.insert(handle, set, seconds: seconds)
            }
        } else {
            let set = try store.bulk { try store.composed(sets, through: $0, for: writing) }
            try await transact(as: principal) { try $0.insert(handle, set, seconds: seconds) }
        }
        return handle
    }

    /// Ranges of paths that split a file set's content: contiguous, the first and the last open at their outer end,
    /// each full as soon as it has `files` files or `bytes` bytes. Zero stands for a million files or 10⁹ bytes.
    package func shards(ofFileSet handle: String, files: Int64, bytes: Int64) throws -> [PathRange] {
        guard files >= 0, bytes >= 0 else { throw SpileError.invalid("num_files and size_bytes must not be negative") }
        let reading = store.beginReading()
        defer { withExtendedLifetime(reading) {} }
        let set = try read { try $0.livingFileSet(handle, at: clock.now()) }
        let cuts = try store.cuts(
            set.content, files: files == 0 ? 1_000_000 : UInt64(files),
            bytes: bytes == 0 ? 1_000_000_000 : UInt64(bytes),
            limit: Limits.shards - 1)
        return zip([""] + cuts, cuts + [""]).map { PathRange(lower: $0, upper: $1) }
    }

    /// Lets a file set's lease end `seconds` from now, whatever was left of it.
    package func renew(fileSet handle: String, seconds: Double, as principal: Principal) async throws {
        try await transact(as: principal) { transaction in
            let record = try transaction.catalog.livingFileSet(handle, at: transaction.now)
            try transaction.catalog.setLease(
                fileSet: record.id, expiresAt: transaction.now.adding(seconds: seconds),
                pinnedUntil: record.pinnedUntil)
            _ = try transaction.catalog.removeExpiredFileSets(at: transaction.now, limit: FileSetLease.sweep)
        }
    }

    /// Keeps a file set's trees for at least `seconds` from now, so that URLs into it stay good; its handle ends with
    /// its lease all the same. Returns the file set with the time until which it is kept, at most `slack` seconds later
    /// than asked for: so reads of one file set write to the catalog rarely.
    package func pin(
        fileSet handle: String, seconds: Double, slack: Double, as principal: Principal
    ) async throws -> FileSetRecord {
        let now = clock.now()
        let record = try read { try $0.livingFileSet(handle, at: now) }
        if record.pinnedUntil >= now.adding(seconds: seconds) { return record }
        return try await transact(as: principal) { transaction in
            var record = try transaction.catalog.livingFileSet(handle, at: transaction.now)
            record.pinnedUntil = max(record.pinnedUntil, transaction.now.adding(seconds: seconds + slack))
            try transaction.catalog.setLease(
                fileSet: record.id, expiresAt: record.expiresAt, pinnedUntil: record.pinnedUntil)
            return record
        }
    }

    /// Removes every file set that nothing keeps any more, in transactions of at most `batch` rows; returns how many.
    /// For the collector of garbage: what they alone reached may go afterwards.
    @discardableResult
    package func removeExpiredFileSets(batch: Int = 1000) async throws -> Int {
        var total = 0
        while true {
            let count = try await transact(as: .server) {
                try $0.catalog.removeExpiredFileSets(at: $0.now, limit: batch)
            }
            total += count
            if count < batch { return total }
        }
    }
}

extension CatalogReader {
    /// What a commit inherits and what it holds.
    fileprivate func span(of handle: CommitHandle, at now: Instant) throws -> (base: Root, root: Root) {
        let commit = try readable(handle, at: now)
        return (try inheritedRoot(from: commit.parent), try commit.readableRoot)
    }
}

extension Store {
    fileprivate func composed(
        _ sets: [FileSet], through writer: SlotWriter, for activity: Activity
    ) throws -> FileSet {
        try sets.reduce(.empty) { try compose($0, $1, through: writer, for: activity) }
    }
}
