import Core

extension Store {
    /// Lays what distinguishes `root` from `base` over `target`: files that were added or changed have their content in
    /// `root`, files that were removed go. Only the writer's owner may call; durable after `writer.sync()`.
    ///
    /// Costs what differs. Differences that do not fit in memory are spilled like those of a long stream.
    package func rebase(_ root: Root, from base: Root, onto target: Root, through writer: SlotWriter) throws -> Root {
        if root.digest == base.digest { return target }
        if base.digest == target.digest { return root }
        let changes = beginChanges()
        var cursor = diff(base, root, from: nil, upTo: nil)
        while let change = try cursor.next() {
            if let entry = change.new {
                try changes.put(entry, path: change.key.path, datum: change.key.datum, append: false)
            } else {
                try changes.delete(path: change.key.path, datum: change.key.datum)
            }
        }
        return try apply(try changes.finish(), to: target, through: writer)
    }
}
