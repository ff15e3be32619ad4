import Core

extension Store {
    /// The paths at which a tree is to be cut so that each piece ends as soon as it has `files` files or `bytes` bytes:
    /// a cut path begins the next piece. All files of one path stay together. Subtrees that fit are not looked into.
    ///
    /// Throws `invalidArgument` where there would be more than `limit` cuts.
    package func cuts(_ root: Root, files: UInt64, bytes: UInt64, limit: Int) throws -> [String] {
        if root.isEmpty { return [] }
        var cutter = TreeCutter(nodes: nodes, files: max(1, files), bytes: max(1, bytes), limit: limit)
        try cutter.visit(root.pointer)
        return cutter.paths
    }

    /// A file's bytes as consecutive runs, at most `limit` of them: where the file is cut by content if they suffice,
    /// several such chunks in one run if not. The same bytes give the same runs.
    package func runs(of entry: FileEntry, limit: Int) throws -> [Range<UInt64>] {
        var cursor = try PartsCursor(entry.parts, from: 0, slots: slots)
        let count =
            switch entry.parts {
            case .inline(let parts): parts.count
            case .tree(let root): Int(clamping: root.count)
            }
        let group = max(1, (count + limit - 2) / max(1, limit - 1))
        var runs: [Range<UInt64>] = []
        var (start, end, taken) = (0 as UInt64, 0 as UInt64, 0)
        while let part = try cursor.nextPart() {
            end += UInt64(part.length)
            taken += 1
            guard taken == group else { continue }
            runs.append(start..<end)
            (start, taken) = (end, 0)
        }
        if start < entry.size { runs.append(start..<entry.size) }
        return runs
    }
}

/// One walk of ``Store/cuts(_:files:bytes:limit:)``.
private struct TreeCutter {
    let nodes: NodeStore
    let files: UInt64
    let bytes: UInt64
    let limit: Int
    private(set) var paths: [String] = []
    /// Of the piece under way.
    private var heldFiles: UInt64 = 0
    private var heldBytes: UInt64 = 0
    /// The key before.
    private var previous: TreeKey?

    init(nodes: NodeStore, files: UInt64, bytes: UInt64, limit: Int) {
        self.nodes = nodes
        self.files = files
        self.bytes = bytes
        self.limit = limit
    }

    mutating func visit(_ pointer: Pointer) throws {
        let node = try nodes.node(pointer)
        for index in 0..<node.count {
            let key = node.key(index)
            if node.level == 0 {
                try take(key, size: try node.items.withValue(index) { try FileEntry.head($0).size })
            } else {
                let child = node.child(index)
                let fits = heldFiles + child.aggregate.entries <= files && heldBytes + child.aggregate.bytes < bytes
                if fits {
                    heldFiles += child.aggregate.entries
                    heldBytes += child.aggregate.bytes
                } else {
                    try visit(child.pointer)
                }
            }
            previous = key
        }
    }

    private mutating func take(_ key: TreeKey, size: UInt64) throws {
        let isFull = heldFiles >= files || heldBytes >= bytes
        if isFull, previous.map({ $0.bytes[..<$0.split] != key.bytes[..<key.split] }) ?? false {
            guard paths.count < limit else {
                throw SpileError.invalid(
                    "this would make more than \(limit + 1) shards", remedy: "allow more files or bytes in each")
            }
            paths.append(key.path)
            (heldFiles, heldBytes) = (0, 0)
        }
        heldFiles += 1
        heldBytes += size
    }
}
