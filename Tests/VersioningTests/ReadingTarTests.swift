import Core
import Foundation
import Simulation
import Testing
import Versioning

/// Archives as the `tar` of this machine reads them.
@Suite struct ReadingTarTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func archive(_ files: CommitFiles, _ pattern: String) async throws -> Data? {
        var bytes: [UInt8] = []
        let found = try await files.archive(try Glob(pattern)) { view in
            bytes += TarStream.header(view)
            guard let entry = view.entry else { return true }
            var position: UInt64 = 0
            while position < entry.size {
                let part = try files.store.read(entry, offset: position, maxBytes: 1 << 20)
                bytes += part
                position += UInt64(part.count)
            }
            bytes += TarStream.padding(entry.size)
            return true
        }
        return found ? Data(bytes + TarStream.end) : nil
    }

    /// Runs `tar` on an archive and gives its standard output.
    private func tar(_ arguments: [String], _ archive: Data) throws -> Data {
        let path = fixture.folder + "/archive-\(UUID().uuidString).tar"
        try archive.write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/tar")
        process.arguments = arguments + ["-P", "--quoting-style=literal", "-f", path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return text
    }

    private func names(_ archive: Data) throws -> [String] {
        String(decoding: try tar(["-t"], archive), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `an archive holds every entry in order with its bytes`(seed: UInt64) async throws {
        let random = SeededRandomness(seed: seed)
        let model = ReadingModel.random(80, depth: 4, random)
        let repo = try await history.makeRepo("a")
        let files = try await history.write(model, to: repo.branch("master"), random)
        let archive = try #require(try await archive(files, "/"))
        #expect(try names(archive) == model.entries, "seed \(seed)")
        let contents = model.entries.compactMap { model.files[$0] }.joined()
        #expect(try tar(["-x", "-O"], archive) == Data(contents), "seed \(seed)")
        #expect(try await self.archive(files, "/") == archive, "seed \(seed): not the same bytes again")
    }

    @Test func `what matches comes with all that is below it and each once`() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { upload in
            for path in ["/a", "/b/c/d", "/b/e", "/bc", "/z/y"] { try upload.put(path, path) }
        }
        let files = try history.files(CommitHandle(key))
        let expected = [
            "/": ["/", "/a", "/b/", "/b/c/", "/b/c/d", "/b/e", "/bc", "/z/", "/z/y"],
            "/b*": ["/b/", "/b/c/", "/b/c/d", "/b/e", "/bc"],
            "/**": ["/a", "/b/", "/b/c/", "/b/c/d", "/b/e", "/bc", "/z/", "/z/y"],
            "/b/c/d": ["/b/c/d"], "/z": ["/z/", "/z/y"], "/*/c": ["/b/c/", "/b/c/d"],
        ]
        for (pattern, entries) in expected {
            let archive = try #require(try await archive(files, pattern), "\(pattern)")
            #expect(try names(archive) == entries, "\(pattern)")
            #expect(archive.count.isMultiple(of: 512))
        }
        #expect(try await archive(files, "/none*") == nil)
    }

    @Test(arguments: [99, 100, 101, 155, 156, 200, 255, 256, 257, 300, 1000])
    func `a long name arrives whole`(length: Int) async throws {
        let repo = try await history.makeRepo("a")
        // One name without a place to split it, and one with many.
        let plain = "/" + String(repeating: "n", count: length - 1)
        let deep = "/" + String(repeating: "dir/", count: (length - 5) / 4) + String(
            repeating: "f", count: length - 1 - (length - 5) / 4 * 4)
        let key = try await history.modify(CommitHandle(repo.branch("master"))) {
            try $0.put(plain, "plain")
            try $0.put(deep, "deep")
        }
        #expect(plain.count == length && deep.count == length)
        let files = try history.files(CommitHandle(key))
        for (path, text) in [(plain, "plain"), (deep, "deep")] {
            let archive = try #require(try await archive(files, path))
            #expect(try names(archive) == [path])
            #expect(try tar(["-x", "-O"], archive) == Data(text.utf8))
        }
        let whole = try #require(try await archive(files, "/"))
        #expect(try names(whole) == (try await history.paths(CommitHandle(key))))
    }

    @Test func `headers carry no time, no owner and no mode`() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/d/f", "12345") }
        let archive = try #require(try await archive(try history.files(CommitHandle(key)), "/"))
        let listing = String(decoding: try tar(["-t", "-v", "--utc", "--numeric-owner"], archive), as: UTF8.self)
        let lines = listing.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.map(\.first) == ["d---------", "d---------", "----------"])
        #expect(lines.allSatisfy { $0[1] == "0/0" && $0[3] == "1970-01-01" && $0[4] == "00:00" })
        #expect(lines.map { $0[2] } == ["0", "0", "5"])
    }
}
