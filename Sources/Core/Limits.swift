/// Sizes that bound what one caller can ask of the server. Each stands in the contract or in docs/ARCHITECTURE.md.
package enum Limits {
    /// Largest gRPC message either way, in bytes (`pfs.md` §0.1).
    package static let messageBytes = 20 * 1024 * 1024
    /// Largest run of file bytes in one streamed answer.
    package static let payloadBytes = 1024 * 1024
    /// Most files that one page of ListFile or WalkFile holds (`pfs.md` §4.7).
    package static let filesPerPage = 100_000
    /// Longest path, in bytes of UTF-8.
    package static let pathBytes = 4096
    /// Longest datum tag, in bytes of UTF-8.
    package static let datumBytes = 256
    /// Entries of the workers' cache (`pfs.md` §4.9).
    package static let cacheEntries = 10_000
    /// Largest value of a cache entry, in bytes: the cache lives in the catalog.
    package static let cacheValueBytes = 1024 * 1024
    /// Most path ranges that one answer of ShardFileSet holds.
    package static let shards = 100_000
    /// Most metadata of one thing, keys and values together, in bytes.
    package static let metadataBytes = 1024 * 1024
    /// Most edits in one call of EditMetadata.
    package static let metadataEdits = 10_000
    /// Longest idempotency key, in bytes.
    package static let idempotencyKeyBytes = 256
    /// Of the keys of a branch the last so many are known, however old they are …
    package static let idempotencyKeysKept = 1000
    /// … and those that are younger than so many hours, …
    package static let idempotencyKeyHours = 24
    /// … but never many more than so many.
    package static let idempotencyKeysMost = 100_000
    /// Most commits or branches that one walk of provenance visits, whatever the caller allows.
    package static let walkedMost = 1_000_000
}
