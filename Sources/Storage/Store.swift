import Core
import Synchronization

/// The storage room: bytes in, versioned trees out. It knows nothing of commits. Safe to use from any thread; every
/// call is synchronous and may block on the disk, so call it from a thread of your own.
///
/// Errors are ``SpileError``: `resourceExhausted` (no space: make room, then retry), `unavailable` (retry may help),
/// `dataLoss` (stored bytes are missing or damaged: a retry does not help), `failedPrecondition` (a newer format, or
/// the store is closed).
package final class Store: Sendable {
    let slots: SlotStore
    let nodes: NodeStore
    /// The committer's writer, kept to be closed with the store; guarded by the mutex.
    private let commitWriter = Mutex<SlotWriter?>(nil)

    /// Opens what `objects` holds: lists the segments and gives an end to those a crash left open (their torn tails are
    /// dropped). Work is bounded by the number of segments and the size of the unsealed ones. One store per folder.
    package init(objects: any ObjectStore, options: StoreOptions = .init()) throws {
        slots = try SlotStore(objects: objects, options: options)
        nodes = NodeStore(slots: slots)
    }

    deinit { slots.forgetIdle() }

    // MARK: Writing

    /// The writer of small commits. To be called once per store; the writer belongs to one thread.
    package func makeCommitWriter() throws -> SlotWriter {
        let writer = SlotWriter(
            slots: slots, purpose: .small, capacity: slots.options.smallSegmentBytes, threaded: false)
        return try commitWriter.withLock { held in
            if held != nil { throw SpileError.bug("a store has one commit writer") }
            held = writer
            return writer
        }
    }

    /// Starts collecting the changes of one stream.
    package func beginChanges() -> ChangeWriter { ChangeWriter(slots: slots) }

    /// Applies changes to a tree; the result is readable at once and durable after `writer.sync()`. Only the writer's
    /// owner may call. If it throws, the tree `root` is untouched and what was written is garbage; if the writer itself
    /// failed, its next `sync` throws, too, and everything since its last one is gone.
    package func apply(_ changes: ChangeSet, to root: Root, through writer: SlotWriter) throws -> Root {
        if changes.isEmpty { return root }
        let content = ContentWriter(slots: slots, writer: writer)
        do {
            let resolver = try ChangeResolver(changes, root: root, nodes: nodes, content: content)
            var editor = TreeEditor(nodes: nodes, writer: writer, changes: resolver)
            let result = try editor.apply(to: root)
            // Of a collection under way this is a root, whatever becomes of the commit it is made for.
            changes.activity.made(result)
            return result
        } catch {
            content.discard()
            throw error
        }
    }

    /// Applies changes through a bulk writer of its own, from any thread; the result is durable on return (I1).
    package func applyLarge(_ changes: ChangeSet, to root: Root) throws -> Root {
        let writer = slots.leaseBulk()
        defer { slots.giveBack(writer) }
        do {
            let result = try apply(changes, to: root, through: writer)
            try writer.sync()
            return result
        } catch {
            writer.rollback()
            throw error
        }
    }

    // MARK: Reading

    /// The entry of a file, nil if the tree has none.
    package func entry(_ root: Root, path: String, datum: String) throws -> FileEntry? {
        if root.isEmpty { return nil }
        let key = TreeKey(path: path, datum: datum)
        return try key.bytes.withUnsafeBytes { key in
            var node = try nodes.node(root.pointer)
            while true {
                let index = node.items.lowerBound(key)
                guard index < node.count else { return nil }
                if node.level == 0 {
                    return node.items.withKey(index) { compareBytes($0, key) == 0 } ? try node.entry(index) : nil
                }
                node = try nodes.node(node.child(index).pointer)
            }
        }
    }

    /// Walks a tree in key order: `from` inclusive, `upTo` exclusive, nil for no bound.
    package func scan(_ root: Root, from: TreeKey?, upTo: TreeKey?) -> TreeCursor {
        TreeCursor(root, from: from, upTo: upTo, isBackward: false, nodes: nodes)
    }

    /// Walks a tree against key order: from the last key below `below` down to `downTo`, inclusive; nil for no bound.
    package func scanBackward(_ root: Root, below: TreeKey?, downTo: TreeKey?) -> TreeCursor {
        TreeCursor(root, from: downTo, upTo: below, isBackward: true, nodes: nodes)
    }

    /// Sums over the entries of a range, bounds as in ``scan(_:from:upTo:)``. Costs two paths through the tree.
    package func aggregate(_ root: Root, from: TreeKey?, upTo: TreeKey?) throws -> Aggregate {
        if root.isEmpty { return Aggregate() }
        return try aggregate(try nodes.node(root.pointer), from: from, upTo: upTo)
    }

    private func aggregate(_ node: TreeNode, from: TreeKey?, upTo: TreeKey?) throws -> Aggregate {
        let first = from.map { from in from.bytes.withUnsafeBytes { node.items.lowerBound($0) } } ?? 0
        let end = upTo.map { upTo in upTo.bytes.withUnsafeBytes { node.items.lowerBound($0) } } ?? node.count
        if node.level == 0 { return first < end ? try node.aggregate(first..<end) : Aggregate() }
        guard first < node.count, first <= end else { return Aggregate() }
        // Child `first` holds the lower bound, child `end` (if there is one) the upper; those between lie inside.
        if first == end {
            return try aggregate(try nodes.node(node.child(first).pointer), from: from, upTo: upTo)
        }
        var sum = from == nil
            ? node.child(first).aggregate
            : try aggregate(try nodes.node(node.child(first).pointer), from: from, upTo: nil)
        sum += try node.aggregate((first + 1)..<end)
        if end < node.count { sum += try aggregate(try nodes.node(node.child(end).pointer), from: nil, upTo: upTo) }
        return sum
    }

    /// The entries in which two trees differ, in key order, bounds as in ``scan(_:from:upTo:)``. Without `removals`
    /// what only the old tree has is passed over, whole subtrees at a time.
    package func diff(
        _ old: Root, _ new: Root, from: TreeKey?, upTo: TreeKey?, removals: Bool = true
    ) -> DiffCursor {
        DiffCursor(old, new, from: from, upTo: upTo, removals: removals, nodes: nodes)
    }

    /// At most `maxBytes` of a file's bytes from `offset`; fewer only at its end.
    package func read(_ entry: FileEntry, offset: UInt64, maxBytes: Int) throws -> [UInt8] {
        var reader = reader(entry, offset: offset, length: UInt64(max(0, maxBytes)))
        return try reader.next(maxBytes: maxBytes) ?? []
    }

    /// Reads `length` bytes (or to the end) of a file from `offset`, a buffer at a time.
    package func reader(_ entry: FileEntry, offset: UInt64 = 0, length: UInt64 = .max) -> ContentReader {
        ContentReader(entry, offset: offset, length: length, slots: slots)
    }

    // MARK: Tails

    /// Objects that are finished and of which the catalog still keeps bytes: whoever takes them deletes these, or gives
    /// them back.
    package func takeFinishedTails() -> [String] {
        slots.state.withLock { state in
            defer { state.finishedTails = [] }
            return state.finishedTails
        }
    }

    package func giveBack(finishedTails names: [String]) { slots.state.withLock { $0.finishedTails += names } }

    // MARK: State

    /// Figures since the store was opened.
    package func statistics() -> StoreStatistics {
        var statistics = StoreStatistics()
        slots.addStatistics(to: &statistics)
        let cache = nodes.counters
        statistics.nodeCacheBytes = cache.cost
        statistics.nodeCacheHits = cache.hits
        statistics.nodeCacheMisses = cache.misses
        return statistics
    }

    /// Seals the open segments, so that the next start has nothing to scan. No writer may be in use; the last call.
    package func close() throws {
        var failure: (any Error)?
        let held = commitWriter.withLock { $0 }
        do { try held?.close() } catch { failure = error }
        do { try slots.close() } catch { failure = error }
        if let failure { throw failure }
    }
}
