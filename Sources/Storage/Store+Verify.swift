import Core

/// Slots that a run of ``Store/verify(_:data:seen:report:)`` has looked at, so that what trees share is read once.
package struct VerifiedNodes: Sendable {
    var nodes: Set<Pointer> = []
    var slots: Set<Pointer> = []

    package init() {}

    /// Slots looked at.
    package var count: Int { nodes.count + slots.count }
}

/// One thing that is wrong in the store.
package struct Finding: Sendable, CustomStringConvertible {
    /// The slot it is about.
    package let pointer: Pointer
    /// The file it is about, if it is about one.
    package let key: TreeKey?
    package let message: String

    package var description: String { "\(key.map { "\($0): " } ?? "")slot \(pointer): \(message)" }
}

extension Store {
    /// Walks the nodes of a tree, each once, and reports whatever does not hold: a slot's hash, key order, sums,
    /// digests; with `data` also every byte of every file. Goes on after a finding. Memory: 12 bytes per slot in
    /// `seen`. Throws only where the store does not answer.
    package func verify(
        _ root: Root, data: Bool, seen: inout VerifiedNodes, report: (Finding) -> Void
    ) throws {
        if root.isEmpty { return }
        var check = TreeCheck(store: self, data: data, seen: seen)
        defer { seen = check.seen }
        var record = ChildRecord(pointer: root.pointer, digest: root.digest, aggregate: Aggregate())
        record.aggregate.entries = root.files
        record.aggregate.bytes = root.bytes
        try check.visit(record, level: root.level, lastKey: nil, isRoot: true, report: report)
    }
}

/// One walk of ``Store/verify(_:data:seen:report:)``.
private struct TreeCheck {
    let store: Store
    let data: Bool
    var seen: VerifiedNodes

    mutating func visit(
        _ record: ChildRecord, level: UInt8, lastKey: TreeKey?, isRoot: Bool = false, report: (Finding) -> Void
    ) throws {
        guard seen.nodes.insert(record.pointer).inserted else { return }
        func found(_ message: String) { report(Finding(pointer: record.pointer, key: nil, message: message)) }
        let node: TreeNode
        do { node = try store.nodes.load(record.pointer) } catch let error as SpileError where error.code == .dataLoss {
            return found(error.message)
        }
        if node.level != level { return found("a node of level \(node.level) stands at level \(level)") }
        if node.count == 0 { return found("an empty node") }
        for index in 1..<max(1, node.count) where !(node.key(index - 1) < node.key(index)) {
            found("keys \(index - 1) and \(index) are out of order")
        }
        if let lastKey, node.key(node.count - 1) != lastKey { found("its last key is not the one its parent names") }
        if try node.digest() != record.digest { found("its digest is not its parent's") }
        var sum = try node.aggregate(0..<node.count)
        if isRoot {
            sum.fingerprint = record.aggregate.fingerprint
            sum.tag = record.aggregate.tag
        }
        if sum != record.aggregate { found("its sums are not its parent's") }
        for index in 0..<node.count {
            if level > 0 {
                try visit(node.child(index), level: level - 1, lastKey: node.key(index), report: report)
            } else if data {
                try checkFile(node.key(index), try node.entry(index), in: record.pointer, report: report)
            }
        }
    }

    private mutating func checkFile(
        _ key: TreeKey, _ entry: FileEntry, in leaf: Pointer, report: (Finding) -> Void
    ) throws {
        var place = leaf
        do {
            var cursor = try PartsCursor(entry.parts, from: 0, slots: store.slots)
            while let part = try cursor.nextPart() {
                place = part.pointer
                let record = try store.slots.record(part.pointer)
                if record.hash != part.hash || record.length != part.length {
                    report(Finding(pointer: place, key: key, message: "it is not the chunk the file names"))
                }
                if seen.slots.insert(part.pointer).inserted { _ = try store.slots.readVerified(part.pointer) }
            }
            place = entry.tail.first?.pointer ?? leaf
            let start = entry.size - UInt64(entry.tailLength)
            let tail = try store.read(entry, offset: start, maxBytes: entry.tailLength)
            let hash = tail.isEmpty ? Digest.zero : tail.withUnsafeBytes { BlockHash.hash($0) }
            if FileEntry.digest(size: entry.size, parts: entry.parts.digest, tail: hash) != entry.digest {
                report(Finding(pointer: place, key: key, message: "the file's bytes do not match its digest"))
            }
        } catch let error as SpileError where error.code == .dataLoss {
            report(Finding(pointer: place, key: key, message: error.message))
        }
    }
}
