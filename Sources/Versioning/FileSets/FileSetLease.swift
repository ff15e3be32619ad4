import Core

/// How long a file set stays (`pfs.md` §4.8).
package enum FileSetLease {
    /// Of a new one that names no time, in seconds.
    package static let standard: Double = 600
    /// The longest that a renewal may ask for, in seconds.
    package static let longestRenewal: Int64 = 1800
    /// The longest that a composed one may ask for, and how long a URL into a file set is good, in seconds.
    package static let longest: Int64 = 24 * 3600
    /// How many expired rows each making or renewing of a file set takes away.
    static let sweep = 16

    /// Seconds of a renewal.
    package static func renewal(_ seconds: Int64) throws(SpileError) -> Double {
        try checked(seconds, longest: longestRenewal)
    }

    /// Seconds of a composed file set: 0 means the standard lease, where the original would keep it for ever.
    package static func composed(_ seconds: Int64) throws(SpileError) -> Double {
        seconds == 0 ? standard : try checked(seconds, longest: longest)
    }

    private static func checked(_ seconds: Int64, longest: Int64) throws(SpileError) -> Double {
        if seconds < 1 { throw .invalid("ttl of \(seconds) s: ttl must be at least one second") }
        if seconds > longest { throw .invalid("ttl of \(seconds) s exceeds max ttl of \(longest) s") }
        return Double(seconds)
    }
}

extension SpileError {
    /// For a handle that names nothing, or nothing any more. The text is the one that clients know.
    package static func fileSetNotFound(_ handle: some CustomStringConvertible) -> SpileError {
        .notFound(
            "file set \(handle) not found: tracker does not contain item",
            remedy: "it may have expired; renew in time")
    }
}

extension CatalogReader {
    /// The file set that `text` names, if its lease holds at `now`. Throws `notFound` otherwise and for malformed text.
    func livingFileSet(_ text: String, at now: Instant) throws -> FileSetRecord {
        guard let handle = FileSetHandle(text), let record = try fileSet(handle.id), record.isAlive(at: now) else {
            throw SpileError.fileSetNotFound(FilePath.quoted(String(text.prefix(128))))
        }
        return record
    }
}

extension HistoryTransaction {
    /// Gives a file set its row, and takes some expired ones away.
    func insert(_ handle: FileSetHandle, content: Root, deletions: Root, seconds: Double) throws {
        _ = try catalog.removeExpiredFileSets(at: now, limit: FileSetLease.sweep)
        try catalog.insert(
            FileSetRecord(
                id: handle.id, token: handle.token ?? .zero, createdAt: now, expiresAt: now.adding(seconds: seconds),
                content: content, deletions: deletions))
    }
}
