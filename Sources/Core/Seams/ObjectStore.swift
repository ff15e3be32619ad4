/// How an object will be written; the store chooses the fastest safe way for it.
package enum ObjectPurpose: Sendable {
    /// Many small writes, each followed by a sync: the object is preallocated and zero-filled ahead of use, so that a
    /// write is a buffered overwrite.
    case small
    /// Few large writes at aligned offsets: space is reserved, writes bypass the page cache where the store can.
    case bulk
}

/// What a store can do. Callers ask for abilities, never for the store's type.
package struct ObjectStoreProperties: Sendable {
    /// Offset, length and address of writes to a `.bulk` object are multiples of this many bytes.
    package var alignment: Int
    /// Whether objects may come from other processes and change by them, and are far away: the sync of a `.bulk` object
    /// costs as much there as its end does, and a name that is not known may exist all the same.
    package var isShared: Bool

    package init(alignment: Int, isShared: Bool = false) {
        self.alignment = alignment
        self.isShared = isShared
    }
}

/// Bytes that their owner has to keep for them to be durable: those of object `name` from `offset` on.
package struct PendingBytes: Sendable, Equatable {
    package var name: String
    package var offset: Int
    package var bytes: [UInt8]

    package init(name: String, offset: Int, bytes: [UInt8]) {
        self.name = name
        self.offset = offset
        self.bytes = bytes
    }
}

/// One object as listed: its name and its present size in bytes (an unfinished one may be larger than what was
/// written).
package struct ObjectListing: Sendable, Equatable {
    package let name: String
    package let size: Int

    package init(name: String, size: Int) {
        self.name = name
        self.size = size
    }
}

/// A place for named objects: a folder, a bucket, memory. Names are plain file names without a slash.
///
/// All calls are synchronous, may block, and may come from any thread at once. Errors are ``SpileError``:
/// `resourceExhausted` (space; retry after making room), `unavailable` (retry may help), `dataLoss` (the medium
/// failed), `notFound`, `alreadyExists`, `permissionDenied`.
package protocol ObjectStore: Sendable {
    var properties: ObjectStoreProperties { get }

    /// Makes a new object and opens it for writing by one owner. Its name is durable on return. `capacity` in bytes is
    /// a hint for reserving space, not a limit. Throws `alreadyExists` if the name is taken.
    func create(_ name: String, capacity: Int, purpose: ObjectPurpose) throws -> any WritableObject

    /// Opens an unfinished object, found after a restart, to give it an end: it is cut to `size` bytes first.
    func resume(_ name: String, keeping size: Int) throws -> any WritableObject

    /// Opens an object for reading. Readers stay valid when the object is renamed, replaced or removed.
    func open(_ name: String) throws -> any ReadableObject

    /// All objects, in no particular order.
    func list() throws -> [ObjectListing]

    /// Gives an object new content of `size` bytes under the same name in one atomic, durable step. `fill` hands the
    /// content over piece by piece, in order; aligned pieces are written fastest. If it throws, the object stays as it
    /// is.
    func replace(
        _ name: String, size: Int, by fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws

    /// Removes an object; one that is not there is no error.
    func remove(_ name: String) throws
}

/// An object being written. `write`, `sync` and `finish` belong to one owner; `read` may come from any thread.
///
/// After `write` or `sync` has thrown, the owner must abandon the object: what was synced before is still readable,
/// what came after is undefined, and a later sync that succeeds proves nothing.
package protocol WritableObject: AnyObject, Sendable {
    /// Writes all bytes at `offset` or throws. Bytes once synced are never written again.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws

    /// Returns when everything written so far survives power loss.
    func sync() throws

    /// Whether ``handOver()`` gives bytes.
    var handsOver: Bool { get }

    /// In place of ``sync()``, where the owner can keep bytes by himself: gives what was written since the last time.
    /// It counts as synced; if he does not keep it after all, he abandons the object. Nil where there is nothing.
    func handOver() throws -> PendingBytes?

    /// The owner gives the object up: it is written no more, and read as anybody else's.
    func abandon()

    /// Cuts the object to `size` bytes, syncs it and renames it to `name`, atomically and durably. The last call.
    func finish(size: Int, as name: String) throws

    /// Reads what was written; may be short, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
}

extension WritableObject {
    package var handsOver: Bool { false }
    package func abandon() {}

    package func handOver() throws -> PendingBytes? {
        try sync()
        return nil
    }
}

/// An object open for reading, from any thread.
package protocol ReadableObject: AnyObject, Sendable {
    /// Bytes in the object when it was opened.
    var size: Int { get }

    /// Reads into `buffer` from `offset`; may be short, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
}

extension ReadableObject {
    /// Fills `buffer` from `offset` or throws `dataLoss` if the object ends before.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try fill(buffer, at: offset) { try self.read(into: $0, at: $1) }
    }
}

extension WritableObject {
    /// Fills `buffer` from `offset` or throws `dataLoss` if the object ends before.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try fill(buffer, at: offset) { try self.read(into: $0, at: $1) }
    }
}

private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: Int,
    _ read: (UnsafeMutableRawBufferPointer, Int) throws -> Int
) throws {
    var done = 0
    while done < buffer.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        let count = try read(rest, offset + done)
        guard count > 0 else {
            throw SpileError(
                .dataLoss, "stored object ends at byte \(offset + done), \(buffer.count - done) bytes too early",
                remedy: "run `spile check`; restore the data folder from a backup")
        }
        done += count
    }
}
