import Core
import Foundation
import Simulation
import Testing
import Versioning

/// Authentication: tokens, roles, and what they allow inside the transactions in which it is done.
@Suite struct AccessControlTests {
    private let fixture: TestHistory
    private var history: History { fixture.history }
    private let root = Principal.subject(.root)
    private let alice = Subject.testing("robot:alice")
    private let bob = Subject.testing("robot:bob")
    private var repo: RepoKey { RepoKey(name: "r") }

    init() throws { fixture = try TestHistory() }

    @discardableResult
    private func activate() async throws -> String {
        let token = try await history.activateAuth(rootToken: nil)
        try await history.bindEverything(as: root)
        return token
    }

    private func makeRepo(as subject: Subject) async throws {
        try await history.transact(as: .subject(subject)) { [repo] in
            try $0.createRepo(repo, description: "", update: false)
        }
    }

    private func write(_ path: String, as subject: Subject, branch: String = "master") async throws {
        let upload = try Upload(to: CommitHandle(repo.branch(branch)), in: history, as: .subject(subject))
        try upload.put(path, "x")
        _ = try await upload.finish()
    }

    private func give(_ role: Role, _ subject: Subject, at resource: AccessResource) async throws {
        try await history.setRoles(at: resource, of: subject, to: [role], as: root)
    }

