import Core
import Storage

/// The operations of a ModifyFile stream (`pfs.md` §4.6.2), checked and collected: the same ones for a stream into a
/// commit (``Upload``) and for one that becomes a file set (``FileSetUpload``).
///
/// Owned by one task; calls block on disk. Order of calls matters. An error of a path, a datum tag or a source says
/// what is wrong with it and a retry does not help; disk full may be retried with the whole stream.
package protocol FileOperations: AnyObject {
    var history: History { get }
    var changes: ChangeWriter { get }
    /// On whose behalf the stream comes in.
    var principal: Principal { get }
}

extension FileOperations {
    /// Appends `bytes` to the file at `path`; none at all makes sure that the file exists.
    package func add(path: String, datum: String, bytes: UnsafeRawBufferPointer) throws {
        try changes.add(path: FilePath.validated(path), datum: try DatumTag.checked(datum), bytes: bytes)
    }

    /// Removes the file at `path`, or everything below it where it ends in `/`. Missing targets are no error.
    package func delete(path: String, datum: String) throws {
        let isRoot = FilePath.isRoot(path)
        let cleaned = isRoot ? "/" : try FilePath.validated(path)
        if isRoot || FilePath.endsInSeparator(path) {
            try changes.deleteTree(prefix: isRoot ? "/" : cleaned + "/", datum: try DatumTag.checked(datum))
        } else {
            try changes.delete(path: cleaned, datum: try DatumTag.checked(datum))
        }
    }

    /// Copies a file or a directory by reference, from a commit or a file set; a missing source copies nothing.
    package func copy(from source: FileReference, to path: String, datum: String, append: Bool) throws {
        let destination = try FilePath.isRoot(path) ? "/" : FilePath.validated(path)
        let origin = FilePath.clean(source.path)
        let root = try history.readable(source.commit).readableRoot
        let tag = try DatumTag.checked(datum)
        var file = history.store.scan(root, from: .first(of: origin), upTo: .after(origin))
        while let (key, entry) = try file.next() {
            guard source.datum.isEmpty || source.datum == key.datum else { continue }
            guard destination != "/" else { throw SpileError.domain("cannot copy a file to /: name the target file") }
            try changes.put(entry, path: destination, datum: tag, append: append)
        }
        let below = origin == "/" ? "/" : origin + "/"
        var tree = history.store.scan(root, from: .first(under: below), upTo: .after(under: below))
        while let (key, entry) = try tree.next() {
            guard source.datum.isEmpty || source.datum == key.datum else { continue }
            let rest = FilePath.dropping(below.utf8.count, from: key.path)
            let path = try FilePath.validated(destination == "/" ? "/\(rest)" : "\(destination)/\(rest)")
            try changes.put(entry, path: path, datum: tag, append: append)
        }
    }
}

/// What stands beside a path: which datum wrote it.
enum DatumTag {
    /// `datum`, or the one of what users write where it is empty. Throws for one that is too long or not printable.
    static func checked(_ datum: String) throws -> String {
        guard datum.utf8.count <= Limits.datumBytes, !datum.utf8.contains(where: { $0 < 32 }) else {
            throw SpileError.invalid(
                "datum \(FilePath.quoted(String(datum.prefix(80)))) is longer than \(Limits.datumBytes) bytes or holds "
                    + "control characters")
        }
        return datum.isEmpty ? FilePath.defaultDatum : datum
    }
}
