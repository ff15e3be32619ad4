import Core
import Testing
import Versioning

@Suite struct CommitTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    @Test func aNewBranchWithoutHeadGetsAnEmptyFinishedCommit() async throws {
        let repo = try await history.makeRepo("a")
        try await history.transact(as: History.user) {
            try $0.createBranch(repo.branch("master"))
        }
        let head = try await history.commit(CommitHandle(repo.branch("master")), at: .finished)
        #expect(head.origin == .auto)
        #expect(head.root.isEmpty)
    }

    @Test func aSecondStartOnAnOpenHeadIsRefused() async throws {
        let repo = try await history.makeRepo("a")
        _ = try await history.start(repo.branch("master"))
        let error = await #expect(throws: SpileError.self) { try await history.start(repo.branch("master")) }
        #expect(error?.message.contains("has not been finished") == true)
        #expect(error?.message.hasPrefix("parent commit default/a@") == true)
    }

    @Test func aCommitCanBeFinishedOnce() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.start(repo.branch("master"))
        try await history.finish(key)
        let error = await #expect(throws: SpileError.self) { try await history.finish(key) }
        #expect(error?.message == "commit \(key) has already finished")
    }

    @Test func startingInAMissingRepoNamesIt() async throws {
        let error = await #expect(throws: SpileError.self) {
            try await history.start(RepoKey(name: "nope").branch("master"))
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "repo default/nope not found")
    }

    @Test func aWriteToABranchMakesOneFinishedCommit() async throws {
        let repo = try await history.makeRepo("a")
        let handle = CommitHandle(repo.branch("master"))
        let first = try await history.modify(handle) { try $0.put("/x", "1") }
        let second = try await history.modify(handle) { try $0.put("/y", "2") }
        let record = try await history.commit(CommitHandle(second), at: .finished)
        #expect(try history.read { try $0.knownCommit(#require(record.parent)).key } == first)
        #expect(try await history.paths(handle) == ["/", "/x", "/y"])
        #expect(try await history.paths(CommitHandle(first)) == ["/", "/x"])
    }

    @Test func aWriteToABranchWithAnOpenHeadGoesIntoIt() async throws {
        let repo = try await history.makeRepo("a")
        let open = try await history.start(repo.branch("master"))
        let written = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") }
        #expect(written == open)
        #expect(try await history.commit(CommitHandle(open), at: .started).isOpen)
        #expect(try await history.paths(CommitHandle(open)) == ["/", "/x"])
    }

    @Test func aWriteToAFinishedCommitByIDIsRefused() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") }
        let error = await #expect(throws: SpileError.self) {
            try await history.modify(CommitHandle(key)) { try $0.put("/y", "2") }
        }
        #expect(error?.message == "commit \(key) has already finished")
    }

    @Test func anUnknownIDBesideABranchWritesToTheBranch() async throws {
        let repo = try await history.makeRepo("a")
        let handle = CommitHandle(repo: repo, branch: "master", id: "0123456789ab4def0123456789abcdef")
        try await history.modify(handle) { try $0.put("/x", "1") }
        #expect(try await history.paths(CommitHandle(repo.branch("master"))) == ["/", "/x"])
    }

    @Test func aWriteThatRacesWithFinishIsRefusedWhole() async throws {
        // writer: begins          ... hands in -> refused
        // other:          finish
        let repo = try await history.makeRepo("a")
        let key = try await history.start(repo.branch("master"))
        let upload = try Upload(to: CommitHandle(key), in: history, as: History.user)
        try upload.put("/late", "1")
        try await history.finish(key)
        await #expect(throws: SpileError.self) { try await upload.finish() }
        #expect(try await history.paths(CommitHandle(key)) == [])
    }

    @Test func anUploadThatIsDroppedLeavesNothing() async throws {
        let repo = try await history.makeRepo("a")
        do {
            let upload = try Upload(to: CommitHandle(repo.branch("master")), in: history, as: History.user)
            try upload.put("/x", "1")
        }
        #expect(throws: SpileError.self) { try history.files(CommitHandle(repo.branch("master"))) }
    }

    @Test func aCommitInErrorIsReadableButNotInherited() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) { try $0.put("/good", "1") }
        let bad = try await history.start(repo.branch("master"))
        try await history.modify(CommitHandle(bad)) { try $0.put("/bad", "2") }
        try await history.finish(CommitHandle(bad), description: "", error: "broken", force: false, as: History.user)
        try await history.modify(branch) { try $0.put("/next", "3") }
        #expect(try await history.paths(CommitHandle(bad)) == ["/", "/bad", "/good"])
        #expect(try await history.paths(branch) == ["/", "/good", "/next"])
    }

    @Test func aPathThatIsFileAndDirectoryPutsTheCommitInError() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        for (first, second) in [(["/foo", "/foo.txt", "/foo/x"], []), (["/d/x"], ["/d"]), (["/e"], ["/e/x"])] {
            try await history.modify(branch) { upload in
                try upload.delete(path: "/", datum: "")
                for path in first { try upload.put(path, "1") }
            }
            if !second.isEmpty { try await history.modify(branch) { try $0.put(second[0], "2") } }
            let head = try await history.commit(branch, at: .finished)
            #expect(head.error.contains("file / directory path collision"), "\(first) \(second)")
        }
    }

    @Test func twoDatumsOnOnePathPutTheCommitInError() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        try await history.modify(branch) { upload in
            for datum in ["one", "two"] {
                try Array("x".utf8).withUnsafeBytes { try upload.add(path: "/p", datum: datum, bytes: $0) }
            }
        }
        let head = try await history.commit(branch, at: .finished)
        #expect(head.error == "duplicate path output by different datums (/p from one and /p from two)")
    }

    @Test func aPathThatAnotherDatumWroteInAnEarlierCommitPutsTheCommitInError() async throws {
        let branch = CommitHandle(try await history.makeRepo("a").branch("master"))
        for datum in ["two", "one"] {
            try await history.modify(branch) { upload in
                for path in ["/o", "/p"] where path == "/p" || datum == "two" {
                    try Array("x".utf8).withUnsafeBytes { try upload.add(path: path, datum: datum, bytes: $0) }
                }
            }
        }
        let head = try await history.commit(branch, at: .finished)
        #expect(head.error == "duplicate path output by different datums (/p from one and /p from two)")
    }

    @Test func ancestryWalksParentsAndNumbersFromTheRoot() async throws {
        let repo = try await history.makeRepo("a")
        var keys: [CommitKey] = []
        for index in 0..<4 {
            keys.append(try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/\(index)", "") })
        }
        let handles = [("master^", 2), ("master~3", 0), ("master.1", 0), ("master.4", 3), ("\(keys[2].id)^2", 0)]
        for (text, index) in handles {
            let found = try history.read { try $0.existingCommit(CommitHandle(repo: repo, branch: "", id: text)) }
            #expect(found.key == keys[index], "\(text)")
        }
        for text in ["master^4", "master.5"] {
            let error = #expect(throws: SpileError.self) {
                try history.read { try $0.existingCommit(CommitHandle(repo: repo, branch: "", id: text)) }
            }
            #expect(error?.message.contains("invalid offset for ancestor") == true)
        }
    }

    @Test func everythingIsThereAfterARestart() async throws {
        let repo = try await history.makeRepo("a")
        for index in 0..<50 {
            try await history.modify(CommitHandle(repo.branch("master"))) {
                try $0.put("/f\(index)", "content \(index)")
            }
        }
        try fixture.restart()
        let handle = CommitHandle(repo.branch("master"))
        for index in 0..<50 {
            #expect(try history.content(handle, "/f\(index)") == Array("content \(index)".utf8))
        }
        #expect(try history.findings() == [])
    }
}

