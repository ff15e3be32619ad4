import Core
import Storage

/// A half-open range of paths in listing order; an empty bound is no bound (`pfs.md` §4.7).
package struct PathRange: Sendable {
    package var lower: String
    package var upper: String
    package init(lower: String = "", upper: String = "") {
        self.lower = lower
        self.upper = upper
    }
    func contains(_ path: String) -> Bool {
        (lower.isEmpty || !FilePath.precedes(path, lower)) && (upper.isEmpty || FilePath.precedes(path, upper))
    }
}

extension CommitFiles {
    /// The files and directories that match `glob`, in order. Reads only what begins as every match does, and descends
    /// only where a match can be.
    package func glob(
        _ glob: Glob, range: PathRange = PathRange(), _ body: (FileView) async throws -> Bool
    ) async throws {
        if let literal = glob.literal {
            if let view = try inspect(literal), range.contains(view.path) { _ = try await body(view) }
            return
        }
        let prefix = glob.literalPrefix
        let base = String(prefix[...(prefix.lastIndex(of: "/") ?? prefix.startIndex)])
        try await traverse(
            base, prefix: prefix,
            descend: { Self.descends(glob, into: $0) },
            { view in
                guard range.contains(view.path), glob.matches(view.path) else { return true }
                return try await body(view)
            })
    }

    /// Whether something below `directory`, which ends in `/`, can match `glob`.
    static func descends(_ glob: Glob, into directory: String) -> Bool {
        glob.depth.map { separators(directory) <= $0 } ?? true
    }

    /// How many separators the paths of a directory's children have.
    private static func separators(_ directory: String) -> Int {
        directory.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }
    }

    /// The one file that `glob` names (`pfs.md` §4.7, GetFile).
    package func singleFile(
        _ glob: Glob, range: PathRange = PathRange(), requested: FileReference
    ) async throws -> (path: String, entry: FileEntry) {
        var found: [FileView] = []
        try await self.glob(glob, range: range) { view in
            found.append(view)
            return found.count < 2
        }
        guard let first = found.first else { throw SpileError.fileNotFound(requested) }
        if found.count > 1 { throw SpileError.domain("matched multiple files. Use GetFileTAR instead") }
        guard let entry = first.entry else {
            throw SpileError.domain("cannot get directory or non-regular file. Use GetFileTAR instead")
        }
        return (first.path, entry)
    }
}

extension SpileError {
    package static func fileNotFound(_ file: FileReference) -> SpileError {
        .notFound("file \(file.path) not found in repo \(file.commit.repo) at commit \(file.commit.text)")
    }
}
