/// Where a slot is: a segment and the slot's number in it. Twelve bytes, valid for ever: compaction keeps both.
package struct Pointer: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var segment: UInt64
    package var slot: UInt32

    package init(segment: UInt64, slot: UInt32) {
        self.segment = segment
        self.slot = slot
    }

    package static let byteCount = 12

    package static func < (a: Pointer, b: Pointer) -> Bool { (a.segment, a.slot) < (b.segment, b.slot) }
    package var description: String { "\(segment):\(slot)" }
}

/// A tree by its top node: where it is and what it says. An empty tree has no node and ``Root/empty`` stands for it.
package struct Root: Hashable, Sendable, CustomStringConvertible {
    package var pointer: Pointer
    /// Digest of the top node, thus of all entries; ``Digest/zero`` for the empty tree.
    package var digest: Digest
    /// Height of the top node: 0 for a leaf.
    package var level: UInt8
    /// Number of entries (one per path and datum tag) and bytes of all files in the tree.
    package var files: UInt64
    package var bytes: UInt64

    package init(pointer: Pointer, digest: Digest, level: UInt8, files: UInt64, bytes: UInt64) {
        self.pointer = pointer
        self.digest = digest
        self.level = level
        self.files = files
        self.bytes = bytes
    }

    package static let empty = Root(
        pointer: Pointer(segment: 0, slot: 0), digest: .zero, level: 0, files: 0, bytes: 0)

    package var isEmpty: Bool { digest == .zero }
    package static func == (a: Root, b: Root) -> Bool { a.digest == b.digest }
    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }
    package var description: String { isEmpty ? "empty" : "\(pointer)/\(digest)" }
}
