import Core
import Simulation
import Versioning

/// A tree as plain values: what listing, walking, globbing and comparing have to agree with.
struct ReadingModel {
    /// Content by path.
    private(set) var files: [String: [UInt8]]
    /// All files and directories in listing order, the root first.
    let entries: [String]

    init(_ files: [String: [UInt8]]) {
        self.files = files
        var all = Set(files.keys)
        for path in files.keys {
            for index in path.indices where path[index] == "/" { all.insert(String(path[...index])) }
        }
        entries = all.sorted(by: FilePath.precedes)
    }

    var directories: [String] { entries.filter { $0.hasSuffix("/") } }

    /// Names that sort around the separator, and some that are long or not ASCII.
    private static let names = [
        "a", "b", "b-x", "b.txt", "b0", "c d", "é", "zz", "b b", "0", String(repeating: "n", count: 60),
    ]

    /// Random paths, none of which is both a file and a directory.
    static func random(_ count: Int, depth: Int, _ random: SeededRandomness) -> ReadingModel {
        var files: [String: [UInt8]] = [:]
        var directories: Set<String> = []
        for _ in 0..<count {
            let elements = (0..<(1 + random.below(depth))).map { _ in
                random.below(3) == 0 ? "f\(random.below(count))" : random.pick(names)
            }
            let parents = elements.indices.dropFirst().map { "/" + elements[..<$0].joined(separator: "/") }
            let path = "/" + elements.joined(separator: "/")
            guard !directories.contains(path), !parents.contains(where: { files[$0] != nil }) else { continue }
            directories.formUnion(parents)
            files[path] = random.bytes(random.below(40))
        }
        return ReadingModel(files)
    }

    /// The entry at a literal path and all below it.
    func tree(_ path: String) -> [String] {
        let base = path == "/" ? "/" : path + "/"
        return entries.filter { $0 == path || $0.hasPrefix(base) }
    }

    /// The immediate children of a directory, or the file itself.
    func children(_ path: String) -> [String] {
        if path != "/", files[path] != nil { return [path] }
        let base = path == "/" ? "/" : path + "/"
        return entries.filter { entry in
            guard entry.hasPrefix(base), entry != base else { return false }
            return !entry.dropFirst(base.count).dropLast().contains("/")
        }
    }

    func size(_ entry: String) -> Int {
        guard entry.hasSuffix("/") else { return files[entry]?.count ?? 0 }
        return files.filter { $0.key.hasPrefix(entry) }.reduce(0) { $0 + $1.value.count }
    }

    /// What of `all` comes on a page.
    static func page(_ all: [String], _ page: Page) -> [String] {
        var rest = page.isReverse ? all.reversed() : all
        if !page.marker.isEmpty {
            rest = rest.filter {
                page.isReverse ? FilePath.precedes($0, page.marker) : FilePath.precedes(page.marker, $0)
            }
        }
        return page.limit == 0 ? rest : Array(rest.prefix(page.limit))
    }
}

extension History {
    /// Writes a whole tree as one commit, files in an order of chance, over whatever the branch holds.
    func write(_ model: ReadingModel, to branch: BranchKey, _ random: SeededRandomness) async throws -> CommitFiles {
        var paths = model.files.keys.sorted()
        for index in paths.indices.dropFirst().reversed() { paths.swapAt(index, random.below(index + 1)) }
        let key = try await modify(CommitHandle(branch)) { upload in
            try upload.delete(path: "/", datum: "")
            for path in paths {
                try model.files[path]!.withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
            }
        }
        return try files(CommitHandle(key))
    }
}

extension CommitFiles {
    func listed(_ path: String, _ page: Page = .all) async throws -> [FileView] {
        var found: [FileView] = []
        try await list(path, page: page) {
            found.append($0)
            return true
        }
        return found
    }

    func walked(_ path: String, _ page: Page = .all) async throws -> [FileView] {
        var found: [FileView] = []
        try await walk(path, page: page) {
            found.append($0)
            return true
        }
        return found
    }

    func globbed(_ pattern: String, _ range: PathRange = PathRange()) async throws -> [FileView] {
        var found: [FileView] = []
        try await glob(try Glob(pattern), range: range) {
            found.append($0)
            return true
        }
        return found
    }
}
