import Core
import Simulation
import Storage
import Testing
import Versioning

@Suite struct HistoryFileSetTests {
    private func upload(
        _ history: History, _ body: (FileSetUpload) throws -> Void
    ) async throws -> String {
        let upload = FileSetUpload(in: history, as: History.user)
        try body(upload)
        return try await upload.finish().description
    }

    private func read(_ history: History, _ handle: String) async throws -> [String: String] {
        var files: [String: String] = [:]
        try await history.files(CommitHandle(fileSet: handle)).files(in: PathRange()) { view in
            let bytes = try view.entry.map { try history.store.read($0, offset: 0, maxBytes: 1 << 20) } ?? []
            files[view.path, default: ""] += String(decoding: bytes, as: UTF8.self)
            return true
        }
        return files
    }

    private func expectGone(_ body: () async throws -> Void) async {
        let error = await #expect(throws: SpileError.self) { try await body() }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("tracker does not contain item") == true)
    }

    private func advance(_ history: History, seconds: Double) throws {
        try #require(history.clock as? ManualClock).advance(seconds: seconds)
    }

    // MARK: Reading

    @Test func `a file set reads as a commit of the pseudo repo, by its handle or the first part of it`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { files in
            try files.put("/dir/b", "two")
            try files.put("/a", "one")
            try files.put("/gone", "x")
            try files.delete(path: "/gone", datum: "")
        }
        #expect(handle.count == 97)
        for name in [handle, String(handle.prefix(32))] {
            let commit = CommitHandle(repo: RepoKey(project: ProjectKey("any"), name: "__filesets__"), id: name)
            #expect(try await history.paths(commit) == ["/", "/a", "/dir/", "/dir/b"])
            #expect(try history.content(commit, "/dir/b") == Array("two".utf8))
            let record = try await history.commit(commit, at: .finished)
            #expect(record.description == "FileSet - Virtual Commit")
            #expect(record.finishing == nil && record.finished == Instant(nanoseconds: 0))
        }
        for name in ["", "x", "master", String(handle.dropLast()), String(repeating: "0", count: 32)] {
            await expectGone { _ = try history.files(CommitHandle(fileSet: name)) }
        }
    }

    @Test func `the pseudo repo cannot be created, written or listed`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { try $0.put("/a", "one") }
        let refused = await #expect(throws: SpileError.self) { _ = try await history.makeRepo("__filesets__") }
        #expect(refused?.message.contains("is a reserved name") == true)
        let target = CommitHandle(fileSet: handle)
        let missing = #expect(throws: SpileError.self) { _ = try Upload(to: target, in: history, as: History.user) }
        #expect(missing?.code == .notFound)
        #expect(try history.read { try $0.repos(in: nil, type: nil) } == [])
    }

    @Test func `a file set may be copied from, as a commit may`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let repo = try await history.makeRepo("r")
        let first = try await upload(history) { try $0.put("/dir/a", "one") }
        let source = FileReference(commit: CommitHandle(fileSet: first), path: "/dir")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) {
            try $0.copy(from: source, to: "/copy", datum: "", append: false)
        }
        #expect(try history.content(CommitHandle(key), "/copy/a") == Array("one".utf8))
        let second = try await upload(history) {
            try $0.copy(
                from: FileReference(commit: CommitHandle(key), path: "/"), to: "/", datum: "", append: false)
        }
        #expect(try await read(history, second) == ["/copy/a": "one"])
    }

    // MARK: Laying over commits

    @Test func `a file set laid over an open commit appends, replaces and deletes`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let repo = try await history.makeRepo("r")
        let branch = repo.branch("master")
        try await history.modify(CommitHandle(branch)) { files in
            for path in ["/keep", "/append", "/replace", "/delete", "/dir/x", "/dir/y"] { try files.put(path, "old") }
        }
        let handle = try await upload(history) { files in
            try files.put("/append", "+", append: true)
            try files.put("/replace", "new")
            try files.delete(path: "/delete", datum: "")
            try files.delete(path: "/dir/", datum: "")
            try files.put("/dir/z", "new")
        }
        let open = try await history.start(branch)
        try await history.add(fileSet: handle, to: CommitHandle(branch), as: History.user)
        try await history.finish(open)
        let commit = CommitHandle(open)
        #expect(try await history.paths(commit) == ["/", "/append", "/dir/", "/dir/z", "/keep", "/replace"])
        #expect(try history.content(commit, "/append") == Array("old+".utf8))
        #expect(try history.content(commit, "/replace") == Array("new".utf8))
        #expect(try history.findings() == [])
        for target in [commit, CommitHandle(branch)] {
            let error = await #expect(throws: SpileError.self) {
                try await history.add(fileSet: handle, to: target, as: History.user)
            }
            #expect(error?.message.contains("has already finished") == true)
        }
    }

    @Test func `a large file set goes over a commit as a small one does, and survives a restart`() async throws {
        let fixture = try TestHistory()
        let repo = try await fixture.history.makeRepo("r")
        let bytes = SeededRandomness(seed: 5).bytes(3 << 20)
        let handle = try await upload(fixture.history) { files in
            for index in 0..<3000 { try files.put("/many/\(index)", "\(index)") }
            try bytes.withUnsafeBytes { try files.add(path: "/big", datum: "", bytes: $0) }
        }
        try fixture.restart()
        let history = fixture.history
        let open = try await history.start(repo.branch("master"))
        try await history.add(fileSet: handle, to: CommitHandle(open), as: History.user)
        try await history.finish(open)
        #expect(try history.content(CommitHandle(open), "/big") == bytes)
        #expect(try history.content(CommitHandle(open), "/many/2999") == Array("2999".utf8))
        #expect(try history.files(CommitHandle(open)).inspect("/many/")?.size == 10890)
        #expect(try history.findings() == [])
    }

    @Test func `file sets added to one commit stack in the order they were added`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let repo = try await history.makeRepo("r")
        let open = try await history.start(repo.branch("master"))
        for text in ["a", "b", "c"] {
            let handle = try await upload(history) { try $0.put("/f", text, append: true) }
            try await history.add(fileSet: handle, to: CommitHandle(open), as: History.user)
        }
        #expect(try history.content(CommitHandle(open), "/f") == Array("abc".utf8))
    }

    // MARK: From commits

    @Test func `the total of a commit is its content, the difference what it changed`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let (repo, other) = (try await history.makeRepo("r"), try await history.makeRepo("other"))
        let branch = CommitHandle(repo.branch("master"))
        for target in [branch, CommitHandle(other.branch("master"))] {
            try await history.modify(target) { files in
                for path in ["/same", "/changed", "/deleted"] { try files.put(path, "1") }
            }
        }
        try await history.modify(branch) { files in
            try files.put("/changed", "2")
            try files.put("/new", "2")
            try files.delete(path: "/deleted", datum: "")
        }
        let total = try await history.totalFileSet(of: branch, as: History.user).description
        #expect(try await read(history, total) == ["/same": "1", "/changed": "2", "/new": "2"])
        let difference = try await history.differenceFileSet(of: branch, as: History.user).description
        #expect(try await read(history, difference) == ["/changed": "2", "/new": "2"])
        let open = try await history.start(other.branch("master"))
        try await history.add(fileSet: difference, to: CommitHandle(open), as: History.user)
        #expect(try await history.paths(CommitHandle(open)) == ["/", "/changed", "/new", "/same"])
        #expect(try await history.paths(CommitHandle(open)) == history.paths(branch))
    }

    // MARK: Composing and sharding

    @Test func `composed file sets do what their parts do one after the other`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let parts = [
            try await upload(history) { try $0.put("/a", "1") },
            try await upload(history) { try $0.put("/a", "2", append: true) },
            try await upload(history) { files in
                try files.put("/b", "3")
                try files.delete(path: "/x/", datum: "")
            },
        ]
        let all = try await history.compose(fileSets: parts, seconds: 5, as: History.user).description
        #expect(try await read(history, all) == ["/a": "12", "/b": "3"])
        let repo = try await history.makeRepo("r")
        try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x/y", "old") }
        let open = try await history.start(repo.branch("master"))
        try await history.add(fileSet: all, to: CommitHandle(open), as: History.user)
        #expect(try await history.paths(CommitHandle(open)) == ["/", "/a", "/b"])
        let none = try await history.compose(fileSets: [], seconds: 5, as: History.user).description
        #expect(try await read(history, none) == [:])
        await expectGone {
            _ = try await history.compose(fileSets: [parts[0], "nothing"], seconds: 5, as: History.user)
        }
    }

    @Test func `shards cover all paths and hold what they may`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { files in
            for index in 0..<100 { try files.put("/f\(100 + index)", "0123456789") }
        }
        func shards(_ files: Int64, _ bytes: Int64) throws -> [[String]] {
            try history.shards(ofFileSet: handle, files: files, bytes: bytes).map { [$0.lower, $0.upper] }
        }
        #expect(try shards(0, 0) == [["", ""]])
        #expect(try shards(40, 0) == [["", "/f140"], ["/f140", "/f180"], ["/f180", ""]])
        #expect(try shards(0, 500) == [["", "/f150"], ["/f150", ""]])
        #expect(throws: SpileError.self) { try shards(-1, 0) }
        let empty = try await upload(history) { _ in }
        #expect(try history.shards(ofFileSet: empty, files: 1, bytes: 1).count == 1)
    }

    // MARK: Leases

    @Test func `a file set is gone when its lease ends, and a renewal counts from now`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { try $0.put("/a", "1") }
        try advance(history, seconds: 599)
        #expect(try await read(history, handle) == ["/a": "1"])
        try await history.renew(fileSet: handle, seconds: 30, as: History.user)
        try advance(history, seconds: 29)
        #expect(try await read(history, handle) == ["/a": "1"])
        try advance(history, seconds: 2)
        await expectGone { _ = try await read(history, handle) }
        await expectGone { try await history.renew(fileSet: handle, seconds: 30, as: History.user) }
        await expectGone { _ = try history.shards(ofFileSet: handle, files: 0, bytes: 0) }
    }

    @Test func `times of a lease have bounds`() throws {
        #expect(try FileSetLease.renewal(1) == 1)
        #expect(try FileSetLease.renewal(1800) == 1800)
        #expect(try FileSetLease.composed(0) == 600)
        for seconds in [0, -1] as [Int64] {
            let error = #expect(throws: SpileError.self) { try FileSetLease.renewal(seconds) }
            #expect(error?.message.contains("must be at least one second") == true)
        }
        let error = #expect(throws: SpileError.self) { try FileSetLease.renewal(1801) }
        #expect(error?.message.contains("exceeds max ttl") == true)
        #expect(throws: SpileError.self) { try FileSetLease.composed(-1) }
    }

    @Test func `rows of expired file sets go when new ones come, and all at once for the collector`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        for index in 0..<40 { _ = try await upload(history) { try $0.put("/\(index)", "1") } }
        func rows() throws -> Int {
            try history.read { try $0.fileSets(beyond: nil, limit: 1000) }.count
        }
        try advance(history, seconds: 601)
        #expect(try rows() == 40)
        _ = try await upload(history) { try $0.put("/new", "1") }
        #expect(try rows() == 40 + 1 - 16)
        #expect(try await history.removeExpiredFileSets(batch: 10) == 24)
        #expect(try rows() == 1)
    }

    @Test func `a pinned file set keeps its trees when its lease is over`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { try $0.put("/a", "1") }
        let record = try await history.pin(fileSet: handle, seconds: 10_000, slack: 500, as: History.user)
        #expect(try await history.pin(fileSet: handle, seconds: 10_000, slack: 500, as: History.user) == record)
        try advance(history, seconds: 9_000)
        await expectGone { _ = try await read(history, handle) }
        #expect(try await history.removeExpiredFileSets() == 0)
        #expect(try history.readableFileSet(record.id)?.content == record.content)
        try advance(history, seconds: 2_000)
        #expect(try history.readableFileSet(record.id) == nil)
        #expect(try await history.removeExpiredFileSets() == 1)
    }

    @Test func `a damaged tree of a file set is found`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { try $0.put("/a", "1") }
        #expect(try history.findings() == [])
        try await history.transact(as: .server) { transaction in
            var set = try #require(try transaction.catalog.fileSets(beyond: nil, limit: 1).first)
            set.content.files += 1
            // Nothing changes a file set's trees: another one stands for it.
            set.id = FileSetID(transaction.id)
            try transaction.catalog.insert(set)
        }
        let found = try history.findings()
        #expect(found.count == 1)
        #expect(found.first?.subject.hasPrefix("file set ") == true)
        #expect(found.first.map { handle.contains($0.subject.dropFirst(9)) } == false)
    }

    // MARK: Cache

    @Test func `code of a pipeline does not read the cache`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        try await history.putCache("k", value: [1], tag: "", fileSets: [], as: History.user)
        let error = await #expect(throws: SpileError.self) {
            _ = try await history.cached("k", as: .launch(PipelineKey(name: "tap"), epoch: 1))
        }
        #expect(error?.code == .permissionDenied)
    }

    @Test func `the cache keeps the first value, and its file sets alive`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        let handle = try await upload(history) { try $0.put("/a", "1") }
        try await history.putCache("k", value: [1], tag: "t/1", fileSets: [handle], as: History.user)
        try await history.putCache("k", value: [2], tag: "t/1", fileSets: [], as: History.user)
        #expect(try await history.cached("k", as: History.user) == [1])
        try advance(history, seconds: 100_000)
        #expect(try await history.cached("k", as: History.user) == [1])
        #expect(try await read(history, handle) == ["/a": "1"])
        try await history.clearCache(tagPrefix: "t/2", as: History.user)
        #expect(try await history.cached("k", as: History.user) == [1])
        try await history.clearCache(tagPrefix: "t/", as: History.user)
        let error = await #expect(throws: SpileError.self) { _ = try await history.cached("k", as: History.user) }
        #expect(error?.code == .notFound)
        await expectGone { _ = try await read(history, handle) }
        await expectGone {
            try await history.putCache("k", value: [], tag: "", fileSets: [handle], as: History.user)
        }
    }

    @Test func `a hit keeps an entry from being the next to go`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        try await history.transact(as: History.user) { transaction in
            for number in 0..<Limits.cacheEntries {
                _ = try transaction.catalog.insert(
                    CacheRecord(key: "\(number)", value: [1], tag: "", fileSets: [], usedAt: transaction.now))
            }
        }
        try advance(history, seconds: 61)
        _ = try await history.cached("0", as: History.user)
        try await history.putCache("new", value: [2], tag: "", fileSets: [], as: History.user)
        #expect(try await history.cached("0", as: History.user) == [1])
        #expect(try await history.cached("new", as: History.user) == [2])
        await #expect(throws: SpileError.self) { _ = try await history.cached("1", as: History.user) }
    }

    @Test func `what is too large for the cache is refused`() async throws {
        let fixture = try TestHistory()
        let history = fixture.history
        for (key, value) in [("k", Limits.cacheValueBytes + 1), (String(repeating: "k", count: 5000), 1), ("a\0b", 1)] {
            let error = await #expect(throws: SpileError.self) {
                try await history.putCache(
                    key, value: [UInt8](repeating: 0, count: value), tag: "", fileSets: [], as: History.user)
            }
            #expect(error?.code == .invalidArgument)
        }
    }
}
