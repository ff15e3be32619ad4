import Core
import NIOCore
import Synchronization

/// A finished object open for reading: always the content that was there when it was opened. Blocks come from the
/// cache, else from the bucket, more of them at once the longer the reading goes on in order. `state` is guarded by its
/// mutex.
///
/// When this process replaces the object, the old content is fetched first and kept on this machine as long as the
/// reader lives. When another process does, or removes it, what is not cached is gone: `aborted` (open it again) or
/// `notFound`, never other bytes.
final class S3Reader: ReadableObject {
    private struct State {
        /// The whole content, once it is gone from the bucket.
        var kept: SpoolFile?
        /// The block behind the last one fetched, and how many blocks are fetched if it is the next.
        var expected = -1
        var window = 1
    }

    let size: Int
    let etag: String
    private let key: String
    private let base: S3Base
    private let cacheName: String
    private let state = Mutex(State())

    private static let blockSize = BlockCache.blockSize
    /// Blocks of one request, at most.
    private static let widest = 8

    init(key: String, head: S3Head, base: S3Base) {
        self.key = key
        self.base = base
        size = head.size
        etag = head.etag
        cacheName = base.cacheName(key, head.etag)
    }

    private func id(_ block: Int) -> BlockCache.BlockID { BlockCache.BlockID(object: cacheName, index: block) }

    private func length(ofBlock block: Int) -> Int { min(Self.blockSize, size - block * Self.blockSize) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        let count = min(buffer.count, size - offset)
        guard count > 0 else { return 0 }
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        if let kept = state.withLock({ $0.kept }) { return try kept.read(into: target, at: offset) }
        if let done = readCached(into: target, at: offset) { return done }
        return try base.fetching.with(id(offset / Self.blockSize)) {
            if let done = readCached(into: target, at: offset) { return done }
            do {
                return try fetch(into: target, at: offset)
            } catch let error as SpileError where error.code == .aborted {
                if let kept = state.withLock({ $0.kept }) { return try kept.read(into: target, at: offset) }
                throw SpileError(
                    .aborted, "\(base.service.address(of: key)) was replaced since it was opened",
                    remedy: "open it again", cause: error)
            }
        }
    }

    /// From the block that `offset` lies in; nil if that is not cached.
    private func readCached(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? {
        let block = offset / Self.blockSize
        let length = length(ofBlock: block)
        let inside = offset - block * Self.blockSize
        let part = UnsafeMutableRawBufferPointer(rebasing: target[..<min(target.count, length - inside)])
        return base.cache.read(id(block), length: length, offset: inside, into: part) ? part.count : nil
    }

    /// Fetches blocks from the one on that `offset` lies in, and keeps them in the cache.
    private func fetch(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        let first = offset / Self.blockSize
        let last = (offset + target.count - 1) / Self.blockSize
        let start = first * Self.blockSize
        let range = start..<min(size, (first + run(from: first, wanting: last - first + 1)) * Self.blockSize)
        return try base.budget.with(range.count) {
            let bytes = try base.service.get(key, range, etag: etag)
            return bytes.withUnsafeReadableBytes { bytes in
                for place in stride(from: 0, to: bytes.count, by: Self.blockSize) {
                    let end = min(place + Self.blockSize, bytes.count)
                    base.cache.put(
                        id(first + place / Self.blockSize), UnsafeRawBufferPointer(rebasing: bytes[place..<end]))
                }
                let found = bytes[(offset - start)...].prefix(target.count)
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: found))
                return found.count
            }
        }
    }

    /// How many blocks to fetch from `first` on: as many as are wanted, more if the reading goes on where it was, up to
    /// one that is cached already.
    private func run(from first: Int, wanting wanted: Int) -> Int {
        let all = (size + Self.blockSize - 1) / Self.blockSize
        let most = state.withLock { state in
            let window = state.expected == first ? min(state.window * 2, Self.widest) : 1
            let most = min(max(wanted, window), Self.widest, all - first)
            state.window = most
            state.expected = first + most
            return most
        }
        var count = 1
        while count < most, !base.cache.contains(id(first + count)) { count += 1 }
        return count
    }

    // MARK: Content that is about to go

    /// The whole content, in a file of this machine.
    func fetchAll() throws -> SpoolFile {
        let file = try base.spool()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockSize, alignment: 16)
        defer { buffer.deallocate() }
        var offset = 0
        while offset < size {
            let count = try read(into: buffer, at: offset)
            try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset)
            offset += count
        }
        return file
    }

    /// From now on reads this file, which holds the whole content.
    func keep(_ file: SpoolFile) { state.withLock { $0.kept = file } }
}
