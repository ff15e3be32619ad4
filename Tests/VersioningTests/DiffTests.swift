import Core
import Simulation
import Testing
import Versioning

/// DiffFile against comparing two dictionaries.
@Suite struct DiffTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    /// One side of a reported difference: a path and how many bytes it has.
    private struct Side: Equatable {
        let path: String
        let size: Int
    }

    private struct Difference: Equatable {
        var new: Side?
        var old: Side?
        var path: String { new?.path ?? old?.path ?? "" }
    }

    private static func compare(
        _ new: ReadingModel, _ path: String, _ old: ReadingModel, _ oldPath: String, shallow: Bool
    ) -> [Difference] {
        let newFiles = Set(new.tree(path)).intersection(new.files.keys)
        let oldFiles = Set(old.tree(oldPath)).intersection(old.files.keys)
        let differing = newFiles.union(oldFiles).filter { file in
            !newFiles.contains(file) || !oldFiles.contains(file) || new.files[file] != old.files[file]
        }
        var directories: Set<String> = []
        for file in differing {
            for index in file.indices where file[index] == "/" { directories.insert(String(file[...index])) }
        }
        let newEntries = Set(new.tree(path))
        let oldEntries = Set(old.tree(oldPath))
        var result = directories.union(differing).sorted(by: FilePath.precedes).map { entry in
            Difference(
                new: newEntries.contains(entry) ? Side(path: entry, size: new.size(entry)) : nil,
                old: oldEntries.contains(entry) ? Side(path: entry, size: old.size(entry)) : nil)
        }
        result.removeAll { $0.new == nil && $0.old == nil }
        guard shallow else { return result }
        let oneSided = result.filter { $0.path.hasSuffix("/") && ($0.new == nil) != ($0.old == nil) }.map(\.path)
        result.removeAll { difference in
            oneSided.contains { difference.path.hasPrefix($0) && difference.path != $0 }
        }
        return result
    }

    private static func difference(
        _ new: CommitFiles, _ path: String, _ old: CommitFiles, _ oldPath: String, shallow: Bool
    ) async throws -> [Difference] {
        var found: [Difference] = []
        try await new.difference(path, from: old, oldPath, shallow: shallow) { difference in
            found.append(
                Difference(
                    new: difference.new.map { Side(path: $0.path, size: Int($0.size)) },
                    old: difference.old.map { Side(path: $0.path, size: Int($0.size)) }))
            return true
        }
        return found
    }

    /// A tree that shares much with `model`: some files gone, some changed, some new.
    private static func variation(of model: ReadingModel, _ random: SeededRandomness) -> ReadingModel {
        var files = model.files
        for path in files.keys.sorted() {
            switch random.below(8) {
            case 0: files[path] = nil
            case 1: files[path] = random.bytes(random.below(40))
            default: continue
            }
        }
        for path in ReadingModel.random(10, depth: 3, random).files.keys.sorted() {
            let isTaken = ReadingModel(files).entries.contains { entry in
                entry.hasPrefix(path + "/") || path.hasPrefix(entry + "/")
            }
            if !isTaken { files[path] = random.bytes(5) }
        }
        return ReadingModel(files)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `differences are those of the plain trees for every pair of commits and paths`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        var models = [ReadingModel.random(seed == 8 ? 800 : 40, depth: 4, random), ReadingModel([:])]
        for _ in 0..<3 { models.append(Self.variation(of: models[0], random)) }
        var commits: [CommitFiles] = []
        for (index, model) in models.enumerated() {
            let repo = try await history.makeRepo("r\(index)")
            commits.append(try await history.write(model, to: repo.branch("master"), random))
        }
        for _ in 0..<60 {
            let (a, b) = (random.below(models.count), random.below(models.count))
            let entries = (models[a].entries + models[b].entries + ["/", "/", "/none"]).map(FilePath.clean)
            let path = random.pick(entries)
            let oldPath = random.below(3) == 0 ? random.pick(entries) : path
            let shallow = random.below(2) == 0
            #expect(
                try await Self.difference(commits[a], path, commits[b], oldPath, shallow: shallow)
                    == Self.compare(models[a], path, models[b], oldPath, shallow: shallow),
                "seed \(seed): \(a) \(path) against \(b) \(oldPath), shallow \(shallow)")
        }
    }

    @Test func `a change shows the directories on the way to it`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) {
            try $0.put("/d/e/f", "1")
            try $0.put("/d/g", "1")
        }
        let key = try await history.modify(branch) { try $0.put("/d/e/f", "22") }
        let new = try history.files(CommitHandle(key))
        let found = try await Self.difference(
            new, "/", try history.parentFiles(of: new.commit), "/", shallow: false)
        #expect(found.map(\.path) == ["/", "/d/", "/d/e/", "/d/e/f"])
        #expect(found.allSatisfy { $0.new != nil && $0.old != nil })
        #expect(found.map { $0.new?.size } == [3, 3, 2, 2])
    }

    @Test func `a first commit differs from nothing by all it has`() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/d/f", "1") }
        let new = try history.files(CommitHandle(key))
        let old = try history.parentFiles(of: new.commit)
        let found = try await Self.difference(new, "/", old, "/", shallow: false)
        #expect(found.map(\.path) == ["/", "/d/", "/d/f"])
        #expect(found.allSatisfy { $0.old == nil })
        #expect(try await Self.difference(new, "/", old, "/", shallow: true).map(\.path) == ["/"])
        #expect(try await Self.difference(new, "/none", old, "/none", shallow: false) == [])
    }

    @Test func `the same bytes written anew are no difference`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) { try $0.put("/d/f", "1") }
        let key = try await history.modify(branch) { try $0.put("/d/f", "1") }
        let new = try history.files(CommitHandle(key))
        #expect(
            try await Self.difference(new, "/", try history.parentFiles(of: new.commit), "/", shallow: false) == [])
    }
}
