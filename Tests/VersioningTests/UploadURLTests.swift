import Core
import Simulation
import Testing
import Versioning

/// Files from URLs: where they end up, and that nothing is left of a fetch that fails.
@Suite struct UploadURLTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }
    private let web = ScriptedURLs([
        "https://web/page": .init(files: [("", [Array("one ".utf8), Array("two".utf8)])]),
        "https://web/empty": .init(files: [("", [[]])]),
        "https://web/broken": .init(
            files: [("", [Array("half".utf8)])], failure: SpileError(.unavailable, "the answer broke off")),
        "file:///folder": .init(files: [("/a", [Array("A".utf8)]), ("/b/c", [Array("C".utf8)])]),
    ])

    init() throws { fixture = try TestHistory() }

    private func fetch(
        _ url: String, to path: String, on branch: BranchKey, recursive: Bool = false,
        as principal: Principal = History.user
    ) async throws -> CommitKey {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: principal)
        try await upload.add(path: path, datum: "", from: url, recursive: recursive, by: web)
        return try await upload.finish()
    }

    @Test func `the pieces of a page are one file, appended to what is there`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        _ = try await fetch("https://web/page", to: "/x", on: branch)
        #expect(try history.content(CommitHandle(branch), "/x") == Array("one two".utf8))
        _ = try await fetch("https://web/page", to: "x", on: branch)
        #expect(try history.content(CommitHandle(branch), "/x") == Array("one twoone two".utf8))
    }

    @Test func `an empty page makes an empty file`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        _ = try await fetch("https://web/empty", to: "/x", on: branch)
        #expect(try history.content(CommitHandle(branch), "/x") == [])
    }

    @Test func `the files below a folder go below the path`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        _ = try await fetch("file:///folder", to: "/in", on: branch, recursive: true)
        #expect(try await history.paths(CommitHandle(branch)) == ["/", "/in/", "/in/a", "/in/b/", "/in/b/c"])
        #expect(web.requests == ["file:///folder*"])
        _ = try await fetch("file:///folder", to: "/", on: branch, recursive: true)
        #expect(try history.content(CommitHandle(branch), "/b/c") == Array("C".utf8))
    }

    @Test func `a fetch that breaks off leaves nothing`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let error = await #expect(throws: SpileError.self) {
            _ = try await fetch("https://web/broken", to: "/x", on: branch)
        }
        #expect(error?.code == .unavailable)
        #expect(try history.read { try $0.branches(repo: nil) } == [])
    }

    @Test(arguments: [("https://web/page", "/a*b"), ("https://web/page", "/"), ("ftp://web/page", "/x")])
    func `what cannot be put is not fetched`(url: String, path: String) async throws {
        let branch = try await history.makeRepo("a").branch("master")
        await #expect(throws: SpileError.self) { _ = try await fetch(url, to: path, on: branch) }
        #expect(web.requests == [])
    }

    @Test func `whoever is asked between the pieces can end the fetch`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        let upload = try Upload(to: CommitHandle(branch), in: history, as: History.user)
        var asked = 0
        await #expect(throws: CancellationError.self) {
            try await upload.add(path: "/x", datum: "", from: "https://web/page", recursive: false, by: web) {
                asked += 1
                if asked == 2 { throw CancellationError() }
            }
        }
        #expect(asked == 2)
    }

    @Test func `a launch may fetch from the web and not from the server's disk`() async throws {
        let pipeline = PipelineKey(name: "tap")
        let branch = try await history.makeRepo(pipeline.name).branch("master")
        try await history.transact(as: .server) { transaction in
            try transaction.catalog.put(
                LaunchRecord(
                    pipeline: pipeline, epoch: 1, version: 1, tokenHash: Digest([UInt8](repeating: 1, count: 32)),
                    handle: "", startedAt: transaction.now, failures: 0))
        }
        let code = Principal.launch(pipeline, epoch: 1)
        _ = try await fetch("https://web/page", to: "/x", on: branch, as: code)
        let error = await #expect(throws: SpileError.self) {
            _ = try await fetch("file:///folder", to: "/y", on: branch, recursive: true, as: code)
        }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("not authorized to perform this operation") == true)
        #expect(web.requests == ["https://web/page"])
    }
}