    private func expect(_ code: SpileError.Code, _ part: String = "", _ body: () async throws -> Void) async {
        let error = await #expect(throws: SpileError.self) { try await body() }
        #expect(error?.code == code, "\(error?.description ?? "")")
        #expect(part.isEmpty || error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    // MARK: On and off

    @Test func `it is off at first, on once activated, and stays so over a restart`() async throws {
        #expect(!history.isAuthOn)
        let token = try await activate()
        #expect(history.isAuthOn)
        #expect(token.count == 32)
        try fixture.restart()
        #expect(history.isAuthOn)
        #expect(try history.tokenRecord(token).subject == .root)
        await expect(.unimplemented, "already activated") { try await activate() }
    }

    @Test func `turning it off takes tokens, roles and groups away`() async throws {
        let token = try await activate()
        try await makeRepo(as: alice)
        try await history.setGroups(of: alice, to: ["team"], as: root)
        await expect(.permissionDenied) { try await history.deactivateAuth(as: .subject(alice)) }
        try await history.deactivateAuth(as: root)
        #expect(!history.isAuthOn)
        await expect(.unauthenticated) { _ = try history.tokenRecord(token) }
        #expect(try history.groups(of: alice) == [])
        try await activate()
        #expect(try history.roleBinding(AccessResource(repo)) == RoleBinding())
    }

    @Test func `a root token that is easy to guess is refused`() async throws {
        for token in ["", "short", "sixteen letters and blanks", "launch-0123456789abcdef"] {
            await expect(.invalidArgument) { _ = try await history.activateAuth(rootToken: token) }
        }
        #expect(!history.isAuthOn)
    }

    @Test func `the root token is replaced, and the old one is good no longer`() async throws {
        let old = try await activate()
        await expect(.permissionDenied) { _ = try await history.rotateRootToken(to: nil, as: .subject(alice)) }
        let new = try await history.rotateRootToken(to: nil, as: root)
        #expect(try history.isRootToken(new))
        await expect(.unauthenticated) { _ = try history.tokenRecord(old) }
    }

    @Test func `who came while it was off has no rights once it is on`() async throws {
        let nobody = Principal.user("")
        let make: @Sendable (HistoryTransaction) throws -> Void = { [repo] in
            try $0.createRepo(repo, description: "", update: true)
        }
        try await history.transact(as: nobody, make)
        try await activate()
        await expect(.unauthenticated, "no authentication token") { try await history.transact(as: nobody, make) }
        try await history.deactivateAuth(as: root)
        try await history.transact(as: nobody, make)
    }

    @Test func `turned on and off at once, it is what the last transaction left`() async throws {
        let history = history
        for _ in 0..<100 {
            async let on = try? history.activateAuth(rootToken: nil)
            async let off: Void? = try? history.deactivateAuth(as: .server)
            _ = await (on, off)
            #expect(try history.read { try $0.hasAuth() } == history.isAuthOn)
        }
    }

    @Test func `code of a pipeline decides of nobody's rights, whatever its roles`() async throws {
        try await activate()
        let pipeline = PipelineKey(name: "p")
        try await give(.clusterAdmin, Subject(pipeline), at: .cluster)
        let (history, alice) = (history, alice)
        let code = Principal.launch(pipeline, epoch: 1)
        let token = TokenRecord(hash: Digest((0..<32).map { UInt8($0) }), subject: alice)
        let calls: [() async throws -> Void] = [
            { try await history.setRoles(at: .cluster, of: alice, to: [.clusterAdmin], as: code) },
            { _ = try await history.robotToken(of: alice, seconds: 0, as: code) },
            { try await history.setGroups(of: alice, to: ["team"], as: code) },
            { try await history.modify(group: "team", adding: [alice], removing: [], as: code) },
            { try await history.restore(token, as: code) },
            { _ = try await history.rotateRootToken(to: nil, as: code) },
            { try await history.deactivateAuth(as: code) },
        ]
        for call in calls { await expect(.permissionDenied, "only a user", call) }
    }

    // MARK: Tokens

    @Test func `no file of the data folder holds a token`() async throws {
        let tokens = [
            try await activate(), try await history.robotToken(of: alice, seconds: 0, as: root),
        ]
        try fixture.restart()
        for name in try FileManager.default.subpathsOfDirectory(atPath: fixture.folder) {
            guard let bytes = FileManager.default.contents(atPath: fixture.folder + "/" + name) else { continue }
            for token in tokens {
                #expect(bytes.range(of: Data(token.utf8)) == nil, "\(name) holds a token")
            }
        }
    }

    @Test func `a token ends with its time, and is known as such until it is purged`() async throws {
        try await activate()
        let token = try await history.robotToken(of: alice, seconds: 60, as: root)
        #expect(try history.tokenRecord(token).subject == alice)
        fixture.clock.advance(seconds: 60)
        await expect(.internal, "token expiration is in the past") { _ = try history.tokenRecord(token) }
        try await history.deleteExpiredTokens(as: root)
        await expect(.unauthenticated, "corrupted or has expired") { _ = try history.tokenRecord(token) }
    }

    @Test func `tokens are revoked one by one, or all of a subject`() async throws {
        try await activate()
        var tokens: [String] = []
        for _ in 0..<3 { tokens.append(try await history.robotToken(of: alice, seconds: 0, as: root)) }
        #expect(try await history.revoke(token: tokens[0], as: .subject(bob)) == 1)
        #expect(try await history.revoke(token: tokens[0], as: .subject(bob)) == 0)
        await expect(.permissionDenied) { _ = try await history.revokeTokens(of: alice, as: .subject(bob)) }
        #expect(try await history.revokeTokens(of: alice, as: root) == 2)
        await expect(.invalidArgument) { _ = try await history.revokeTokens(of: .root, as: root) }
        await expect(.unauthenticated) { _ = try history.tokenRecord(tokens[2]) }
    }

    @Test func `hashes of robots' tokens are taken to another server`() async throws {
        try await activate()
        let token = try await history.robotToken(of: alice, seconds: 0, as: root)
        let taken = try history.robotTokens(as: root)
        #expect(taken.map(\.subject) == [alice])
        await expect(.alreadyExists) { try await history.restore(taken[0], as: root) }
        #expect(try await history.revokeTokens(of: alice, as: root) == 1)
        try await history.restore(taken[0], as: root)
        #expect(try history.tokenRecord(token).subject == alice)
        await expect(.invalidArgument) {
            try await history.restore(TokenRecord(hash: .zero, subject: .root), as: root)
        }
    }

    // MARK: Roles

    @Test func `who makes a repo owns it, and deleting it takes the binding away`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        #expect(try history.roleBinding(AccessResource(repo)).entries == [alice: [.repoOwner]])
        try await write("/a", as: alice)
        await expect(.permissionDenied, "REPO_WRITE") { try await write("/b", as: bob) }
        let gone = try await history.transact(as: .subject(bob)) { try $0.deleteRepos(in: nil, force: true) }
        #expect(gone == [])
        _ = try await history.transact(as: .subject(alice)) { [repo] in try $0.deleteRepo(repo, force: false) }
        await expect(.notFound, "no role binding exists for") { _ = try history.roleBinding(AccessResource(repo)) }
    }

    @Test func `who makes a project owns it, and lets others make repos in it`() async throws {
        try await activate()
        let lab = ProjectKey("lab")
        try await history.transact(as: .subject(alice)) { try $0.createProject(lab, description: "", update: false) }
        let inLab = RepoKey(project: lab, name: "r")
        let make: @Sendable (HistoryTransaction) throws -> Void = {
            try $0.createRepo(inLab, description: "", update: false)
        }
        await expect(.permissionDenied, "PROJECT_CREATE_REPO") {
            try await history.transact(as: .subject(bob), make)
        }
        try await history.setRoles(at: .project(lab), of: bob, to: [.projectWriter], as: .subject(alice))
        try await history.transact(as: .subject(bob), make)
        #expect(try history.roleBinding(AccessResource(inLab)).entries == [bob: [.repoOwner]])
        await expect(.permissionDenied) {
            try await history.setRoles(at: .project(lab), of: bob, to: [.projectOwner], as: .subject(bob))
        }
        _ = try await history.transact(as: .subject(bob)) { try $0.deleteRepo(inLab, force: false) }
        try await history.transact(as: .subject(alice)) { try $0.deleteProject(lab) }
        await expect(.notFound) { _ = try history.roleBinding(.project(lab)) }
    }

