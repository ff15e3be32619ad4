/// Where files go that leave this server: the outside half of egress and of `get file -o URL` (`pfs.md` §4.7, §4.9).
package protocol EgressTarget: Sendable {
    /// Writes one file of `size` bytes to `path` below `url`, in place of what is there; it is there whole or not at
    /// all. `next` gives the following bytes of it, at most so many, and nil at the end; it is asked for one piece
    /// after the other, each time what went before is on its way. Several files may be written at once.
    ///
    /// Throws what `next` throws and `CancellationError`; else ``SpileError``: `unavailable` and `resourceExhausted`
    /// where trying again may help, `permissionDenied` and `failedPrecondition` where somebody has to change something
    /// outside first, `invalidArgument` and `unimplemented` where nothing can be written there. Writing it again does
    /// no harm.
    func put(
        _ path: String, size: UInt64, below url: SourceURL, _ next: (_ most: Int) throws -> [UInt8]?
    ) async throws
}