@Suite struct WaitingTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    @Test func waitingEndsWhenTheCommitIsFinished() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.start(repo.branch("master"))
        let history = history
        async let waited = history.commit(CommitHandle(key), at: .finished)
        try await history.finish(key)
        #expect(try await waited.finished != nil)
    }

    @Test func waitingEndsWhenTheRepoIsDeleted() async throws {
        let repo = try await history.makeRepo("a")
        let key = try await history.start(repo.branch("master"))
        let history = history
        async let waited = history.commit(CommitHandle(key), at: .finished)
        _ = try await history.transact(as: History.user) { try $0.deleteRepo(repo, force: false) }
        do {
            _ = try await waited
            Issue.record("the wait ended well")
        } catch let error as SpileError {
            #expect(error.message == "commit \(key) was deleted" || error.code == .notFound)
        }
    }

    @Test func aSubscriberGetsOldAndNewCommitsOnceInOrder() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        var written: [CommitKey] = []
        for _ in 0..<5 { written.append(try await history.modify(branch) { try $0.put("/x", "1") }) }
        let history = history
        let (seen, inbox) = AsyncStream.makeStream(of: CommitKey.self)
        let subscriber = Task {
            try await history.subscribe(CommitSubscription(repo: repo, branch: "master", stage: .finished)) {
                inbox.yield($0.record.key)
            }
        }
        for _ in 0..<20 { written.append(try await history.modify(branch) { try $0.put("/x", "2") }) }
        var got: [CommitKey] = []
        for await key in seen {
            got.append(key)
            if got.count == written.count { break }
        }
        subscriber.cancel()
        #expect(got == written)
        await #expect(throws: CancellationError.self) { try await subscriber.value }
    }

    @Test func aSubscriberFromACommitGetsOnlyLaterOnes() async throws {
        let repo = try await history.makeRepo("a")
        let branch = CommitHandle(repo.branch("master"))
        let first = try await history.modify(branch) { try $0.put("/x", "1") }
        let second = try await history.modify(branch) { try $0.put("/x", "2") }
        let history = history
        let (seen, inbox) = AsyncStream.makeStream(of: CommitKey.self)
        let subscriber = Task {
            try await history.subscribe(CommitSubscription(repo: repo, from: CommitHandle(first))) {
                inbox.yield($0.record.key)
            }
        }
        for await key in seen {
            #expect(key == second)
            break
        }
        subscriber.cancel()
    }
}

