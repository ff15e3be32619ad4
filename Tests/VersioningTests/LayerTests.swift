import Core
import Simulation
import Storage
import Testing
import Versioning

/// Open commits that inherit from open commits: what was written to them is kept apart until what they inherit from is
/// finished.
@Suite struct LayerTests {
    private let small: SmallHistory
    private var history: History { small.history }
    private let input: BranchKey
    private let output: BranchKey

    /// `output` derives from `input`, so that every write to `input` opens a commit there.
    init() async throws {
        small = try SmallHistory()
        let (a, b) = (try await small.history.makeRepo("a"), try await small.history.makeRepo("b"))
        (input, output) = (a.branch("master"), b.branch("master"))
        try await history.branch(input)
        try await history.branch(output, BranchChange(provenance: [input]))
    }

    /// Opens the next commit of the output.
    private func next() async throws -> CommitKey {
        _ = try await history.put(input, ["/n": small.randomness.bytes(8)])
        return try history.head(output).key
    }

    private func write(_ key: CommitKey, _ files: [String: String]) async throws {
        try await history.modify(CommitHandle(key)) { upload in
            for (path, text) in files.sorted(by: { $0.key < $1.key }) { try upload.put(path, text) }
        }
    }

    private func fail(_ key: CommitKey) async throws {
        try await history.finish(CommitHandle(key), description: "", error: "bad", force: false, as: History.user)
    }

    private func files(_ key: CommitKey) async throws -> [String] {
        try await history.paths(CommitHandle(key)).filter { !$0.hasSuffix("/") }
    }

    private func record(_ key: CommitKey) throws -> CommitRecord {
        try history.read { try $0.existingCommit(CommitHandle(key)) }
    }

    @Test func `what is closed over an open commit is finished with it, all that is on top of it, too`() async throws {
        let parent = try history.head(output).key
        let chain = [try await next(), try await next(), try await next()]
        for (index, key) in chain.enumerated().reversed() {
            try await write(key, ["/\(index)": "\(index)"])
            try await history.finish(key)
            #expect(try record(key).isFinishing)
        }
        let error = await #expect(throws: SpileError.self) { try await history.finish(chain[0]) }
        #expect(error?.message.contains("has already finished") == true)
        let reading = Task { [history] in try await history.settledFiles(CommitHandle(chain[2])).commit.isFinished }
        try await write(parent, ["/parent": "p"])
        try await history.finish(parent)
        #expect(try await reading.value)
        #expect(try chain.allSatisfy { try record($0).isFinished })
        #expect(try await files(chain[2]) == ["/0", "/1", "/2", "/parent"])
        #expect(try await files(chain[0]) == ["/0", "/parent"])
        #expect(try history.findings() == [])
    }

    @Test func `a collision with what comes below is found when both are together`() async throws {
        let parent = try history.head(output).key
        let child = try await next()
        try await write(child, ["/x": "a file"])
        try await history.finish(child)
        try await write(parent, ["/x/y": "below"])
        try await history.finish(parent)
        #expect(try record(parent).error.isEmpty)
        #expect(try record(child).error.contains("file / directory path collision"))
    }

    @Test func `a commit in error hides nothing that comes to the open one below it`() async throws {
        let base = try history.head(output).key
        let bad = try await next()
        try await write(bad, ["/bad": "b"])
        try await fail(bad)
        let child = try await next()
        try await write(child, ["/child": "c"])
        try await write(base, ["/base": "a"])
        try await history.finish(child)
        #expect(try record(child).isFinishing)
        try await history.finish(base)
        #expect(try record(child).isFinished)
        #expect(try await files(child) == ["/base", "/child"])
        #expect(try await files(bad) == ["/bad"])
        #expect(try history.findings() == [])
    }

    @Test func `a parent that ends in error leaves its child to the open one before it`() async throws {
        let base = try history.head(output).key
        let bad = try await next()
        let child = try await next()
        try await write(child, ["/child": "c"])
        try await write(bad, ["/bad": "b"])
        try await fail(bad)
        #expect(try await files(child) == ["/child"])
        try await write(base, ["/base": "a"])
        try await history.finish(base)
        #expect(try await files(child) == ["/base", "/child"])
        try await history.finish(child)
        #expect(try history.findings() == [])
    }

