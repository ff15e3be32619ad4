import Core
import Simulation
import Testing
import Versioning

/// Content by datum tag: who wrote what.
@Suite struct ReadingDatumTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    /// Random files, each written by one of three datums, and what each of them wrote.
    private func write(_ seed: UInt64) async throws -> (handle: CommitHandle, models: [String: ReadingModel]) {
        let random = SeededRandomness(seed: seed)
        let all = ReadingModel.random(60, depth: 3, random)
        var parts: [String: [String: [UInt8]]] = [:]
        for path in all.files.keys.sorted() {
            parts[random.pick(["default", "one", "two"]), default: [:]][path] = all.files[path]
        }
        let repo = try await history.makeRepo("a")
        let written = parts
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { upload in
            for (datum, files) in written {
                for (path, bytes) in files {
                    let tag = datum == "default" ? "" : datum
                    try bytes.withUnsafeBytes { try upload.add(path: path, datum: tag, bytes: $0) }
                }
            }
        }
        return (CommitHandle(key), parts.mapValues { ReadingModel($0) })
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `restricted to a datum a commit looks as if nobody else had written`(seed: UInt64) async throws {
        let (handle, models) = try await write(seed)
        for (datum, model) in models {
            let context = "seed \(seed), \(datum)"
            let files = try history.files(handle, datum: datum)
            #expect(try await files.walked("/").map(\.path) == model.entries, "\(context)")
            #expect(try await files.globbed("/**").map(\.path) == Array(model.entries.dropFirst()), "\(context)")
            for path in model.directories.map(FilePath.clean) {
                let children = model.children(path)
                #expect(try await files.listed(path).map(\.path) == children, "\(context) \(path)")
                let backward = try await files.listed(path, Page(limit: 1000, isReverse: true)).map(\.path)
                #expect(backward == children.reversed(), "\(context) \(path) backward")
            }
            let backward = try await files.walked("/", Page(limit: 1000, isReverse: true)).map(\.path)
            #expect(backward == model.entries.reversed(), "\(context) backward")
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `restricted to a datum a directory has the size of that datum's content`(seed: UInt64) async throws {
        let (handle, models) = try await write(seed)
        for (datum, model) in models {
            let files = try history.files(handle, datum: datum)
            for view in try await files.walked("/") {
                #expect(Int(view.size) == model.size(view.path), "seed \(seed), \(datum), \(view.path)")
            }
            let others = models.filter { $0.key != datum }.flatMap(\.value.entries)
            for path in others where !model.entries.contains(path) {
                #expect(try files.inspect(path)?.path == nil, "seed \(seed), \(datum) did not write \(path)")
            }
        }
    }

    @Test func `files carry the tag they were written with`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) { upload in
            for datum in ["", "one"] {
                try Array("x".utf8).withUnsafeBytes { try upload.add(path: "/f\(datum)", datum: datum, bytes: $0) }
            }
        }
        let files = try history.files(branch)
        #expect(try files.inspect("/f")?.datum == "default")
        #expect(try files.inspect("/fone")?.datum == "one")
        #expect(try files.inspect("/")?.datum == "")
    }

    @Test func `deleting a file deletes one datum's content of it`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) { upload in
            try Array("x".utf8).withUnsafeBytes { try upload.add(path: "/f", datum: "one", bytes: $0) }
        }
        try await history.modify(branch) { try $0.delete(path: "/f", datum: "") }
        #expect(try await history.paths(branch) == ["/", "/f"])
        try await history.modify(branch) { try $0.delete(path: "/f", datum: "one") }
        #expect(try await history.paths(branch) == [])
    }
}
