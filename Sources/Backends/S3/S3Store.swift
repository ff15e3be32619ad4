import Core
import Foundation

/// Objects in a bucket. Safe to use from any thread; all calls block. Several processes may have stores in one bucket;
/// each needs a working folder of its own, and an object is written by one of them at a time.
///
/// What is durable when, and what a crash between two steps leaves. "Start" is the start of any store on the bucket:
///
/// | call | steps, in this order | a crash after it leaves | cleared away by |
/// |---|---|---|---|
/// | `create` | 1. `begun`, on condition that there is none | an unfinished object, empty | its end or `remove` |
/// | `write` | none: the bytes are on this machine only | nothing | |
/// | `sync` | 1. one object for each extent (I1) | some of them; up to the first gap they count | `resume`, end |
/// | `finish` | 1. `ends-as` | an unfinished object | its next `finish` |
/// | | 2. parts, if it is large | parts, and an unfinished object | start, a day later |
/// | | 3. the finished object, at once whole (I6) | both, the unfinished one hidden | start |
/// | | 4. `begun` is removed, 5. all the rest | remnants, hidden | start |
/// | `replace` | 1. parts, if it is large | parts, the old content | start, a day later |
/// | | 2. the new content in place of the old | the new content | |
/// | `remove` | 1. the finished object, 2. `begun` | remnants, hidden | start |
/// | | 3. the rest of an unfinished one (I5) | remnants, hidden | start |
///
/// I2 to I4 belong to the catalog, and hold because `sync` and `finish` return only after the bucket has confirmed. A
/// request is on condition wherever a late double of it could undo what was confirmed: the beginning, extents and
/// finished objects must not be there, a replaced object must be the one that was looked at.
package final class S3Store: ObjectStore {
    // Any offset will do: spool files are written through the page cache.
    package let properties = ObjectStoreProperties(alignment: 1)

    let base: S3Base
    private let live = S3Live()
    /// So that no reader opens what is being replaced without being noted.
    private let opening = LockStripes()

    /// Opens the store, and clears away what was left by those that ended in the midst of something. Throws
    /// `failedPrecondition` if another process has the working folder, there is no such bucket, or it has no writes on
    /// condition; `permissionDenied` for credentials that are refused, `unavailable` where the bucket does not answer.
    package init(_ service: any S3Service, options: S3StoreOptions, clock: any Clock) throws {
        base = try S3Base(service, options)
        try S3Probe(base: base).run()
        try S3Cleaning(base: base).run(at: clock.now())
    }

    /// The same over HTTP, with retries.
    package convenience init(
        bucket: S3Bucket, credentials: S3Credentials, transport: S3TransportOptions = S3TransportOptions(),
        options: S3StoreOptions, clock: any Clock, randomness: any Randomness
    ) throws {
        let client = S3Client(bucket: bucket, credentials: credentials, options: transport, clock: clock)
        let retrying = S3Retrying(client, randomness: randomness) { Thread.sleep(forTimeInterval: $0) }
        try self.init(retrying, options: options, clock: clock)
    }

    package var cacheStatistics: BlockCache.Statistics { base.cache.statistics }

    private func check(_ name: String) {
        precondition(!name.isEmpty && !name.contains("/"), "an object's name is a plain file name")
    }

    private func notFound(_ name: String) -> SpileError {
        SpileError.notFound("no object \(base.service.address(of: base.names.object(name)))")
    }

    // MARK: Writing

    package func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject {
        check(name)
        let file = try base.spool()
        let key = base.names.object(name)
        if try base.service.exists(key) {
            throw SpileError(.alreadyExists, "\(base.service.address(of: key)) exists already")
        }
        _ = try base.service.put(base.names.begun(name), .init(), S3Terms(.absent))
        return writer(name, file, size: 0, synced: 0, keys: [])
    }

    private func writer(_ name: String, _ file: SpoolFile, size: Int, synced: Int, keys: [String]) -> S3Writer {
        let writer = S3Writer(name, base: base, file: file, size: size, synced: synced, keys: keys) { [live] in
            live.ended(name)
        }
        live.add(writer, name)
        return writer
    }

    /// Fetches what was synced, by whichever machine. What lies behind `size` is removed.
    package func resume(_ name: String, keeping size: Int) throws -> any WritableObject {
        check(name)
        let group = try base.group(name)
        guard group.isBegun else { throw notFound(name) }
        let (file, synced) = try base.fetch(name, group, upTo: size)
        let surplus = group.extents.filter { $0.offset >= size }.map { base.names.extent(name, $0.offset) }
        try base.service.removeAll(surplus)
        let keys = Set(group.rest).subtracting(surplus)
        return writer(name, file, size: size, synced: synced, keys: keys.sorted())
    }

    package func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        check(name)
        let file = try base.spool()
        var written = 0
        try fill { bytes in
            try file.write(bytes, at: written)
            written += bytes.count
        }
        guard written == size else { throw SpileError.bug("\(name) got \(written) bytes instead of \(size)") }
        let key = base.names.object(name)
        try opening.with(name) {
            let condition = try keepOld(name, key)
            let etag = try base.write(file, size: size, to: key, on: condition)
            base.keep(file, size: size, as: base.cacheName(key, etag))
        }
    }

    /// Hands the present content to those who read it; gives the condition that it is still the present one.
    private func keepOld(_ name: String, _ key: String) throws -> S3Terms.Condition {
        let head: S3Head
        do { head = try base.service.head(key) } catch let error as SpileError where error.code == .notFound {
            return .absent
        }
        let readers = live.readers(name).filter { $0.etag == head.etag }
        if let first = readers.first {
            let file = try first.fetchAll()
            for reader in readers { reader.keep(file) }
        }
        return .matches(head.etag)
    }

    package func remove(_ name: String) throws {
        check(name)
        try base.service.removeAll([base.names.object(name)])
        let group = try base.group(name)
        if group.isBegun || !group.rest.isEmpty { try base.remove(name, rest: group.rest) }
        live.ended(name)
    }

    // MARK: Reading

    /// A finished object, or what is there of an unfinished one: all that was written if this process writes it, else
    /// what was synced.
    package func open(_ name: String) throws -> any ReadableObject {
        check(name)
        if let writer = live.writer(name) { return writer.reader() }
        let key = base.names.object(name)
        do {
            return try opening.with(name) {
                let reader = S3Reader(key: key, head: try base.service.head(key), base: base)
                live.add(reader, name)
                return reader
            }
        } catch let error as SpileError where error.code == .notFound {}
        let group = try base.group(name)
        guard group.isBegun else { throw notFound(name) }
        let (file, size) = try base.fetch(name, group, upTo: .max)
        return SpoolReader(file, size: size)
    }

    package func list() throws -> [ObjectListing] {
        var inventory = S3Inventory()
        try base.service.forEach(prefix: base.options.prefix) { inventory.add($0, base.names) }
        var listings = inventory.finished.map { ObjectListing(name: $0.key, size: $0.value) }
        for (name, group) in inventory.open where group.isBegun && inventory.finished[name] == nil {
            if group.ends.contains(where: { inventory.finished[$0] != nil }) { continue }
            listings.append(ObjectListing(name: name, size: group.size))
        }
        return listings
    }
}