    @Test func `a reader may not write, a writer may not delete, and taking a role away shuts out`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        let resource = AccessResource(repo)
        try await give(.repoReader, bob, at: resource)
        await expect(.permissionDenied) { try await write("/b", as: bob) }
        #expect(try history.verdict(on: resource, [.repoRead], of: bob).missing.isEmpty)
        try await give(.repoWriter, bob, at: resource)
        try await write("/b", as: bob)
        await expect(.permissionDenied, "REPO_DELETE") {
            _ = try await history.transact(as: .subject(bob)) { [repo] in try $0.deleteRepo(repo, force: true) }
        }
        try await history.setRoles(at: resource, of: bob, to: [], as: .subject(alice))
        await expect(.permissionDenied) { try await write("/c", as: bob) }
    }

    @Test func `an open commit is no way in`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        let commit = try await history.transact(as: .subject(alice)) { [repo] in
            try $0.startCommit(on: repo.branch("master"), parent: nil, description: "").key
        }
        await expect(.permissionDenied) {
            _ = try Upload(to: CommitHandle(commit), in: history, as: .subject(bob))
        }
        await expect(.permissionDenied) {
            try await history.finish(
                CommitHandle(commit), description: "", error: "", force: false, as: .subject(bob))
        }
    }

    @Test func `squashing takes a role on the whole server, which owning the repo is not`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        try await write("/a", as: alice)
        try await write("/b", as: alice)
        let first = try history.commits(repo)[0].key
        let squash: @Sendable (HistoryTransaction) throws -> Void = {
            try $0.remove(CommitHandle(first), by: .squash, recursive: false)
        }
        await expect(.permissionDenied, "on CLUSTER") { try await history.transact(as: .subject(alice), squash) }
        try await give(.repoWriter, alice, at: .cluster)
        try await history.transact(as: .subject(alice), squash)
    }

    @Test func `roles of groups and of everybody count`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        try await give(.repoWriter, try Subject("group:team"), at: AccessResource(repo))
        await expect(.permissionDenied) { try await write("/b", as: bob) }
        try await history.modify(group: "team", adding: [bob], removing: [], as: root)
        #expect(try history.groups(of: bob) == ["team"])
        #expect(try history.members(of: Subject(group: "group:team")) == [bob])
        try await write("/b", as: bob)
        try await history.modify(group: "group:team", adding: [], removing: [bob], as: root)
        await expect(.permissionDenied) { try await write("/c", as: bob) }
        try await give(.repoWriter, .everybody, at: AccessResource(repo))
        try await write("/c", as: bob)
    }

    @Test func `roles that cannot be bound somewhere, and subjects that must keep theirs, are refused`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        await expect(.invalidArgument, "cannot be bound") {
            try await give(.clusterAdmin, bob, at: AccessResource(repo))
        }
        await expect(.invalidArgument) { try await give(.repoReader, .root, at: .cluster) }
        await expect(.notFound, "no role binding exists for REPO default/none") {
            try await give(.repoReader, bob, at: AccessResource(RepoKey(name: "none")))
        }
    }

    @Test func `a thing that is not there is said to be so, whoever asks`() async throws {
        try await activate()
        let missing = RepoKey(name: "none").branch("master")
        await expect(.notFound, "repo default/none not found") {
            _ = try await history.transact(as: .subject(alice)) {
                try $0.startCommit(on: missing, parent: nil, description: "")
            }
        }
    }

    @Test func `a stranger is told to log in`() async throws {
        try await activate()
        await expect(.unauthenticated, "no authentication token (try logging in)") {
            try await history.transact(as: .stranger) { [repo] in
                try $0.createRepo(repo, description: "", update: false)
            }
        }
    }

    @Test func `a launch needs its pipeline's role besides being the newest`() async throws {
        try await activate()
        try await makeRepo(as: alice)
        let pipeline = PipelineKey(name: repo.name)
        try await history.transact(as: .server) { transaction in
            try transaction.catalog.put(
                LaunchRecord(
                    pipeline: pipeline, epoch: 1, version: 1, tokenHash: Digest((0..<32).map { UInt8($0) }), handle: "",
                    startedAt: transaction.now, failures: 0))
        }
        let code = Principal.launch(pipeline, epoch: 1)
        let start: @Sendable (HistoryTransaction) throws -> Void = { [repo] in
            _ = try $0.startCommit(on: repo.branch("master"), parent: nil, description: "")
        }
        await expect(.permissionDenied, "pipeline:default/r is not authorized") {
            try await history.transact(as: code, start)
        }
        try await give(.repoWriter, Subject(pipeline), at: AccessResource(repo))
        try await history.transact(as: code, start)
        await expect(.permissionDenied) {
            try await history.transact(as: .launch(pipeline, epoch: 0), start)
        }
    }
}

extension Subject {
    /// One whose text is good.
    static func testing(_ text: String) -> Subject {
        do { return try Subject(text) } catch { preconditionFailure("\(error)") }
    }
}
