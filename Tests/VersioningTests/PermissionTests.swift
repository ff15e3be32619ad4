import Core
import Simulation
import Testing
import Versioning

/// What the code of a pipeline may do, and what only it may do.
@Suite struct PermissionTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }
    private let pipeline = PipelineKey(name: "tap")
    private var output: RepoKey { pipeline.repo(.user) }

    init() throws { fixture = try TestHistory() }

    /// Makes the pipeline's output repo and records a launch.
    private func prepare(epoch: Int64 = 1) async throws {
        _ = try await history.makeRepo(pipeline.name)
        try await launch(epoch)
    }

    /// Records the newest launch; nil for none, as after a stop.
    private func launch(_ epoch: Int64?) async throws {
        try await history.transact(as: .server) { [pipeline] transaction in
            guard let epoch else { return try transaction.catalog.deleteLaunch(pipeline) }
            try transaction.catalog.put(
                LaunchRecord(
                    pipeline: pipeline, epoch: epoch, version: 1,
                    tokenHash: Digest((0..<32).map { UInt8($0) + UInt8(epoch) }), handle: "",
                    startedAt: transaction.now, failures: 0))
        }
    }

    private func code(_ epoch: Int64) -> Principal { .launch(pipeline, epoch: epoch) }

    private func write(_ path: String, to branch: BranchKey, as principal: Principal) async throws -> CommitKey {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: principal)
        try upload.put(path, "x")
        return try await upload.finish()
    }

    private func expectDenied(_ part: String = "", _ body: () async throws -> Void) async {
        let error = await #expect(throws: SpileError.self) { try await body() }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("not authorized to perform this operation") == true)
        #expect(part.isEmpty || error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test func `a launch writes its own output repo and is named as the maker`() async throws {
        try await prepare()
        let key = try await write("/a", to: output.branch("master"), as: code(1))
        let commit = try await history.commit(CommitHandle(key), at: .finished)
        #expect(commit.createdBy == "pipeline:default/tap")
        #expect(try await history.paths(CommitHandle(key)) == ["/", "/a"])
    }

    @Test func `a launch may not write another repo`() async throws {
        try await prepare()
        let other = try await history.makeRepo("other")
        await expectDenied("default/other") { _ = try await write("/a", to: other.branch("master"), as: code(1)) }
        #expect(try history.read { try $0.branches(repo: nil) } == [])
    }

    @Test func `a launch may not write a repo of the same name in another project`() async throws {
        try await prepare()
        try await history.transact(as: History.user) {
            try $0.createProject(ProjectKey("else"), description: "", update: false)
        }
        let other = try await history.makeRepo(pipeline.name, project: "else")
        await expectDenied { _ = try await write("/a", to: other.branch("master"), as: code(1)) }
    }

    @Test(arguments: [RepoType.meta, .spec])
    func `a launch may not write its pipeline's system repos`(type: RepoType) async throws {
        try await prepare()
        let system = pipeline.repo(type)
        try await history.transact(as: .server) { try $0.createRepo(system, description: "", update: false) }
        await expectDenied { _ = try await write("/a", to: system.branch("master"), as: code(1)) }
    }

    @Test func `an older launch is fenced by a newer one`() async throws {
        try await prepare()
        _ = try await write("/a", to: output.branch("master"), as: code(1))
        try await launch(2)
        await expectDenied("launch 2 has taken over") {
            _ = try await write("/b", to: output.branch("master"), as: code(1))
        }
        let key = try await write("/c", to: output.branch("master"), as: code(2))
        #expect(try await history.paths(CommitHandle(key)) == ["/", "/a", "/c"])
    }

    @Test func `a launch is fenced in the middle of a stream`() async throws {
        try await prepare()
        let upload = try Upload(to: CommitHandle(output.branch("master")), in: history, as: code(1))
        try upload.put("/a", "x")
        try await launch(2)
        await expectDenied { _ = try await upload.finish() }
        #expect(try history.read { try $0.branches(repo: nil) } == [])
    }

    @Test func `a launch that is fenced with a commit open can neither write nor finish it`() async throws {
        try await prepare()
        let branch = output.branch("master")
        let open = try await history.transact(as: code(1)) {
            try $0.startCommit(on: branch, parent: nil, description: "")
        }.key
        try await launch(2)
        await expectDenied { _ = try await write("/a", to: branch, as: code(1)) }
        await expectDenied {
            try await history.finish(CommitHandle(open), description: "", error: "", force: false, as: code(1))
        }
        #expect(try await history.paths(CommitHandle(open)) == [])
        try await history.finish(CommitHandle(open), description: "", error: "", force: false, as: code(2))
    }

    @Test func `a launch of a stopped pipeline writes nothing`() async throws {
        try await prepare()
        try await launch(nil)
        await expectDenied("the pipeline is stopped") {
            _ = try await write("/a", to: output.branch("master"), as: code(1))
        }
    }

    @Test func `a launch that does not exist yet writes nothing`() async throws {
        try await prepare()
        await expectDenied { _ = try await write("/a", to: output.branch("master"), as: code(7)) }
    }

    @Test func `a launch changes no branch, repo or project that is not its own`() async throws {
        try await prepare()
        let other = try await history.makeRepo("other")
        let key = try await history.modify(CommitHandle(other.branch("master"))) { try $0.put("/a", "x") }
        let changes: [@Sendable (HistoryTransaction) throws -> Void] = [
            { try $0.createBranch(other.branch("more"), BranchChange(head: CommitHandle(key))) },
            { try $0.deleteBranch(other.branch("master"), force: true) },
            { _ = try $0.startCommit(on: other.branch("master"), parent: nil, description: "") },
            { try $0.createRepo(RepoKey(name: "new"), description: "", update: false) },
            { try $0.createRepo(other, description: "changed", update: true) },
            { _ = try $0.deleteRepo(other, force: true) },
            { try $0.createProject(ProjectKey("new"), description: "", update: false) },
            { try $0.deleteProject(ProjectKey("default")) },
            { try $0.deleteEverything() },
        ]
        for (index, change) in changes.enumerated() {
            await expectDenied { try await history.transact(as: code(1), change) }
            #expect(try history.read { try $0.repos(in: nil, type: nil).count } == 2, "change \(index)")
            #expect(try history.read { try $0.branches(repo: nil).map(\.key.name) } == ["master"], "change \(index)")
        }
    }

    @Test func `a launch does not finish the commit of another repo`() async throws {
        try await prepare()
        let other = try await history.makeRepo("other")
        let open = try await history.start(other.branch("master"))
        await expectDenied {
            try await history.finish(CommitHandle(open), description: "", error: "", force: false, as: code(1))
        }
        #expect(try await history.commit(CommitHandle(open), at: .started).isOpen)
    }

    /// An output branch that derives from the branch `master` of the repo `in`.
    private func deriveOutput() async throws -> BranchKey {
        let input = try await history.makeRepo("in")
        let branch = output.branch("master")
        try await history.transact(as: .server) {
            try $0.createBranch(branch, BranchChange(provenance: [input.branch("master")]))
        }
        let open = try history.read { try $0.existingCommit(CommitHandle(branch)) }
        if open.isOpen {
            try await history.finish(CommitHandle(open.key), description: "", error: "", force: true, as: .server)
        }
        return branch
    }

    @Test func `users may not start commits on a branch that derives from others`() async throws {
        try await prepare()
        let branch = try await deriveOutput()
        let attempts: [() async throws -> Void] = [
            { _ = try await history.start(branch) },
            { try await history.modify(CommitHandle(branch)) { try $0.put("/a", "x") } },
        ]
        for attempt in attempts {
            let error = await #expect(throws: SpileError.self) { try await attempt() }
            #expect(error?.message == "cannot start a commit on an output branch: default/tap@master")
        }
    }

    @Test func `the pipeline's own code starts commits on a branch that derives from others`() async throws {
        try await prepare()
        let branch = try await deriveOutput()
        let key = try await write("/a", to: branch, as: code(1))
        #expect(try await history.paths(CommitHandle(key)) == ["/", "/a"])
    }
}
