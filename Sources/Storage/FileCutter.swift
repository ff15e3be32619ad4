import Core

/// Cuts a file's bytes as the store does, for whoever has them elsewhere: a chunk that is stored already need not be
/// sent. One owner, for one file from its first byte on. Holds 4 MiB at most.
package struct FileCutter {
    package struct Chunk: Sendable {
        package let hash: Digest
        package let bytes: [UInt8]
    }

    /// Of the chunk under way.
    private var pending: [UInt8] = []

    package init() {}

    /// Takes the file's next bytes and hands on the chunks that end with one of them.
    package mutating func take(_ bytes: UnsafeRawBufferPointer, _ body: (Chunk) throws -> Void) rethrows {
        var position = 0
        while position < bytes.count {
            let known = pending.count
            let step = min(bytes.count - position, BlockHash.blockSize)
            pending += bytes.slice(position..<position + step)
            guard
                let length = pending.withUnsafeBytes({
                    Chunker.cut($0.baseAddress!, from: 0, known: known, count: known + step)
                })
            else {
                position += step
                continue
            }
            position += length - known
            pending.removeLast(known + step - length)
            try body(Chunk(hash: pending.withUnsafeBytes { BlockHash.hash($0) }, bytes: pending))
            pending = []
        }
    }

    /// What follows the last chunk: the file is over.
    package mutating func finish() -> [UInt8] {
        defer { pending = [] }
        return pending
    }
}
