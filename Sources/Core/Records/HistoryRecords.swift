/// Rows of the catalog that history is made of. Values only: what they mean together is `Versioning`'s business.

package struct ProjectRecord: Sendable, Equatable {
    package var id: Int64
    package var key: ProjectKey
    package var description: String
    package var createdAt: Instant
    package var createdBy: String
    package var metadata: [String: String]

    package init(
        id: Int64 = 0, key: ProjectKey, description: String, createdAt: Instant, createdBy: String = "",
        metadata: [String: String] = [:]
    ) {
        self.id = id
        self.key = key
        self.description = description
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.metadata = metadata
    }
}

package struct RepoRecord: Sendable, Equatable {
    package var id: Int64
    package var key: RepoKey
    package var description: String
    package var createdAt: Instant
    package var metadata: [String: String]

    package init(
        id: Int64 = 0, key: RepoKey, description: String, createdAt: Instant, metadata: [String: String] = [:]
    ) {
        self.id = id
        self.key = key
        self.description = description
        self.createdAt = createdAt
        self.metadata = metadata
    }
}

package struct BranchRecord: Sendable, Equatable {
    package var id: Int64
    package var repo: Int64
    package var key: BranchKey
    /// Sequence number of the commit it points at; every branch has one from the end of the transaction that made it.
    package var head: Int64?
    /// Ids of the branches it directly derives from, in the order given.
    package var provenance: [Int64]
    /// Those of ``provenance`` whose new commits open none here.
    package var quiet: Set<Int64>
    /// What moves it to another branch's head, if anything does.
    package var trigger: BranchTrigger?
    package var createdAt: Instant
    package var updatedAt: Instant
    package var createdBy: String
    package var metadata: [String: String]

    package init(
        id: Int64 = 0, repo: Int64, key: BranchKey, head: Int64? = nil, provenance: [Int64] = [],
        quiet: Set<Int64> = [], trigger: BranchTrigger? = nil, createdAt: Instant, updatedAt: Instant,
        createdBy: String = "", metadata: [String: String] = [:]
    ) {
        self.id = id
        self.repo = repo
        self.key = key
        self.head = head
        self.provenance = provenance
        self.quiet = quiet
        self.trigger = trigger
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
        self.metadata = metadata
    }
}

/// A commit by name, with the branch it was made on (nil once that is deleted): all that its relatives show of it.
package struct CommitName: Sendable, Equatable {
    package var key: CommitKey
    package var branch: String?

    package init(key: CommitKey, branch: String?) {
        self.key = key
        self.branch = branch
    }
}

/// Who made a commit: a caller, or the server on a caller's behalf.
package enum CommitOrigin: Int, Sendable {
    case user = 1
    case auto = 2
}

/// What is laid over the files of another commit: contents to append or to put, and before them what goes. Two trees,
/// as a file set has them.
package struct CommitLayer: Sendable, Equatable {
    package var content: Root
    package var deletions: Root

    package init(content: Root = .empty, deletions: Root = .empty) {
        self.content = content
        self.deletions = deletions
    }
}

package struct CommitRecord: Sendable, Equatable {
    /// Position in the order of creation over the whole server; grows, never reused.
    package var sequence: Int64
    package var repo: Int64
    package var key: CommitKey
    /// The branch it was made on; nil once that branch is deleted.
    package var branch: Int64?
    package var parent: Int64?
    /// Sequence numbers of the commits it directly derives from.
    package var provenance: [Int64]
    package var origin: CommitOrigin
    package var description: String
    package var started: Instant
    package var finishing: Instant?
    package var finished: Instant?
    /// Why the commit is not good; empty for a good one.
    package var error: String
    /// Of a commit in error, an ancestor: its parent and all that lie between are in error too. Spares those who look
    /// for a good one the way there; nil where none was noted, and the ancestor may be gone since.
    package var shortcut: Int64?
    package var root: Root
    /// What was written to the commit, while the one it inherits from is not finished itself: once that is, this is
    /// laid over its files. Nil otherwise.
    package var layer: CommitLayer?
    /// Whether its files were given up and only its place in history is kept.
    package var isForgotten: Bool
    package var createdBy: String
    package var metadata: [String: String]

    package init(
        sequence: Int64 = 0, repo: Int64, key: CommitKey, branch: Int64?, parent: Int64?, provenance: [Int64] = [],
        origin: CommitOrigin, description: String = "", started: Instant, finishing: Instant? = nil,
        finished: Instant? = nil, error: String = "", shortcut: Int64? = nil, root: Root, layer: CommitLayer? = nil,
        isForgotten: Bool = false, createdBy: String = "", metadata: [String: String] = [:]
    ) {
        self.sequence = sequence
        self.repo = repo
        self.key = key
        self.branch = branch
        self.parent = parent
        self.provenance = provenance
        self.origin = origin
        self.description = description
        self.started = started
        self.finishing = finishing
        self.finished = finished
        self.error = error
        self.shortcut = shortcut
        self.root = root
        self.layer = layer
        self.isForgotten = isForgotten
        self.createdBy = createdBy
        self.metadata = metadata
    }

    package var isOpen: Bool { finishing == nil }
    /// Whether its files are settled for good.
    package var isFinished: Bool { finished != nil }
    /// Closed over a commit that is not finished: it is finished together with that.
    package var isFinishing: Bool { finishing != nil && finished == nil }
}

/// Changes that were collected to be made all at once (`pfs.md` §5).
package struct TransactionRecord: Sendable, Equatable {
    /// Also the id of every commit that it will make.
    package var id: CommitID
    package var startedAt: Instant
    /// The requests and the answers of their last trial run, in the front door's own form.
    package var requests: [UInt8]
    package var responses: [UInt8]
    /// Who started it, as ``Subject`` writes it; empty where authentication was off.
    package var owner: String

    package init(
        id: CommitID, startedAt: Instant, requests: [UInt8] = [], responses: [UInt8] = [], owner: String = ""
    ) {
        self.owner = owner
        self.id = id
        self.startedAt = startedAt
        self.requests = requests
        self.responses = responses
    }
}
