import Core
import Storage

extension CommitFiles {
    /// The tags of what lies at a file's path, or below a directory's: of the datums that wrote it, each once, in the
    /// order in which they come up; at most `limit`. Cost: all entries there, until there are so many.
    package func datums(at path: String, limit: Int) throws -> [String] {
        let path = FilePath.clean(path)
        let below = path == "/" ? "/" : path + "/"
        var found: [String] = []
        var seen: Set<String> = []
        for (first, end) in [
            (TreeKey.first(of: path), TreeKey.after(path)), (.first(under: below), .after(under: below)),
        ] {
            var cursor = store.scan(root, from: first, upTo: end)
            while found.count < limit, let (key, _) = try cursor.next() {
                if accepts(key), seen.insert(key.datum).inserted { found.append(key.datum) }
            }
        }
        return found
    }
}
