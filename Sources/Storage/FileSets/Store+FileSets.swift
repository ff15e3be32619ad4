import Core

/// Making file sets and laying them over trees.
///
/// What takes a writer follows the rules of ``Store/apply(_:to:through:)``: its owner alone calls, the result is
/// readable at once and durable after `writer.sync()`. ``bulk(_:)`` lends a writer to any other thread.
///
/// `activity` is that of the caller, begun before it looked for what it gives: it hears of every tree made for it
/// (docs/INVARIANTS.md, Garbage).
extension Store {
    /// Stores what a stream does.
    package func fileSet(of changes: ChangeSet, through writer: SlotWriter) throws -> FileSet {
        if changes.isEmpty { return .empty }
        let content = try apply(changes, to: .empty, through: writer)
        var removals = TreeEditor(
            nodes: nodes, writer: writer, changes: Removals(merge: try ChangeMerge(changes, nodes: nodes)))
        let deletions = try removals.apply(to: .empty)
        changes.activity.made(deletions)
        return FileSet(content: content, deletions: deletions)
    }

    /// What a file set does, as a change: read from its trees as it is applied, so it may be of any size. Good for as
    /// long as the trees are.
    package func changes(of set: FileSet, for activity: Activity) -> ChangeSet {
        let options = slots.options
        let isSmall = set.count <= UInt64(options.smallStreamChanges)
            && set.content.bytes <= UInt64(options.smallStreamBytes)
        return ChangeSet(
            runs: [.stored(set)], isLarge: !isSmall, count: Int(clamping: set.count), contentBytes: set.content.bytes,
            activity: activity)
    }

    /// Two file sets as one: laid over any tree it does what `lower` and then `upper` would do.
    package func compose(
        _ lower: FileSet, _ upper: FileSet, through writer: SlotWriter, for activity: Activity
    ) throws -> FileSet {
        if lower == .empty { return upper }
        let content = try apply(changes(of: upper, for: activity), to: lower.content, through: writer)
        // A deletion of the upper one takes away files, never deletions: below it there may be more to delete.
        let marks = scan(upper.deletions, from: nil, upTo: nil)
        var union = TreeEditor(nodes: nodes, writer: writer, changes: Additions(keys: marks))
        let deletions = try union.apply(to: lower.deletions)
        activity.made(deletions)
        return FileSet(content: content, deletions: deletions)
    }

    /// What leads from one tree to another, by reference: a file that differs goes and comes whole.
    package func fileSet(
        from old: Root, to new: Root, through writer: SlotWriter, for activity: Activity
    ) throws -> FileSet {
        func tree(_ part: DiffPart) throws -> Root {
            let changes = Differences(cursor: diff(old, new, from: nil, upTo: nil), part: part)
            var editor = TreeEditor(nodes: nodes, writer: writer, changes: changes)
            let root = try editor.apply(to: .empty)
            activity.made(root)
            return root
        }
        return FileSet(content: try tree(.new), deletions: try tree(.old))
    }

    /// Runs `body` with a bulk writer, from any thread; what it wrote is durable on return (I1), garbage if it throws.
    package func bulk<Result>(_ body: (SlotWriter) throws -> Result) throws -> Result {
        let writer = slots.leaseBulk()
        defer { slots.giveBack(writer) }
        do {
            let result = try body(writer)
            try writer.sync()
            return result
        } catch {
            writer.rollback()
            throw error
        }
    }
}

/// The value of every key of a tree of deletions.
private let nothing = FileEntry.empty.encoded

/// The removals among a stream's changes, as puts into a tree of deletions.
private struct Removals: ResolvedChanges {
    var merge: ChangeMerge
    private var next: ResolvedChange?

    init(merge: ChangeMerge) { self.merge = merge }

    mutating func peek() throws -> ResolvedChange? {
        while next == nil, let change = try merge.next() {
            if change.dropsInherited { next = .put(change.key, value: nothing) }
        }
        return next
    }

    mutating func advance() { next = nil }
}

/// The keys of a tree of deletions, as puts into another.
private struct Additions: ResolvedChanges {
    var keys: TreeCursor
    private var next: ResolvedChange?

    init(keys: TreeCursor) { self.keys = keys }

    mutating func peek() throws -> ResolvedChange? {
        if next == nil { next = try keys.nextKey().map { .put($0, value: nothing) } }
        return next
    }

    mutating func advance() { next = nil }
}

private enum DiffPart { case old, new }

/// One side of a difference, as puts: what the new tree has, or which keys of the old one go.
private struct Differences: ResolvedChanges {
    var cursor: DiffCursor
    let part: DiffPart
    private var next: ResolvedChange?

    init(cursor: DiffCursor, part: DiffPart) {
        self.cursor = cursor
        self.part = part
    }

    mutating func peek() throws -> ResolvedChange? {
        while next == nil, let change = try cursor.next() {
            switch part {
            case .new: next = change.new.map { .put(change.key, value: $0.encoded) }
            case .old: next = change.old.map { _ in .put(change.key, value: nothing) }
            }
        }
        return next
    }

    mutating func advance() { next = nil }
}
