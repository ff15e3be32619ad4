import Core
import Pipelines
import Simulation
import Versioning

/// The files of repos by repo and path, as plain values: content by path.
struct DatumFiles: Sendable, CustomStringConvertible {
    var repos: [RepoKey: [String: String]] = [:]

    subscript(leaf: InputLeaf) -> [String: String] { repos[leaf.branch.repo] ?? [:] }

    /// All files and directories of a repo in path order.
    static func entries(_ files: [String: String]) -> [String] {
        var all = Set(files.keys)
        for path in files.keys {
            for index in path.indices where path[index] == "/" { all.insert(String(path[...index])) }
        }
        return all.sorted(by: FilePath.precedes)
    }

    static func digest(_ entry: String, _ files: [String: String]) -> Digest {
        guard entry.hasSuffix("/") else { return Blake2bHash.digest(Array((files[entry] ?? "").utf8)) }
        let below = files.filter { $0.key.hasPrefix(entry) }.sorted { $0.key < $1.key }
        return Blake2bHash.digest(Array(below.map { "\($0.key)=\($0.value)\n" }.joined().utf8))
    }

    var description: String {
        repos.sorted { $0.key < $1.key }.map { repo, files in
            "\(repo.name): " + files.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        }.joined(separator: "\n")
    }
}

/// A source over plain values.
struct PlainSource: DatumSource {
    var new: DatumFiles
    var old = DatumFiles()
    /// Hears of each walk of a glob, with the input's name, and of each match, with its path.
    var asked: @Sendable (String) -> Void = { _ in }

    private func matches(_ input: DatumInput, _ files: DatumFiles) -> [InputMatch] {
        let repo = files[input.leaf]
        return DatumFiles.entries(repo).filter { input.glob.matches($0) }.map {
            InputMatch(path: $0, digest: DatumFiles.digest($0, repo), size: UInt64(repo[$0]?.utf8.count ?? 0))
        }
    }

    func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws {
        asked(input.leaf.name)
        for match in matches(input, new) {
            asked(match.path)
            guard try await body(match) else { return }
        }
    }

    func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws {
        let before = Dictionary(uniqueKeysWithValues: matches(input, old).map { ($0.path, $0) })
        let now = Dictionary(uniqueKeysWithValues: matches(input, new).map { ($0.path, $0) })
        for path in Set(before.keys).union(now.keys).sorted(by: FilePath.precedes)
        where before[path]?.digest != now[path]?.digest {
            guard try await body(MatchChange(old: before[path], new: now[path])) else { return }
        }
    }
}

/// A datum as text: which files it has, and what of them counts.
struct PlainDatum: Hashable, Comparable, Sendable, CustomStringConvertible {
    struct File: Hashable, Sendable {
        var index: Int
        var leaf: InputLeaf
        var path: String
        var digest: Digest

        static func == (a: File, b: File) -> Bool { a.index == b.index && a.path == b.path && a.digest == b.digest }
        func hash(into hasher: inout Hasher) { hasher.combine(path) }
    }

    var name: String
    /// With the content of files for reference, and without.
    var whole: String
    var content: String

    init(_ files: [File]) {
        name = files.map { "\($0.leaf.name)=\($0.leaf.branch.repo.name)@\($0.leaf.branch.name):\($0.path)" }
            .joined(separator: " + ")
        whole = files.map { "\($0.digest)" }.joined()
        content = files.map { $0.leaf.isReference ? "-" : "\($0.digest)" }.joined()
    }

    init(_ datum: Datum) {
        self.init(
            datum.files.map {
                File(index: $0.input.index, leaf: $0.input.leaf, path: $0.path, digest: $0.digest)
            })
    }

    static func < (a: PlainDatum, b: PlainDatum) -> Bool { (a.name, a.whole) < (b.name, b.whole) }
    var description: String { name }
}

/// The table of `pps.md` §9.1, word by word, over lists.
enum DatumModel {
    typealias File = PlainDatum.File

    /// The datums of a tree, each name once.
    static func datums(_ tree: InputTree, _ files: DatumFiles) throws -> [PlainDatum] {
        var count = 0
        var names: Set<String> = []
        return try evaluate(tree, files, &count).map(PlainDatum.init).filter { names.insert($0.name).inserted }
    }

    private static func evaluate(_ tree: InputTree, _ files: DatumFiles, _ count: inout Int) throws -> [[File]] {
        switch tree {
        case .leaf(let leaf):
            defer { count += 1 }
            let glob = try Glob(leaf.glob)
            return DatumFiles.entries(files[leaf]).filter { glob.matches($0) }.map { path in
                [File(index: count, leaf: leaf, path: path, digest: DatumFiles.digest(path, files[leaf]))]
            }
        case .combined(let combination, let trees):
            var parts: [[[File]]] = []
            for tree in trees { parts.append(try evaluate(tree, files, &count)) }
            switch combination {
            case .union: return parts.flatMap { $0 }
            case .cross: return parts.isEmpty ? [] : product(parts)
            case .join:
                return try keyed(parts, \.joinOn).flatMap { members -> [[File]] in
                    if members.allSatisfy({ !$0.isEmpty }) { return product(members.map { $0.map { [$0] } }) }
                    let outer = members.map { $0.filter(\.leaf.isOuter) }.filter { !$0.isEmpty }
                    return outer.isEmpty ? [] : product(outer.map { $0.map { [$0] } })
                }
            case .group: return try keyed(parts, \.groupBy).map { $0.flatMap { $0 } }
            }
        }
    }

    private static func product(_ parts: [[[File]]]) -> [[File]] {
        parts.reduce([[]]) { all, part in all.flatMap { left in part.map { left + $0 } } }
    }

    /// For each key the files of each part.
    private static func keyed(_ parts: [[[File]]], _ template: KeyPath<InputLeaf, String>) throws -> [[[File]]] {
        var result: [String: [[File]]] = [:]
        for (index, part) in parts.enumerated() {
            var seen: Set<File> = []
            let files = part.flatMap { $0 }.filter { seen.insert($0).inserted }.sorted {
                ($0.index, Array($0.path.utf8).map(Int.init)) < ($1.index, Array($1.path.utf8).map(Int.init))
            }
            for file in files {
                let key = try key(file, file.leaf[keyPath: template])
                result[key, default: Array(repeating: [], count: parts.count)][index].append(file)
            }
        }
        return result.values.map { $0 }
    }

    /// The template with each group's text put in by search and replace.
    private static func key(_ file: File, _ template: String) throws -> String {
        let path = file.path.count > 1 && file.path.hasSuffix("/") ? String(file.path.dropLast()) : file.path
        let groups = try Glob(file.leaf.glob).captures(path) ?? []
        var key = template
        for number in (0...9).reversed() {
            let text = number < groups.count ? groups[number] ?? "" : ""
            key = key.split(separator: "$\(number)", omittingEmptySubsequences: false).joined(separator: text)
        }
        return key
    }
}

private func < (a: (Int, [Int]), b: (Int, [Int])) -> Bool {
    a.0 == b.0 ? a.1.lexicographicallyPrecedes(b.1) : a.0 < b.0
}
