/// A folder that a snapshot of a store is being written to. One owner, who calls ``finish()`` last; a folder that was
/// not finished cannot be restored and says so.
package protocol SnapshotFolder: AnyObject {
    /// Where the catalog's copy belongs.
    var catalogPath: String { get }

    /// Takes in a finished object of the store as it stands: shared where the medium can, else copied, durable after
    /// ``finish()``. Nil if the store has no such object any more. What is shared must never be written to again.
    func take(_ name: String) throws -> SnapshotPart?

    /// Makes an object of its own out of what `next` gives, until that gives nil; the number of bytes.
    func write(_ name: String, _ next: () throws -> [UInt8]?) throws -> Int

    /// Makes all of it durable and then, in one step, a whole snapshot.
    func finish() throws
}

/// An object that a snapshot took in.
package struct SnapshotPart: Sendable {
    package let bytes: Int
    /// Whether it shares the store's bytes.
    package let isShared: Bool

    package init(bytes: Int, isShared: Bool) {
        self.bytes = bytes
        self.isShared = isShared
    }
}
