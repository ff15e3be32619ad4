import Core
import Simulation
import Storage
import Testing
import Versioning

/// What a glob reads follows the text before its first special character, not the directory that is in.
@Suite struct GlobPrefixTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func nodesRead(_ body: () async throws -> Void) async throws -> Int {
        let before = history.store.statistics().nodesVisited
        try await body()
        return history.store.statistics().nodesVisited - before
    }

    @Test func `a glob with a long prefix reads little of a large directory`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        try await history.modify(CommitHandle(branch)) { upload in
            for number in 0..<20_000 { try upload.put("/dir/f\(100_000 + number)", "x") }
            for number in 0..<50 { try upload.put("/dir/f11999x/below\(number)", "x") }
        }
        let files = try history.files(CommitHandle(branch))
        var found: [String] = []
        let narrow = try await nodesRead {
            try await files.glob(try Glob("/dir/f11999*")) {
                found.append($0.path)
                return true
            }
        }
        #expect(found == (119_990...119_999).map { "/dir/f\($0)" } + ["/dir/f11999x/"])
        let wide = try await nodesRead { try await files.glob(try Glob("/dir/*11999*")) { _ in true } }
        #expect(narrow < 40, "\(narrow) nodes")
        #expect(wide > 10 * narrow, "\(wide) nodes against \(narrow)")
    }
}
