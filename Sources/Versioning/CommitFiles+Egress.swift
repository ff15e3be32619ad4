import Core
import Storage

/// What has left for another place.
package struct EgressSum: Sendable, Equatable {
    package var files: Int64 = 0
    /// Of content.
    package var bytes: Int64 = 0

    package init() {}
}

/// Files that leave for an object store (`pfs.md` §4.7, §4.9).
extension CommitFiles {
    /// Files on their way at once.
    private static var width: Int { 8 }

    /// Writes everything that `glob` matches, and all that is below it, to its path below `url`. What else is there
    /// stays. Nil if nothing matches.
    ///
    /// Throws what `target` throws; some files may be there by then.
    package func send(
        _ glob: Glob, range: PathRange = PathRange(), to target: any EgressTarget, below url: SourceURL
    ) async throws -> EgressSum? {
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            var (sum, underWay) = (EgressSum(), 0)
            let found = try await archive(glob, range: range) { view in
                guard let entry = view.entry else { return true }
                if underWay == Self.width, let bytes = try await group.next() {
                    sum.add(bytes)
                    underWay -= 1
                }
                underWay += 1
                group.addTask {
                    try await send(view.path, entry, to: target, below: url)
                    return entry.size
                }
                return true
            }
            while let bytes = try await group.next() { sum.add(bytes) }
            return found ? sum : nil
        }
    }

    /// Writes one file to `path` below `url`. `entry` is of this commit.
    package func send(
        _ path: String, _ entry: FileEntry, to target: any EgressTarget, below url: SourceURL
    ) async throws {
        var reader = store.reader(entry)
        try await target.put(path, size: entry.size, below: url) { most in
            try Task.checkCancellation()
            return try reader.next(maxBytes: most)
        }
        withExtendedLifetime(self) {}
    }
}

extension EgressSum {
    fileprivate mutating func add(_ size: UInt64) {
        files += 1
        bytes += Int64(clamping: size)
    }
}