    @Test func `those who look for a good commit go once over a line of commits in error`() async throws {
        let side = input.repo.branch("side")
        func bad() async throws -> CommitRecord {
            let key = try await history.start(side)
            try await fail(key)
            return try record(key)
        }
        let first = try await bad()
        #expect(first.shortcut == nil)
        #expect(try await [bad(), bad()].map(\.shortcut) == [first.sequence, first.sequence])
        let good = try await history.put(side, ["/good": [1]])
        let line = try await [bad(), bad(), bad()]
        let base = try record(good)
        #expect(line.map(\.shortcut) == [base, base, base].map(\.sequence))
        #expect(try history.read { try $0.inherited(by: line[2]) } == base)
        // What it leads to may go: the way is then found on foot.
        let next = try await history.put(side, ["/next": [2]])
        try await history.transact(as: History.user) {
            try $0.remove(CommitHandle(good), by: .squash, recursive: false)
        }
        #expect(try await bad().shortcut == record(next).sequence)
        let last = try record(line[2].key)
        #expect(try history.read { try $0.inherited(by: last) } == nil)
        #expect(try await files(next) == ["/good", "/next"])
        #expect(try history.findings() == [])
    }

    @Test(arguments: [1, 200])
    func `commits made in one go over an open one are finished with it`(count: Int) async throws {
        let base = try history.head(output).key
        try await fail(try await next())
        // Without provenance the branch is anyone's to write.
        try await history.branch(output, BranchChange(provenance: []))
        let paths = (0..<count).map { "/x/\($0)" }.sorted()
        let first = try await history.modify(CommitHandle(output)) { for path in paths { try $0.put(path, "1") } }
        let second = try await history.modify(CommitHandle(output)) { try $0.put("/y", "2") }
        #expect(try record(first).isFinishing && record(second).isFinishing)
        try await write(base, ["/base": "b"])
        try await history.finish(base)
        #expect(try record(first).isFinished && record(second).isFinished)
        #expect(try await files(second) == ["/base"] + paths + ["/y"])
        #expect(try history.findings() == [])
    }

    @Test func `what an open commit holds cannot be squashed away from under a commit in error`() async throws {
        let base = try history.head(output).key
        try await fail(try await next())
        let child = try await next()
        let error = await #expect(throws: SpileError.self) {
            try await history.transact(as: History.user) {
                try $0.remove(CommitHandle(base), by: .squash, recursive: false)
            }
        }
        #expect(error?.message == "cannot squash until child commit \(child) is finished")
    }

    @Test func `a squash under a branch that ends in error would lose files, and is refused`() async throws {
        let side = input.repo.branch("side")
        let kept = try await history.put(side, ["/kept": [1]])
        let bad = try await history.start(side)
        try await fail(bad)
        func squash() async throws {
            try await history.transact(as: History.user) {
                try $0.remove(CommitHandle(kept), by: .squash, recursive: false)
            }
        }
        let error = await #expect(throws: SpileError.self) { try await squash() }
        #expect(error?.message.contains("would cause data loss") == true)
        let next = try await history.put(side, ["/next": [2]])
        try await squash()
        #expect(try await files(next) == ["/kept", "/next"])
    }

    @Test func `large layers are settled like small ones`() async throws {
        let base = try history.head(output).key
        let child = try await next()
        var expected: Set<String> = []
        for turn in 0..<3 {
            var files: [String: String] = [:]
            for index in 0..<200 { files["/\(turn)/\(index)"] = "\(index)" }
            expected.formUnion(files.keys)
            try await write(child, files)
        }
        try await history.modify(CommitHandle(child)) { try $0.delete(path: "/1/", datum: "") }
        expected = expected.filter { !$0.hasPrefix("/1/") }
        #expect(Set(try await files(child)) == expected)
        try await write(base, ["/1/0": "from below", "/base": "a"])
        try await history.finish(base)
        expected.insert("/base")
        #expect(Set(try await files(child)) == expected)
        try await history.finish(child)
        #expect(try history.findings() == [])
    }

    @Test func `a layer whose tree is damaged is a finding of its commit`() async throws {
        let child = try await next()
        try await write(child, ["/child": "c"])
        try await history.transact(as: .server) { transaction in
            var record = try transaction.catalog.existingCommit(CommitHandle(child))
            record.layer?.content.files += 1
            try transaction.catalog.update(record)
        }
        #expect(try history.findings().map(\.subject) == ["commit \(child)"])
    }

    @Test func `what commits give up is expected to be garbage`() async throws {
        try history.collect()
        #expect(try !history.expectsGarbage())
        let open = try history.head(output).key
        try await write(open, ["/a": "1"])
        #expect(try !history.expectsGarbage(), "the tree it had is the one it inherits")
        try await write(open, ["/a": "2"])
        #expect(try history.expectsGarbage())
        try history.collect()
        #expect(try !history.expectsGarbage())
        try await history.transact(as: History.user) { try $0.clearCommit(CommitHandle(open)) }
        #expect(try history.expectsGarbage())
    }
}
