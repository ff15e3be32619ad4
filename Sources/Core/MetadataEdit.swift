/// One change of the metadata of one thing (`pfs.md` §4.10).
package struct MetadataEdit: Sendable, Equatable {
    package enum Target: Sendable, Equatable {
        case cluster
        case project(ProjectKey)
        case repo(RepoKey)
        case branch(BranchKey)
        case commit(CommitPicker)
        case pipeline(PipelineKey)
    }

    package enum Change: Sendable, Equatable {
        /// The whole map becomes this one.
        case replace([String: String])
        /// The key must not be there yet.
        case add(key: String, value: String)
        /// The key may be there or not.
        case edit(key: String, value: String)
        /// Keys that are there get the new value.
        case merge([String: String])
        /// A key that is not there is no error.
        case delete(key: String)
    }

    package var target: Target
    package var change: Change

    package init(_ target: Target, _ change: Change) {
        self.target = target
        self.change = change
    }
}

extension MetadataEdit.Change {
    /// The map after this change.
    ///
    /// Throws for an empty key, for adding one that is there (`failedPrecondition`), and for a map that would grow over
    /// ``Limits/metadataBytes``: it travels in every message about its thing.
    package func applied(to map: [String: String]) throws(SpileError) -> [String: String] {
        var map = map
        switch self {
        case .replace(let replacement): map = replacement
        case .add(let key, let value):
            guard map[key] == nil else {
                throw SpileError(
                    .failedPrecondition,
                    "add_key target key \(FilePath.quoted(key)) already exists; use edit_key instead")
            }
            map[key] = value
        case .edit(let key, let value): map[key] = value
        case .merge(let more): map.merge(more) { $1 }
        case .delete(let key):
            if key.isEmpty { throw Self.emptyKey }
            map[key] = nil
        }
        if map[""] != nil { throw Self.emptyKey }
        let size = map.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size <= Limits.metadataBytes else {
            throw SpileError(
                .resourceExhausted, "metadata of \(size) bytes is more than \(Limits.metadataBytes)",
                remedy: "keep data in files")
        }
        return map
    }

    private static var emptyKey: SpileError { .invalid("validate request: a metadata key is empty") }
}
