import API
import Testing

@testable import spile

@Suite struct SpoutBatchTests {
    /// A commit that began at a second, took so many, and left the branch with so many bytes.
    private static func commit(
        _ id: String, at started: Int64, took seconds: Int64? = 0, bytes: Int64, error: String = ""
    ) -> PfsV2_CommitInfo {
        .with {
            $0.commit.id = id
            $0.started.seconds = started
            if let seconds { $0.finished.seconds = started + seconds }
            $0.sizeBytesUpperBound = bytes
            $0.error = error
        }
    }

    private static func batches(_ newestFirst: [PfsV2_CommitInfo]) -> [SpoutBatch] {
        var batches = SpoutBatches()
        var found = newestFirst.compactMap { batches.add($0) }
        if let last = batches.finish() { found.append(last) }
        return found
    }

    @Test func `commits close in time are one batch, and a pause ends it`() throws {
        let found = Self.batches([
            Self.commit("d", at: 130, bytes: 70), Self.commit("c", at: 115, took: 2, bytes: 60),
            Self.commit("b", at: 105, bytes: 30), Self.commit("a", at: 100, bytes: 10),
        ])
        #expect(found.map(\.commits) == [1, 3])
        #expect(found.map(\.bytes) == [10, 60])
        let first = try #require(found.last)
        #expect((first.first, first.last) == ("a", "c"))
        #expect((first.started, first.finished) == (100, 117))
    }

    @Test func `a steady stream is cut by the minute`() {
        let commits = (0..<240).reversed().map { Self.commit("\($0)", at: Int64($0), bytes: Int64($0 + 1) * 5) }
        let found = Self.batches(commits)
        #expect(found.allSatisfy { ($0.finished ?? 0) - $0.started <= SpoutBatch.longest })
        #expect(found.map(\.commits).reduce(0, +) == 240)
        #expect(found.map(\.bytes).reduce(0, +) == 1200)
        #expect(found.count == 4)
    }

    @Test func `what shrinks, fails or is open shows`() throws {
        let found = Self.batches([
            Self.commit("c", at: 12, took: nil, bytes: 4), Self.commit("b", at: 11, bytes: 4, error: "no"),
            Self.commit("a", at: 0, bytes: 9),
        ])
        let newest = try #require(found.first)
        #expect((newest.commits, newest.errors, newest.bytes, newest.finished) == (2, 1, -5, nil))
        #expect(found.count == 2)
        #expect(Self.batches([]).isEmpty)
    }
}
