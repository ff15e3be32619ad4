import Core

extension CatalogReader {
    /// Everything that keeps slots alive: what no tree of these reaches is garbage. The one list of what is a root.
    ///
    /// Whoever takes a root out of the catalog and goes on using it does so in an ``Activity`` begun before, or inside
    /// the committer's transaction: see docs/INVARIANTS.md, Garbage.
    package func forEachLiveRoot(_ body: (Root) throws -> Void) throws {
        try forEachRoot { _, root in try body(root) }
        var cursor: FileSetID?
        while true {
            let page = try fileSets(beyond: cursor, limit: 200)
            guard let last = page.last else { return }
            for set in page {
                try body(set.content)
                try body(set.deletions)
            }
            cursor = last.id
        }
    }
}
