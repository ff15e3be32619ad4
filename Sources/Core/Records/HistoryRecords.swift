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
    package var createdAt: Instant
    package var updatedAt: Instant
    package var createdBy: String
    package var metadata: [String: String]

    package init(
        id: Int64 = 0, repo: Int64, key: BranchKey, head: Int64? = nil, provenance: [Int64] = [],
        createdAt: Instant, updatedAt: Instant, createdBy: String = "", metadata: [String: String] = [:]
    ) {
        self.id = id
        self.repo = repo
        self.key = key
        self.head = head
        self.provenance = provenance
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
    package var root: Root
    package var createdBy: String
    package var metadata: [String: String]

    package init(
        sequence: Int64 = 0, repo: Int64, key: CommitKey, branch: Int64?, parent: Int64?, provenance: [Int64] = [],
        origin: CommitOrigin, description: String = "", started: Instant, finishing: Instant? = nil,
        finished: Instant? = nil, error: String = "", root: Root, createdBy: String = "",
        metadata: [String: String] = [:]
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
        self.root = root
        self.createdBy = createdBy
        self.metadata = metadata
    }

    package var isOpen: Bool { finishing == nil }
}
