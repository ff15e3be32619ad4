import Core
import Simulation
import Testing
import Versioning

/// The difference of what a glob matches in two commits, against matching every path of both.
@Suite struct GlobDiffTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private static func difference(
        _ new: CommitFiles, _ old: CommitFiles, _ pattern: String
    ) async throws -> [String] {
        var found: [String] = []
        try await new.difference(try Glob(pattern), from: old) { difference in
            let sign = difference.old == nil ? "+" : difference.new == nil ? "-" : "~"
            #expect(difference.new == nil || difference.old == nil || difference.new?.path == difference.old?.path)
            found.append(sign + (difference.new?.path ?? difference.old?.path ?? ""))
            return true
        }
        return found
    }

    /// Some files gone, some changed, some new, of which some take a directory's place.
    private static func variation(of model: ReadingModel, _ random: SeededRandomness) -> ReadingModel {
        var files = model.files
        for path in files.keys.sorted() {
            switch random.below(10) {
            case 0: files[path] = nil
            case 1: files[path] = random.bytes(random.below(40))
            default: continue
            }
        }
        let directories = ReadingModel(files).directories.dropFirst().map { String($0.dropLast()) }
        let fresh = ReadingModel.random(4, depth: 3, random).files.keys.sorted()
        for path in fresh + (directories.isEmpty ? [] : [random.pick(directories)]) {
            files = files.filter { !$0.key.hasPrefix(path + "/") && !path.hasPrefix($0.key + "/") }
            files[path] = random.bytes(5)
        }
        return ReadingModel(files)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `differences of a glob are those of its matches on both sides`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed &* 31)
        let models = [ReadingModel.random(seed == 6 ? 800 : 40, depth: 4, random), ReadingModel([:])]
        let all = models + (0..<2).map { _ in Self.variation(of: models[0], random) }
        var commits: [CommitFiles] = []
        for (index, model) in all.enumerated() {
            let repo = try await history.makeRepo("r\(index)")
            commits.append(try await history.write(model, to: repo.branch("master"), random))
        }
        for pattern in ReadingGlobTests.patterns {
            let glob = try Glob(pattern)
            for (new, old) in [(0, 1), (1, 0), (2, 0), (3, 2), (0, 0)] {
                var expected: [String] = []
                for path in Set(all[new].entries + all[old].entries).sorted(by: FilePath.precedes)
                where glob.matches(path) {
                    let isNew = all[new].entries.contains(path)
                    let isOld = all[old].entries.contains(path)
                    if isNew, isOld {
                        let base = path.hasSuffix("/") ? String(path.dropLast()) : path
                        let below = { (model: ReadingModel) in
                            model.files.filter { $0.key == path || $0.key.hasPrefix(base + "/") }
                        }
                        if below(all[new]) != below(all[old]) { expected.append("~" + path) }
                    } else {
                        expected.append((isNew ? "+" : "-") + path)
                    }
                }
                #expect(
                    try await Self.difference(commits[new], commits[old], pattern) == expected,
                    "seed \(seed), \(pattern), \(new) from \(old)")
            }
        }
    }

    @Test func `a file under another datum tag with the same bytes is no difference`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        func write(_ datum: String, _ text: String, instead: String) async throws -> CommitFiles {
            let key = try await history.modify(branch) { upload in
                try upload.delete(path: "/d/f", datum: instead)
                try Array(text.utf8).withUnsafeBytes { try upload.add(path: "/d/f", datum: datum, bytes: $0) }
            }
            return try history.files(CommitHandle(key))
        }
        let first = try await write("one", "1", instead: "none")
        let second = try await write("two", "1", instead: "one")
        let third = try await write("one", "2", instead: "two")
        #expect(try await Self.difference(second, first, "/d/*") == [])
        #expect(try await Self.difference(third, second, "/d/*") == ["~/d/f"])
        #expect(try await Self.difference(third, second, "/**") == ["~/d/", "~/d/f"])
        #expect(try await Self.difference(third, second, "/d/f") == ["~/d/f"])
        func only(_ files: CommitFiles) -> CommitFiles {
            CommitFiles(store: files.store, commit: files.commit, datum: "two")
        }
        #expect(try await Self.difference(only(third), only(second), "/**") == ["-/d/", "-/d/f"])
        #expect(try await Self.difference(only(third), only(first), "/**") == [])
    }

    @Test func `it ends when told to`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        let old = try await history.modify(branch) { try $0.put("/a", "1") }
        let new = try await history.modify(branch) {
            for name in ["a", "b", "c/d"] { try $0.put("/" + name, "2") }
        }
        var found: [String?] = []
        let commits = try (history.files(CommitHandle(new)), history.files(CommitHandle(old)))
        try await commits.0.difference(try Glob("/*"), from: commits.1) { difference in
            found.append(difference.new?.path)
            return found.count < 2
        }
        #expect(found == ["/a", "/b"])
    }
}
