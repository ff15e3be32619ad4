/// Where an ``S3Store`` keeps what, and its bounds. Sizes are bytes.
package struct S3StoreOptions: Sendable {
    /// A folder of this machine for spool files and cached blocks; it belongs to one process. What is in it can be
    /// lost: it holds nothing that is not in the bucket, save for what was not synced yet.
    package var folder: String
    /// What the keys of the store begin with: empty, or ending with a slash.
    package var prefix: String
    /// Cached blocks, at most.
    package var cacheBytes = 4 << 30
    /// Bodies in memory on their way to or from the bucket, of all calls together.
    package var bytesUnderWay = 64 << 20
    /// What is larger is written in parts.
    package var singlePutBytes = 16 << 20
    /// Of a part, at least.
    package var partBytes = 8 << 20
    /// Of one object that a sync makes, at most.
    package var extentBytes = 8 << 20
    /// Requests that one call makes at the same time.
    package var width = 4
    /// After how many seconds an upload in parts that has no end counts as forgotten.
    package var uploadSeconds = 86_400.0

    /// A slash is added to a prefix that has none.
    package init(folder: String, prefix: String = "") {
        self.folder = folder
        self.prefix = prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
    }
}
