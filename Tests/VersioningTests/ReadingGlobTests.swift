import Core
import Simulation
import Testing
import Versioning

/// Globs over a tree against matching every path of it.
@Suite struct ReadingGlobTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    static let patterns = [
        "/", "/*", "*", "**", "/**", "/**/a", "/b*", "/b*/*", "/b*/**", "/*/*", "/*/*/*", "/b", "/b/", "/b/a", "/?",
        "/b?*", "/[ab]", "/[!a]*", "/[^b]*", "/[[:alpha:]]*", "/[[:digit:]]", "/{a,b*}", "/{a,b/{a,b}}", "/b/{a,*}",
        "/(a|b)", "/@(a|b)", "/*(b)", "/+(b)", "/?(b)", "/!(a)", "/!(a)/*", "/b/!(b)", "/f(*)", "/(*)/(*)",
        "/b.txt", "/b\\.txt", "/c d", "/c?d/*", "/é", "/é*", "/**.txt", "/**b", "/b**a", "/none*", "/none/*",
        "/b/**/zz", "/*b*", "//b//a", "b/*", "/[a-b]/[0-z]*", "/**/**", "/**/*(b)", "/n*/*", "/{*,*/*}", "/+(b|/)",
    ]

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `a glob finds what matching every path finds`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(seed == 5 ? 1000 : 60, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for pattern in Self.patterns {
            let glob = try Glob(pattern)
            let expected = model.entries.filter { glob.matches($0) }
            let found = try await files.globbed(pattern)
            #expect(found.map(\.path) == expected, "seed \(seed), \(pattern)")
            #expect(found.map { Int($0.size) } == expected.map(model.size), "seed \(seed), \(pattern)")
        }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `ranges of paths part what a glob finds without loss or doubles`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(120, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for pattern in Self.patterns {
            let whole = try await files.globbed(pattern)
            let cuts = Set((0..<4).map { _ in random.pick(model.entries + ["/b/", "/b", "/c", "/zzzz"]) }).sorted {
                FilePath.precedes($0, $1)
            }
            var parts: [FileView] = []
            for (lower, upper) in zip([""] + cuts, cuts + [""]) {
                let range = PathRange(lower: lower, upper: upper)
                let part = try await files.globbed(pattern, range)
                #expect(
                    part.allSatisfy {
                        (lower.isEmpty || !FilePath.precedes($0.path, lower))
                            && (upper.isEmpty || FilePath.precedes($0.path, upper))
                    }, "seed \(seed), \(pattern) in \(lower)..<\(upper)")
                parts += part
            }
            #expect(parts.map(\.path) == whole.map(\.path), "seed \(seed), \(pattern) cut at \(cuts)")
            #expect(parts.map(\.size) == whole.map(\.size), "seed \(seed), \(pattern): sizes cover all content")
        }
    }

    @Test func `the root is matched by the slash alone`() async throws {
        let repo = try await history.makeRepo("a")
        try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/d/x", "1") }
        let files = try history.files(CommitHandle(repo.branch("master")))
        #expect(try await files.globbed("/").map(\.path) == ["/"])
        #expect(try await files.globbed("/**").map(\.path) == ["/d/", "/d/x"])
        #expect(try await files.globbed("/d/").map(\.path) == ["/d/"])
    }

    @Test func `a glob that names one file finds it and others are told apart`() async throws {
        let repo = try await history.makeRepo("a")
        try await history.modify(CommitHandle(repo.branch("master"))) {
            try $0.put("/a", "12345")
            try $0.put("/b", "1")
            try $0.put("/d/x", "1")
        }
        let files = try history.files(CommitHandle(repo.branch("master")))
        func single(_ pattern: String) async throws -> UInt64 {
            let reference = FileReference(commit: CommitHandle(repo.branch("master")), path: pattern)
            return try await files.singleFile(try Glob(pattern), requested: reference).entry.size
        }
        #expect(try await single("/a") == 5)
        #expect(try await single("/a*") == 5)
        let refused = [
            ("/*", "matched multiple files. Use GetFileTAR instead"),
            ("/d", "cannot get directory or non-regular file. Use GetFileTAR instead"),
            ("/none", "file /none not found in repo default/a at commit master"),
        ]
        for (pattern, text) in refused {
            let error = await #expect(throws: SpileError.self) { _ = try await single(pattern) }
            #expect(error?.message == text)
        }
    }
}
