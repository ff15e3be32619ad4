/// What a write asks for besides its change: what its commit is to say, that it is made once, and after which commit.
package struct WriteTerms: Sendable, Equatable {
    /// Laid over the commit's metadata, in the transaction of the write: the positions of its source.
    package var metadata: [String: String]
    /// Names the write among those of its branch, so that it can be repeated: see ``checkKey(_:)``. Nil for no name.
    package var key: String?
    /// What the write builds on; nil for whatever there is.
    package var expectedHead: ExpectedHead?

    /// The headers of a call that carry these (docs/EXACTLY_ONCE.md).
    package enum Header {
        package static let metadata = "spile-commit-metadata"
        package static let key = "spile-idempotency-key"
        package static let expectedHead = "spile-expected-head"
        /// In answers: the id of the commit that holds the write, or that was finished.
        package static let commit = "spile-commit"
    }

    package init(metadata: [String: String] = [:], key: String? = nil, expectedHead: ExpectedHead? = nil) {
        self.metadata = metadata
        self.key = key
        self.expectedHead = expectedHead
    }

    package var isEmpty: Bool { metadata.isEmpty && key == nil && expectedHead == nil }

    /// Throws `invalidArgument` unless `key` is 1 to ``Limits/idempotencyKeyBytes`` bytes of printable ASCII.
    package static func checkKey(_ key: String) throws(SpileError) {
        let (bytes, most) = (key.utf8, Limits.idempotencyKeyBytes)
        guard !bytes.isEmpty, bytes.count <= most, bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            let given = bytes.count > most ? "\(bytes.count) bytes" : FilePath.quoted(key)
            throw .invalid("an idempotency key has 1 to \(most) bytes of printable ASCII, not \(given)")
        }
    }
}

/// What a caller believes a branch's head to be.
package enum ExpectedHead: Sendable, Equatable, CustomStringConvertible {
    /// The branch has no commit yet.
    case nothing
    case commit(CommitID)

    /// Reads a commit's id; nothing and `none` mean ``nothing``.
    package init(_ text: String) throws(SpileError) {
        if text.isEmpty || text == "none" {
            self = .nothing
        } else if let id = CommitID(text) {
            self = .commit(id)
        } else {
            throw .invalid(
                "the expected head \(FilePath.quoted(text)) is no commit's id",
                remedy: "write the 32 hex digits of one, or none for a branch without a commit")
        }
    }

    package var description: String {
        switch self {
        case .nothing: "no commit"
        case .commit(let id): "commit \(id)"
        }
    }

    /// Throws `failedPrecondition` unless `actual`, the head of what is called `what`, is this.
    package func check(_ actual: CommitID?, _ what: String) throws(SpileError) {
        let actual = actual.map { Self.commit($0) } ?? .nothing
        guard actual != self else { return }
        throw SpileError(
            .failedPrecondition, "\(what) is \(actual), not \(self) as expected",
            remedy: "somebody else wrote meanwhile: read that, then decide what to write")
    }
}
