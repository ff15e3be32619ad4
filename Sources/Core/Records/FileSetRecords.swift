/// The id of a file set: a version 4 UUID, as a commit's is, because reads of the pseudo repo name a file set where
/// others name a commit (`pfs.md` §1.4).
package struct FileSetID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let uuid: CommitID

    package init(_ uuid: CommitID) { self.uuid = uuid }

    /// Reads 32 lower-case hex digits; nil if they are no id.
    package init?(_ text: some StringProtocol) {
        guard let uuid = CommitID(text) else { return nil }
        self.uuid = uuid
    }

    package static func < (a: FileSetID, b: FileSetID) -> Bool { a.uuid < b.uuid }
    package var description: String { uuid.description }
}

/// What a caller holds of a file set. Text form: `<32 hex>.<64 hex>`, an id and a token (`pfs.md` §4.8). The id alone
/// is taken too; the token is not verified.
package struct FileSetHandle: Hashable, Sendable, CustomStringConvertible {
    package let id: FileSetID
    /// Nil where the caller gave the id alone.
    package let token: Digest?

    package init(id: FileSetID, token: Digest?) {
        self.id = id
        self.token = token
    }

    /// A fresh handle.
    package init(_ randomness: some Randomness) {
        id = FileSetID(CommitID(randomness))
        token = Digest(words: (randomness.next(), randomness.next(), randomness.next(), randomness.next()))
    }

    /// Reads the text form; nil if it is none.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let id = FileSetID(first) else { return nil }
        guard parts.count == 2 else {
            self.init(id: id, token: nil)
            return
        }
        guard let token = Hex.decode(parts[1]), token.count == Digest.byteCount else { return nil }
        self.init(id: id, token: Digest(token))
    }

    package var description: String { token.map { "\(id).\($0)" } ?? "\(id)" }
}

/// A file set: two ordinary trees, alive until its lease ends.
package struct FileSetRecord: Sendable, Equatable {
    package var id: FileSetID
    package var token: Digest
    package var createdAt: Instant
    /// When its handle stops to work, unless a cache entry holds it.
    package var expiresAt: Instant
    /// Until when its trees stay whatever its lease says, because a URL that was given out names them.
    package var pinnedUntil: Instant
    /// The files' contents.
    package var content: Root
    /// What it removes from the tree it is laid over: keys only, each with the empty file.
    package var deletions: Root
    /// Whether a cache entry holds it: then it does not expire. Set by the catalog, ignored when it is written.
    package var isHeld: Bool

    package init(
        id: FileSetID, token: Digest, createdAt: Instant, expiresAt: Instant,
        pinnedUntil: Instant = Instant(nanoseconds: 0), content: Root, deletions: Root, isHeld: Bool = false
    ) {
        self.id = id
        self.token = token
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.pinnedUntil = pinnedUntil
        self.content = content
        self.deletions = deletions
        self.isHeld = isHeld
    }

    /// Whether its handle works at `now`.
    package func isAlive(at now: Instant) -> Bool { isHeld || now < expiresAt }
    /// Whether its trees can still be read at `now`, by its handle or by a URL.
    package func isReadable(at now: Instant) -> Bool { isAlive(at: now) || now < pinnedUntil }
}

/// One entry of the cache that workers share (`pfs.md` §4.9).
package struct CacheRecord: Sendable, Equatable {
    package var key: String
    /// An encoded `google.protobuf.Any`.
    package var value: [UInt8]
    package var tag: String
    /// What it holds, and thus keeps from expiring; in no particular order.
    package var fileSets: [FileSetID]
    package var usedAt: Instant

    package init(key: String, value: [UInt8], tag: String, fileSets: [FileSetID], usedAt: Instant) {
        self.key = key
        self.value = value
        self.tag = tag
        self.fileSets = fileSets
        self.usedAt = usedAt
    }
}
