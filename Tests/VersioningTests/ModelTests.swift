import Core
import Simulation
import Testing
import Versioning

/// Random programs of writes against a plain dictionary, by seed.
@Suite struct ModelTests {
    private struct Model {
        var files: [String: [UInt8]] = [:]

        mutating func deleteTree(_ prefix: String) { files = files.filter { !$0.key.hasPrefix(prefix) } }

        mutating func copy(_ source: [String: [UInt8]], from: String, to: String, append: Bool) {
            for (path, bytes) in source where path == from || path.hasPrefix(from == "/" ? "/" : from + "/") {
                let target = path == from ? to : to + path.dropFirst(from == "/" ? 0 : from.count)
                files[target] = (append ? files[target] ?? [] : []) + bytes
            }
        }

        /// All entries in listing order, with directories.
        var entries: [String] {
            var all = Set(files.keys)
            for path in files.keys {
                for index in path.indices where path[index] == "/" { all.insert(String(path[...index])) }
            }
            return all.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
    }

    private static let paths = [
        "/a", "/b-x", "/b.txt", "/b0", "/c/d", "/c/e/f", "/c/e/g", "/c.x", "/h/i/j/k", "/h/i.j", "/h/l", "/m n/o",
    ]

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func aRandomProgramLeavesWhatThePlainOneLeaves(seed: UInt64) async throws {
        let fixture = try TestHistory(seed: seed)
        let history = fixture.history
        let random = SeededRandomness(seed: seed &* 7919)
        let repo = try await history.makeRepo("model")
        let branch = CommitHandle(repo.branch("master"))
        var model = Model()
        var past: [(CommitKey, [String: [UInt8]])] = []
        for _ in 0..<40 {
            let opensFirst = random.below(4) == 0
            let open = opensFirst ? try await history.start(repo.branch("master")) : nil
                        let key = try await history.modify(branch) { upload in
                for _ in 0..<random.below(8) { try Self.step(upload, &model, past, random) }
            }
            if let open { try await history.finish(open) }
            past.append((key, model.files))
            try await Self.compare(history, CommitHandle(key), model, "seed \(seed)")
        }
        for (key, files) in past {
            try await Self.compare(history, CommitHandle(key), Model(files: files), "seed \(seed), history")
        }
        #expect(try history.findings() == [], "seed \(seed)")
    }

    private static func step(
        _ upload: Upload, _ model: inout Model, _ past: [(CommitKey, [String: [UInt8]])],
        _ random: SeededRandomness
    ) throws {
        let path = random.pick(paths)
        switch random.below(6) {
        case 0, 1:
            let bytes = random.bytes(random.pick([0, 1, 10, 1000, 100_000]))
            try bytes.withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
            model.files[path, default: []] += bytes
        case 2:
            let bytes = random.bytes(random.below(50))
            try upload.delete(path: path, datum: "")
            try bytes.withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
            model.files[path] = bytes
        case 3:
            try upload.delete(path: path, datum: "")
            model.files[path] = nil
        case 4:
            let prefix = random.pick(["/c/", "/h/", "/h/i/", "/none/", "/"])
            try upload.delete(path: prefix, datum: "")
            model.deleteTree(prefix)
        default:
            guard let (key, files) = past.isEmpty ? nil : random.pick(past) else { return }
            let source = random.pick(["/c", "/h/i", "/a", "/nothing"])
            let target = "/copy\(random.below(2))"
            let append = random.below(2) == 0
            // A file and a directory of one name would be a collision: directories go one level deeper.
            let destination = source == "/a" ? target + ".file" : target
            try upload.copy(
                from: FileReference(commit: CommitHandle(key), path: source), to: destination, datum: "",
                append: append)
            model.copy(files, from: source, to: destination, append: append)
        }
    }

    private static func compare(
        _ history: History, _ handle: CommitHandle, _ model: Model, _ context: String
    ) async throws {
        #expect(try await history.paths(handle) == model.entries, "\(context)")
        for (path, bytes) in model.files {
            #expect(try history.content(handle, path) == bytes, "\(context): \(path)")
        }
    }
}
