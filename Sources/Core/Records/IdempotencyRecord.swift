/// What a repeated call would do again. The same key means something else for each.
package enum KeyedOperation: Int, Sendable {
    /// Files were written: to a commit of their own, or to an open one.
    case write = 1
    case start = 2
    case finish = 3
}

/// That a call with an idempotency key was carried out, and on which commit.
package struct IdempotencyRecord: Sendable, Equatable {
    package var branch: Int64
    package var operation: KeyedOperation
    package var key: String
    /// The commit's number and id: it need not be there any more.
    package var sequence: Int64
    package var commit: CommitID
    package var doneAt: Instant

    package init(
        branch: Int64, operation: KeyedOperation, key: String, sequence: Int64, commit: CommitID, doneAt: Instant
    ) {
        self.branch = branch
        self.operation = operation
        self.key = key
        self.sequence = sequence
        self.commit = commit
        self.doneAt = doneAt
    }
}
