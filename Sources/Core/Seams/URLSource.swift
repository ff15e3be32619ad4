/// Fetches what URLs name: the outside half of `put file -f URL` (`pfs.md` §4.6.3).
package protocol URLSource: Sendable {
    /// Hands on the bytes of what `url` names, piece by piece as they come in.
    ///
    /// `receive` gets each piece with the part of the path that is the file's own: empty for the one thing that `url`
    /// names, `/` and more for a file below it where `recursive` is set and `url` names a folder, and whatever the key
    /// has behind `url` where that is a prefix in an object store. Pieces of one file come one after the other; a file
    /// without bytes comes as one empty piece. While `receive` runs nothing is asked for but the beginnings of a few
    /// files that come next, so it may block on a slow disk, and memory is bounded whatever the size.
    ///
    /// Throws what `receive` throws; else ``SpileError``: `unavailable` where trying again may help (nobody answers,
    /// the connection broke), `permissionDenied` for a file that this server does not give, `notFound`,
    /// `unimplemented` for stores that are not offered, `unknown` for an answer that is an error. Some pieces may have
    /// come by then.
    func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws
}