@Suite struct ListingTests {
    let fixture: TestHistory
    var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    private func list(_ query: CommitQuery) async throws -> [CommitKey] {
        var keys: [CommitKey] = []
        try await history.list(query) { keys.append($0.record.key) }
        return keys
    }

    @Test func aRepoIsListedNewestFirstWithinTheLimit() async throws {
        let repo = try await history.makeRepo("a")
        var written: [CommitKey] = []
        for _ in 0..<5 {
            written.append(try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") })
        }
        #expect(try await list(CommitQuery(repo: repo)) == written.reversed())
        #expect(try await list(CommitQuery(repo: repo, limit: 2)) == written.suffix(2).reversed())
        #expect(try await list(CommitQuery(repo: repo, isReverse: true)) == written)
        #expect(try await list(CommitQuery(repo: repo, origin: .auto)) == [])
    }

    @Test func aLineageStopsBeforeItsStart() async throws {
        let repo = try await history.makeRepo("a")
        var written: [CommitKey] = []
        for _ in 0..<4 {
            written.append(try await history.modify(CommitHandle(repo.branch("master"))) { try $0.put("/x", "1") })
        }
        let query = CommitQuery(repo: repo, to: CommitHandle(written[2]), from: CommitHandle(written[0]))
        #expect(try await list(query) == [written[2], written[1]])
        await #expect(throws: SpileError.self) {
            try await list(CommitQuery(repo: repo, from: CommitHandle(written[0])))
        }
    }
}
