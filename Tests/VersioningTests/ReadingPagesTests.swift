import Core
import Simulation
import Testing
import Versioning

/// Listing and walking, page by page, against a plain model.
@Suite struct ReadingPagesTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func compare(
        _ files: CommitFiles, _ model: ReadingModel, _ path: String, _ page: Page, _ context: String
    ) async throws {
        let context = "\(context), \(path) marker \(page.marker) limit \(page.limit) reverse \(page.isReverse)"
        let listed = try await files.listed(path, page).map(\.path)
        #expect(listed == ReadingModel.page(model.children(path), page), "list: \(context)")
        let walked = try await files.walked(path, page).map(\.path)
        #expect(walked == ReadingModel.page(model.tree(path), page), "walk: \(context)")
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `every page from every entry of a small tree is what the model says`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(25, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for path in model.directories.map(FilePath.clean) + ["/none", random.pick(model.files.keys.sorted())] {
            for marker in [""] + Set(model.children(path) + model.tree(path)) {
                let isChild = marker.isEmpty || model.children(path).contains(marker)
                for limit in [0, 1, 2, 7] {
                    for isReverse in [false, true] where limit > 0 || !isReverse {
                        let page = Page(marker: marker, limit: limit, isReverse: isReverse)
                        let walked = try await files.walked(path, page).map(\.path)
                        #expect(
                            walked == ReadingModel.page(model.tree(path), page),
                            "walk: seed \(seed), \(path) after \(marker) limit \(limit) reverse \(isReverse)")
                        guard isChild else { continue }
                        let listed = try await files.listed(path, page).map(\.path)
                        #expect(
                            listed == ReadingModel.page(model.children(path), page),
                            "list: seed \(seed), \(path) after \(marker) limit \(limit) reverse \(isReverse)")
                    }
                }
            }
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `pages of a large tree are what the model says`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(1500, depth: 5, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for _ in 0..<60 {
            let path = FilePath.clean(random.pick(model.directories))
            let page = Page(
                marker: random.pick(model.children(path)), limit: 1 + random.below(30), isReverse: random.below(2) == 0)
            try await compare(files, model, path, page, "seed \(seed)")
        }
        try await compare(files, model, "/", .all, "seed \(seed)")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `page after page gives everything once in both directions`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(300, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for isReverse in [false, true] {
            var seen: [String] = []
            while seen.count <= model.entries.count {
                let page = Page(marker: seen.last ?? "", limit: 1 + random.below(9), isReverse: isReverse)
                let next = try await files.walked("/", page).map(\.path)
                if next.isEmpty { break }
                seen += next
            }
            #expect(seen == (isReverse ? model.entries.reversed() : model.entries), "seed \(seed)")
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a marker that is not among the entries stands where it would`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(30, depth: 3, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for path in model.directories.map(FilePath.clean) {
            for marker in model.entries + ["/~", "/b/zzz", "/!"] {
                for isReverse in [false, true] {
                    let page = Page(marker: marker, limit: 5, isReverse: isReverse)
                    try await compare(files, model, path, page, "seed \(seed)")
                }
            }
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `a directory's size is the sum of what is below it`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(400, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        for view in try await files.walked("/") {
            #expect(Int(view.size) == model.size(view.path), "seed \(seed), \(view.path)")
            #expect(view.isDirectory == view.path.hasSuffix("/"))
            let inspected = try #require(try files.inspect(view.path))
            #expect(inspected.path == view.path)
            #expect(inspected.size == view.size && inspected.digest == view.digest)
        }
    }

    @Test func `equal trees have equal hashes whatever the order of writing`() async throws {
        let random = SeededRandomness(seed: 1)
        let model = ReadingModel.random(200, depth: 3, random)
        let repo = try await history.makeRepo("a")
        let first = try await history.write(model, to: repo.branch("one"), random)
        let second = try await history.write(model, to: repo.branch("two"), random)
        let digests = try await first.walked("/").map(\.digest)
        #expect(try await second.walked("/").map(\.digest) == digests)
        #expect(first.commit.root.digest == second.commit.root.digest)
    }

    @Test func `entries come in byte order with a directory spelled with its slash`() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { upload in
            for path in ["/b0", "/b/a", "/b.txt", "/b-x"] { try upload.put(path, "x") }
        }
        let files = try history.files(CommitHandle(key))
        #expect(try await files.walked("/").map(\.path) == ["/", "/b-x", "/b.txt", "/b/", "/b/a", "/b0"])
        #expect(try await files.listed("/").map(\.path) == ["/b-x", "/b.txt", "/b/", "/b0"])
        #expect(try await files.globbed("/*").map(\.path) == ["/b-x", "/b.txt", "/b/", "/b0"])
    }

    @Test func `an empty commit has no root directory`() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { _ in }
        let files = try history.files(CommitHandle(key))
        #expect(try files.inspect("/")?.path == nil)
        #expect(try await files.walked("/").isEmpty)
        #expect(try await files.listed("/").isEmpty)
        for pattern in ["/", "/*", "/**", "**"] { #expect(try await files.globbed(pattern).isEmpty, "\(pattern)") }
    }

    @Test func `a directory is gone with the last file below it`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) {
            try $0.put("/d/e/f", "1")
            try $0.put("/x", "1")
        }
        try await history.modify(branch) { try $0.delete(path: "/d/e/f", datum: "") }
        #expect(try await history.paths(branch) == ["/", "/x"])
        #expect(try history.files(branch).inspect("/d")?.path == nil)
    }

    @Test func `pages outside of the rules are refused`() async throws {
        let repo = try await history.makeRepo("a")
        try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") }
        let files = try history.files(CommitHandle(repo.branch("master")))
        let refused = [
            (Page(limit: 100_001), "cannot return more than 100000 files at a time"),
            (Page(isReverse: true), "number must be > 0 when reverse is true"),
            (Page(limit: -1), "must not be negative"),
        ]
        for (page, text) in refused {
            for call in [files.listed, files.walked] {
                let error = await #expect(throws: SpileError.self) { _ = try await call("/", page) }
                #expect(error?.message.contains(text) == true)
            }
        }
    }
}
