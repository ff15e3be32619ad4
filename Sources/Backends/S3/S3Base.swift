import Core
import Crypto
import Foundation
import NIOCore
import Synchronization

/// What a store shares with its readers and writers: the bucket, the working folder, the bounds.
final class S3Base: Sendable {
    let service: any S3Service
    let options: S3StoreOptions
    let names: S3Names
    let cache: BlockCache
    let budget: TransferBudget
    /// So that many readers of one block fetch it once.
    let fetching = LockStripes()
    private let lock: FolderLock

    init(_ service: any S3Service, _ options: S3StoreOptions) throws {
        self.service = service
        self.options = options
        names = S3Names(prefix: options.prefix)
        budget = TransferBudget(limit: options.bytesUnderWay)
        lock = try FolderLock(options.folder)
        for part in ["spool", "cache"] {
            try FolderLock.make("\(options.folder)/\(part)")
        }
        cache = BlockCache(folder: "\(options.folder)/cache", limit: options.cacheBytes)
    }

    func spool() throws -> SpoolFile { try SpoolFile(folder: options.folder + "/spool") }

    // MARK: Whole objects

    /// Writes the first `size` bytes of a file as one object, in one atomic step. Gives its ETag.
    func write(_ file: SpoolFile, size: Int, to key: String, on condition: S3Terms.Condition) throws -> String {
        if size <= options.singlePutBytes {
            return try budget.with(size) { try service.put(key, try file.bytes(0..<size), S3Terms(condition)) }
        }
        let upload = try service.begin(key, S3Terms(condition))
        do {
            try service.complete(upload, try send(file, size: size, upload))
        } catch {
            // If this fails too, the store clears it away later.
            try? service.abort(upload)
            throw error
        }
        let head = try service.head(key)
        guard head.size == size else {
            throw SpileError(
                .dataLoss, "\(service.address(of: key)) has \(head.size) bytes, but \(size) were written",
                remedy: "look at what stands between this server and the store")
        }
        return head.etag
    }

    private func send(_ file: SpoolFile, size: Int, _ upload: S3Upload) throws -> [String] {
        let length = S3Limits.part(of: size, least: options.partBytes)
        let count = (size + length - 1) / length
        let etags = Collected(count)
        try Parallel.forEach(count, width: options.width) { [self] index in
            let range = (index * length)..<min((index + 1) * length, size)
            let etag = try budget.with(range.count) {
                try service.upload(upload, part: index + 1, try file.bytes(range))
            }
            etags.set(index, etag)
        }
        return etags.values
    }

    /// Texts that come in any order.
    private final class Collected: Sendable {
        private let texts: Mutex<[String]>

        init(_ count: Int) { texts = Mutex([String](repeating: "", count: count)) }
        func set(_ index: Int, _ text: String) { texts.withLock { $0[index] = text } }
        var values: [String] { texts.withLock { $0 } }
    }

    // MARK: Unfinished objects

    func group(_ name: String) throws -> S3Group {
        var group = S3Group()
        try service.forEach(prefix: names.group(name)) { item in
            if case .open(_, let part) = names.place(item.key) { group.add(item, part) }
        }
        return group
    }

    /// What was synced of an unfinished object, the first `most` bytes of it, in a file of this machine.
    func fetch(_ name: String, _ group: S3Group, upTo most: Int) throws -> (file: SpoolFile, size: Int) {
        let file = try spool()
        var pieces: [(key: String, range: Range<Int>, place: Int)] = []
        for extent in group.synced where extent.offset < most {
            let end = min(extent.size, most - extent.offset)
            for start in stride(from: 0, to: end, by: options.extentBytes) {
                let range = start..<min(start + options.extentBytes, end)
                pieces.append((names.extent(name, extent.offset), range, extent.offset + start))
            }
        }
        let all = pieces
        try Parallel.forEach(all.count, width: options.width * 2) { [self] index in
            let piece = all[index]
            try budget.with(piece.range.count) {
                try file.write(try service.get(piece.key, piece.range, etag: nil), at: piece.place)
            }
        }
        return (file, min(group.size, most))
    }

    /// Removes what there is of an unfinished object, its beginning first: without that the rest counts for nothing,
    /// and the next start clears it away.
    func remove(_ name: String, rest: [String]) throws {
        try service.removeAll([names.begun(name)])
        try service.removeAll(rest)
    }

    // MARK: Cached blocks

    /// What one content is called in the cache.
    func cacheName(_ key: String, _ etag: String) -> String {
        let text = "\(service.address(of: key))\n\(etag)"
        return String(Hex.encode(SHA256.hash(data: Data(text.utf8))).prefix(32))
    }

    /// Keeps the blocks of an object that has just been written, which is mostly read soon.
    func keep(_ file: SpoolFile, size: Int, as object: String) {
        let length = BlockCache.blockSize
        for index in 0..<((size + length - 1) / length) {
            let range = (index * length)..<min((index + 1) * length, size)
            guard let bytes = try? file.bytes(range) else { return }
            bytes.withUnsafeReadableBytes { cache.put(BlockCache.BlockID(object: object, index: index), $0) }
        }
    }
}

/// Locks by name: each name has one, which it may share with others.
final class LockStripes: Sendable {
    private let locks = (0..<64).map { _ in NSLock() }

    func with<Result>(_ name: some Hashable, _ body: () throws -> Result) rethrows -> Result {
        let lock = locks[Int(UInt(bitPattern: name.hashValue) % UInt(locks.count))]
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }
}
