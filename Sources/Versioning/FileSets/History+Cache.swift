import Core

/// The cache that workers share (`pfs.md` §4.9): keys to values, which may hold file sets alive. At most
/// ``Limits/cacheEntries`` entries; the ones not used for longest go first.
extension History {
    /// A hit is noted at most this often, in seconds, so that reads of the cache seldom write.
    private static let useStep: Double = 60

    /// Keeps `value` under `key` unless something is there already. The file sets do not expire while it is.
    package func putCache(
        _ key: String, value: [UInt8], tag: String, fileSets: [String], as principal: Principal
    ) async throws {
        try Self.check(key, tag)
        guard value.count <= Limits.cacheValueBytes else {
            throw SpileError.invalid(
                "a cache value of \(value.count) bytes is larger than \(Limits.cacheValueBytes)",
                remedy: "put it in a file set and keep the file set's id")
        }
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("it may not write the cache")
            let held = try fileSets.map { try transaction.catalog.livingFileSet($0, at: transaction.now).id }
            let entry = CacheRecord(key: key, value: value, tag: tag, fileSets: held, usedAt: transaction.now)
            if try transaction.catalog.insert(entry) { try transaction.catalog.trimCache(to: Limits.cacheEntries) }
        }
    }

    /// The value kept under `key`. Throws `notFound` for a miss.
    package func cached(_ key: String, as principal: Principal) async throws -> [UInt8] {
        if case .launch(let pipeline, _) = principal {
            throw Principal.refusal(of: pipeline, "it may not read the cache")
        }
        guard let entry = try read({ try $0.cacheEntry(key) }) else {
            throw SpileError.notFound("cache has no entry \(FilePath.quoted(String(key.prefix(80))))")
        }
        let now = clock.now()
        if now.seconds(since: entry.usedAt) >= Self.useStep {
            try await transact(as: .server) { try $0.catalog.setUsed(cacheEntry: key, at: now) }
        }
        return entry.value
    }

    /// Deletes the entries whose tag begins with `prefix`; empty: all.
    package func clearCache(tagPrefix prefix: String, as principal: Principal) async throws {
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("it may not clear the cache")
            try transaction.catalog.deleteCacheEntries(tagPrefix: prefix)
        }
    }

    private static func check(_ key: String, _ tag: String) throws {
        for text in [key, tag] where text.utf8.count > Limits.pathBytes || text.utf8.contains(0) {
            throw SpileError.invalid(
                "a cache key or tag is longer than \(Limits.pathBytes) bytes or holds a zero byte")
        }
    }
}
