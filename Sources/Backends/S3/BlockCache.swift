import Core
import Crypto
import Foundation
import NIOCore
import Synchronization

/// Blocks of objects as files of one folder, the least recently used dropped first. Each file holds the SHA-256 of each
/// of its pages of 64 KiB, taken together with whose page it is; bytes that do not match are never given out, and their
/// file is dropped.
///
/// Nothing that goes wrong here is an error: what cannot be kept or read is not there. Files are not synced, because
/// what a power loss leaves of one is found out when it is read. Safe from any thread; `state` is guarded by its mutex.
package final class BlockCache: Sendable {
    /// The most bytes of a block.
    static let blockSize = 1 << 20
    private static let pageSize = 64 << 10
    private static let magic: [UInt8] = Array("SPILEBK1".utf8)

    /// Which block of which object: `object` names one content for ever.
    struct BlockID: Hashable, Sendable {
        /// 32 hex digits.
        var object: String
        var index: Int

        var fileName: String { "\(object)-\(index)" }
    }

    /// Figures since the cache was opened.
    package struct Statistics: Sendable, Equatable {
        /// Reads that were answered, and those that were not.
        package var hits = 0
        package var misses = 0
        /// Blocks dropped because their bytes were wrong.
        package var damaged = 0
        /// Kept now.
        package var blocks = 0
        package var bytes = 0
    }

    private struct State {
        var blocks = LeastRecent<BlockID>()
        var statistics = Statistics()
        var temporaries = 0
    }

    private let folder: String
    private let limit: Int
    private let state = Mutex(State())

    /// Takes over what an earlier process left in `folder`, which belongs to this one. `limit` in bytes; 0 keeps
    /// nothing.
    init(folder: String, limit: Int) {
        self.folder = folder
        self.limit = limit
        takeOver()
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.blocks = state.blocks.count
            statistics.bytes = state.blocks.cost
            return statistics
        }
    }

    private func path(_ id: BlockID) -> String { "\(folder)/\(id.fileName)" }

    private func takeOver() {
        var found: [(id: BlockID, size: Int, written: Int)] = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            var status = stat()
            guard stat("\(folder)/\(name)", &status) == 0 else { continue }
            let parts = name.split(separator: "-")
            if parts.count == 2, parts[0].count == 32, let index = Int(parts[1]) {
                let id = BlockID(object: String(parts[0]), index: index)
                found.append((id, Int(status.st_size), Int(status.st_mtim.tv_sec)))
            } else {
                unlink("\(folder)/\(name)")
            }
        }
        found.sort { $0.written < $1.written }
        let blocks = found
        let surplus = state.withLock { state in
            for block in blocks { state.blocks.insert(block.id, cost: block.size) }
            return Self.shrink(&state, to: limit)
        }
        for id in surplus { unlink(path(id)) }
    }

    private static func shrink(_ state: inout State, to limit: Int) -> [BlockID] {
        var surplus: [BlockID] = []
        while state.blocks.cost > limit, let oldest = state.blocks.removeOldest() { surplus.append(oldest) }
        return surplus
    }

    func contains(_ id: BlockID) -> Bool { state.withLock { $0.blocks.contains(id) } }

    /// Keeps a block, 1 byte to ``blockSize``.
    func put(_ id: BlockID, _ bytes: UnsafeRawBufferPointer) {
        guard limit > 0, bytes.count > 0 else { return }
        let number = state.withLock { state in
            state.temporaries += 1
            return state.temporaries
        }
        let temporary = "\(folder)/new-\(number)"
        let size = Self.headerSize(of: bytes.count) + bytes.count
        guard write(id, bytes, to: temporary), rename(temporary, path(id)) == 0 else {
            unlink(temporary)
            return
        }
        let surplus = state.withLock { state in
            state.blocks.insert(id, cost: size)
            return Self.shrink(&state, to: limit)
        }
        for id in surplus { unlink(path(id)) }
    }

    private func write(_ id: BlockID, _ bytes: UnsafeRawBufferPointer, to path: String) -> Bool {
        var header = Self.magic
        for page in 0..<Self.pages(of: bytes.count) {
            let range = page * Self.pageSize..<min((page + 1) * Self.pageSize, bytes.count)
            header += Self.hash(id, page, UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        let descriptor = openFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { closeFile(descriptor) }
        do {
            try header.withUnsafeBytes { try Posix.writeAll($0, to: descriptor, path, at: 0) }
            try Posix.writeAll(bytes, to: descriptor, path, at: header.count)
        } catch {
            return false
        }
        return true
    }

    private static func pages(of length: Int) -> Int { (length + pageSize - 1) / pageSize }
    private static func headerSize(of length: Int) -> Int { magic.count + pages(of: length) * 32 }

    private static func hash(_ id: BlockID, _ page: Int, _ bytes: UnsafeRawBufferPointer) -> SHA256.Digest {
        var hash = SHA256()
        hash.update(data: Array("\(id.fileName)-\(page)\n".utf8))
        hash.update(bufferPointer: bytes)
        return hash.finalize()
    }

    /// Fills `buffer` from `offset` of a block of `length` bytes, in which the range lies. False if the block is not
    /// there.
    func read(_ id: BlockID, length: Int, offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        let isKept = state.withLock { state in
            let isKept = state.blocks.touch(id)
            if !isKept { state.statistics.misses += 1 }
            return isKept
        }
        guard isKept else { return false }
        let isRight = readPages(id, length: length, offset: offset, into: buffer)
        state.withLock { state in
            if isRight {
                state.statistics.hits += 1
            } else {
                state.statistics.misses += 1
                state.statistics.damaged += 1
                state.blocks.remove(id)
            }
        }
        if !isRight { unlink(path(id)) }
        return isRight
    }

    private func readPages(
        _ id: BlockID, length: Int, offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let descriptor = openFile(path(id), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { closeFile(descriptor) }
        let headerSize = Self.headerSize(of: length)
        guard let header = Self.read(descriptor, headerSize, at: 0), header.starts(with: Self.magic) else {
            return false
        }
        let first = offset / Self.pageSize
        let start = first * Self.pageSize
        let end = min(Self.pages(of: offset + buffer.count) * Self.pageSize, length)
        guard let bytes = Self.read(descriptor, end - start, at: headerSize + start) else { return false }
        return bytes.withUnsafeBytes { bytes in
            for page in first..<Self.pages(of: offset + buffer.count) {
                let from = page * Self.pageSize - start
                let part = UnsafeRawBufferPointer(rebasing: bytes[from..<min(from + Self.pageSize, bytes.count)])
                let kept = Self.magic.count + page * 32
                guard Self.hash(id, page, part).elementsEqual(header[kept..<(kept + 32)]) else { return false }
            }
            let wanted = (offset - start)..<(offset - start + buffer.count)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[wanted]))
            return true
        }
    }

    /// Exactly so many bytes; nil where there are fewer.
    private static func read(_ descriptor: Int32, _ count: Int, at offset: Int) -> [UInt8]? {
        try? [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized..<count])
                let result = try LocalReader.read(descriptor, "a cached block", into: rest, at: offset + initialized)
                guard result > 0 else { throw SpileError(.dataLoss, "a cached block is too short") }
                initialized += result
            }
        }
    }
}
