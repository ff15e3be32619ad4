import Core
import Storage

/// What a commit must not hold (`pfs.md` §1.7): a path that is both a file and a directory, or a path that two datums
/// wrote. The cost follows what differs from the base, which is known to be good.
package struct ContentCheck: Sendable {
    package let base: Root
    package let root: Root
    /// Empty if all is well, else what is wrong.
    package let error: String

    package init(store: Store, base: Root, root: Root) throws {
        self.base = base
        self.root = root
        let isUnchanged = root.isEmpty || root.digest == base.digest
        error = isUnchanged ? "" : try Self.firstCollision(store, base: base, root: root)
    }

    /// Whether it is the check of these trees.
    func isOf(_ base: Root, _ root: Root) -> Bool {
        self.base.digest == base.digest && self.root.digest == root.digest
    }

    private static func firstCollision(_ store: Store, base: Root, root: Root) throws -> String {
        var changes = store.diff(base, root, from: nil, upTo: nil, removals: false)
        var known = KnownDirectories()
        var last: TreeKey?
        while let change = try changes.next() {
            guard change.new != nil, change.old == nil else { continue }
            let path = change.key.path
            if let last, last.path.utf8.elementsEqual(path.utf8) {
                return duplicate(path, last.datum, change.key.datum)
            }
            last = change.key
            for directory in known.enter(path) where try holdsFile(store, root, directory) {
                return "file / directory path collision (\(directory))"
            }
            if base.isEmpty { continue }
            // What is new may collide with what is not.
            let datums = try firstDatums(store, root, path)
            if datums.count > 1 { return duplicate(path, datums[0], datums[1]) }
            if try holdsDirectory(store, root, path) { return "file / directory path collision (\(path))" }
        }
        return ""
    }

    private static func duplicate(_ path: String, _ one: String, _ other: String) -> String {
        "duplicate path output by different datums (\(path) from \(one) and \(path) from \(other))"
    }

    /// Up to two of the datums that wrote a path.
    private static func firstDatums(_ store: Store, _ root: Root, _ path: String) throws -> [String] {
        var cursor = store.scan(root, from: .first(of: path), upTo: .after(path))
        var datums: [String] = []
        while datums.count < 2, let (key, _) = try cursor.next() { datums.append(key.datum) }
        return datums
    }

    private static func holdsFile(_ store: Store, _ root: Root, _ path: String) throws -> Bool {
        if try store.entry(root, path: path, datum: FilePath.defaultDatum) != nil { return true }
        var cursor = store.scan(root, from: .first(of: path), upTo: .after(path))
        return try cursor.next() != nil
    }

    private static func holdsDirectory(_ store: Store, _ root: Root, _ path: String) throws -> Bool {
        var cursor = store.scan(root, from: .first(under: path + "/"), upTo: .after(under: path + "/"))
        return try cursor.next() != nil
    }
}

/// Tells which directories of a path were not seen with the path before it; paths come sorted.
private struct KnownDirectories {
    private var stack: [String] = []

    /// The directories above `path` (without trailing `/`, the root left out) that are new.
    mutating func enter(_ path: String) -> [String] {
        var fresh: [String] = []
        var depth = 0
        for index in path.utf8.indices.dropFirst() where path.utf8[index] == UInt8(ascii: "/") {
            let directory = String(path[..<index])
            if depth < stack.count && stack[depth].utf8.elementsEqual(directory.utf8) {
                depth += 1
                continue
            }
            stack.removeSubrange(min(depth, stack.count)...)
            stack.append(directory)
            fresh.append(directory)
            depth += 1
        }
        stack.removeSubrange(min(depth, stack.count)...)
        return fresh
    }
}
