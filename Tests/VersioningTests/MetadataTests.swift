import Core
import Simulation
import Testing
import Versioning

/// Labels on things, and that a set of edits is made whole or not at all.
@Suite struct MetadataTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    @Test func `edits show on every kind of thing`() async throws {
        let repo = try await history.makeRepo("a")
        let branch = repo.branch("master")
        let commit = try await history.modify(CommitHandle(branch)) { try $0.put("/x", "1") }
        let change = MetadataEdit.Change.add(key: "k", value: "v")
        let before = try history.read { try $0.existingBranch(branch).updatedAt }
        try await history.edit(
            [
                MetadataEdit(.cluster, change), MetadataEdit(.project(.standard), change),
                MetadataEdit(.repo(repo), change),
                MetadataEdit(.branch(branch), change), MetadataEdit(.commit(CommitPicker(.id(commit))), change),
            ], as: History.user)
        try fixture.restart()
        try history.read { catalog throws in
            #expect(try catalog.clusterMetadata() == ["k": "v"])
            #expect(try catalog.project(.standard)?.metadata == ["k": "v"])
            #expect(try catalog.repo(repo)?.metadata == ["k": "v"])
            let record = try catalog.existingBranch(branch)
            #expect(record.metadata == ["k": "v"])
            #expect(record.updatedAt > before)
            #expect(try catalog.existingCommit(CommitHandle(commit)).metadata == ["k": "v"])
        }
        // The content is as it was, and the branch goes on.
        #expect(try history.content(CommitHandle(commit), "/x") == Array("1".utf8))
        _ = try await history.modify(CommitHandle(branch)) { try $0.put("/y", "2") }
        #expect(try history.read { try $0.existingBranch(branch).metadata } == ["k": "v"])
        #expect(try history.findings() == [])
    }

    @Test func `one bad edit undoes all, and each bad one is named by its number`() async throws {
        let repo = try await history.makeRepo("a")
        try await history.edit([MetadataEdit(.repo(repo), .add(key: "k", value: "1"))], as: History.user)
        let error = await #expect(throws: SpileError.self) {
            try await history.edit(
                [
                    MetadataEdit(.project(.standard), .add(key: "k", value: "2")),
                    MetadataEdit(.repo(repo), .add(key: "k", value: "2")),
                    MetadataEdit(.repo(RepoKey(name: "none")), .edit(key: "k", value: "2")),
                ], as: History.user)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(
            error?.message == """
                edit #1: add_key target key "k" already exists; use edit_key instead
                edit #2: repo default/none not found
                """)
        try history.read { catalog throws in
            #expect(try catalog.project(.standard)?.metadata == [:])
            #expect(try catalog.repo(repo)?.metadata == ["k": "1"])
        }
    }

    @Test func `later edits see earlier ones`() async throws {
        try await history.edit(
            [
                MetadataEdit(.cluster, .replace(["a": "1", "b": "2"])), MetadataEdit(.cluster, .delete(key: "a")),
                MetadataEdit(.cluster, .add(key: "a", value: "3")), MetadataEdit(.cluster, .edit(key: "b", value: "4")),
            ], as: History.user)
        #expect(try history.read { try $0.clusterMetadata() } == ["a": "3", "b": "4"])
        try await history.edit([MetadataEdit(.cluster, .replace([:]))], as: History.user)
        #expect(try history.read { try $0.clusterMetadata() } == [:])
    }

    @Test func `more edits than a call may hold are refused`() async throws {
        let many = [MetadataEdit](repeating: MetadataEdit(.cluster, .delete(key: "a")), count: Limits.metadataEdits + 1)
        let error = await #expect(throws: SpileError.self) { try await history.edit(many, as: History.user) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `a launch labels its own output and nothing else`() async throws {
        let pipeline = PipelineKey(name: "tap")
        let other = try await history.makeRepo("other")
        let output = try await history.makeRepo(pipeline.name)
        try await history.transact(as: .server) { transaction in
            try transaction.catalog.put(
                LaunchRecord(
                    pipeline: pipeline, epoch: 1, version: 1, tokenHash: Digest([UInt8](repeating: 1, count: 32)),
                    handle: "", startedAt: transaction.now, failures: 0))
        }
        let code = Principal.launch(pipeline, epoch: 1)
        let change = MetadataEdit.Change.edit(key: "k", value: "v")
        try await history.edit([MetadataEdit(.repo(output), change)], as: code)
        for target in [
            MetadataEdit.Target.repo(other), .cluster, .project(.standard), .pipeline(pipeline),
            .branch(other.branch("master")), .commit(CommitPicker(.head(other.branch("master")))),
        ] {
            let error = await #expect(throws: SpileError.self) {
                try await history.edit([MetadataEdit(target, change)], as: code)
            }
            #expect(error?.code == .permissionDenied, "\(target)")
        }
    }
}

/// Finding a commit by the ways callers have.
@Suite struct PickerTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }

    init() throws { fixture = try TestHistory() }

    @Test func `counting from the start of a branch and back finds what a list would`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        var commits: [CommitKey] = []
        for number in 0..<7 {
            commits.append(try await history.modify(CommitHandle(branch)) { try $0.put("/x", "\(number)") })
        }
        for offset in 0..<9 {
            for back in 0..<9 {
                let picker = CommitPicker(.root(branch, offset: offset), back: back)
                let isThere = offset < 7 && back <= offset
                let found = try? history.read { try $0.existingCommit(picker).key }
                #expect(found == (isThere ? commits[offset - back] : nil), "\(picker)")
                #expect((try? history.pinned(picker)) == (isThere ? CommitPicker(.id(commits[offset - back])) : nil))
            }
        }
        for back in 0..<9 {
            let picker = CommitPicker(.id(commits[6]), back: back)
            #expect((try? history.read { try $0.existingCommit(picker).key }) == (back < 7 ? commits[6 - back] : nil))
            #expect(try history.pinned(picker) == picker)
        }
        let handle = CommitHandle(repo: branch.repo, branch: "master", id: ".3")
        #expect(try history.pinned(handle) == CommitHandle(commits[2]))
        let head = CommitHandle(branch)
        #expect(try history.pinned(head) == head)
    }

    @Test func `a long way back is walked before the transaction, and what is not there is left to it`() async throws {
        let branch = try await history.makeRepo("a").branch("master")
        var first: CommitKey?
        for number in 0..<70 {
            let key = try await history.modify(CommitHandle(branch)) { try $0.put("/x", "\(number)") }
            first = first ?? key
        }
        let far = CommitHandle(repo: branch.repo, branch: "master", id: "^69")
        #expect(try history.pinned(far) == CommitHandle(try #require(first)))
        let none = CommitHandle(repo: RepoKey(name: "none"), branch: "master", id: ".1")
        #expect(try history.pinned(none) == none)
        let error = #expect(throws: SpileError.self) {
            try history.pinned(CommitHandle(repo: branch.repo, branch: "master", id: "^70"))
        }
        #expect(error?.message.contains("invalid offset for ancestor") == true)
    }
}
