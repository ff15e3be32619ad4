import Core
import Testing

/// Roles, and how what a subject may do is found out (`clients.md` §3.3).
@Suite struct AccessTests {
    @Test(arguments: [
        ("repoReader", 9), ("repoWriter", 14), ("repoOwner", 16), ("projectViewer", 1), ("projectWriter", 2),
        ("projectOwner", 21), ("projectCreator", 1), ("secretAdmin", 4), ("robotUser", 1), ("debugger", 3),
        ("lokiLogReader", 1), ("pachdLogReader", 1), ("licenseAdmin", 6), ("oidcAppAdmin", 5), ("idpAdmin", 5),
        ("identityAdmin", 2), ("jobAdmin", 1), ("clusterAdmin", 74),
    ])
    func `each role has as many permissions as the contract says`(name: String, count: Int) throws {
        #expect(try Role.named(name).permissions.count == count)
    }

    @Test func `the table holds the contract's roles, each bindable somewhere`() {
        #expect(Role.all.count == 18)
        #expect(Role.all.allSatisfy { !$0.bindableTo.isEmpty && !$0.returnedFor.isEmpty })
        #expect(Role.all.filter { $0.bindableTo.contains(.repo) }.map(\.name) == [
            "repoOwner", "repoReader", "repoWriter",
        ])
    }

    @Test func `an unknown role is named`() {
        let error = #expect(throws: SpileError.self) { try Role.named("king") }
        #expect(error?.message == "unknown role \"king\"")
    }

    @Test func `permissions have the wire's names, both ways`() {
        #expect("\(Permission.repoRead)" == "REPO_READ")
        #expect(Permission.allCases.allSatisfy { Permission("\($0)") == $0 })
        #expect(Permission("NOTHING") == nil)
    }

    @Test(arguments: ["user:a", "robot:b", "pipeline:default/p", "group:g", "pach:root", "internal:x"])
    func `a subject with a prefix is taken as it is`(text: String) throws {
        #expect(try Subject(text).description == text)
    }

    @Test(arguments: ["", "a", "user:", "king:a", ":a"])
    func `a subject without a prefix is refused`(text: String) {
        let error = #expect(throws: SpileError.self) { try Subject(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `a robot is named with or without its prefix, and with no other colon`() throws {
        #expect(try Subject(robot: "r") == Subject("robot:r"))
        #expect(try Subject(robot: "robot:r") == Subject("robot:r"))
        for text in ["", "robot:", "user:r", "robot:a:b"] {
            #expect(throws: SpileError.self) { try Subject(robot: text) }
        }
    }

    @Test func `a repo without a project is one of project default`() {
        #expect(AccessResource(.repo, name: "r") == .repo(project: .standard, name: "r"))
        #expect(AccessResource(.repo, name: "p/r").name == "p/r")
    }

    // MARK: Evaluation

    private static let alice: Subject = try! Subject("user:alice")
    private static let team: Subject = try! Subject("group:team")
    private static let repo = AccessResource.repo(project: ProjectKey("p"), name: "r")

    /// Bindings as a dictionary; notes where it was looked.
    private final class Bindings {
        var entries: [AccessResource: [Subject: Set<Role>]]
        var visited: [AccessResource] = []
        init(_ entries: [AccessResource: [Subject: Set<Role>]]) { self.entries = entries }

        func check(_ subject: Subject, groups: [Subject] = []) -> AccessCheck {
            AccessCheck(of: subject, in: groups) { resource, subjects in
                self.visited.append(resource)
                return self.entries[resource].map { entry in
                    subjects.reduce(into: []) { $0.formUnion(entry[$1] ?? []) }
                }
            }
        }
    }

    @Test func `a role counts at its resource and at all below`() throws {
        for level in [AccessResource.cluster, .project(ProjectKey("p")), Self.repo] {
            let bindings = Bindings([.cluster: [:], .project(ProjectKey("p")): [:], Self.repo: [:]])
            bindings.entries[level]?[Self.alice] = [.repoReader]
            var check = bindings.check(Self.alice)
            let verdict = try check.verdict(on: Self.repo, [.repoWrite, .repoRead])
            #expect(verdict.satisfied == [.repoRead] && verdict.missing == [.repoWrite])
        }
    }

    @Test func `everybody's roles and those of groups count too`() throws {
        let bindings = Bindings([
            .cluster: [.everybody: [.projectCreator]], .project(ProjectKey("p")): [Self.team: [.projectViewer]],
            Self.repo: [:],
        ])
        var check = bindings.check(Self.alice, groups: [Self.team])
        #expect(try check.verdict(on: .cluster, [.projectCreate]).missing.isEmpty)
        #expect(try check.verdict(on: Self.repo, [.projectListRepo]).missing.isEmpty)
        var stranger = bindings.check(Self.alice)
        #expect(try stranger.verdict(on: Self.repo, [.projectListRepo]).missing == [.projectListRepo])
    }

    @Test func `what the cluster gives is not looked for below`() throws {
        let bindings = Bindings([.cluster: [Self.alice: [.clusterAdmin]]])
        var check = bindings.check(Self.alice)
        #expect(try check.verdict(on: Self.repo, [.repoDelete]).missing.isEmpty)
        #expect(bindings.visited == [.cluster])
    }

    @Test func `levels are looked at from the widest on, each once`() throws {
        let bindings = Bindings([.cluster: [:], .project(ProjectKey("p")): [:], Self.repo: [:]])
        var check = bindings.check(Self.alice)
        for _ in 0..<2 { #expect(try check.verdict(on: Self.repo, [.repoRead]).missing == [.repoRead]) }
        #expect(bindings.visited == [.cluster, .project(ProjectKey("p")), Self.repo])
    }

    @Test func `a resource without a binding is an error where it is needed`() {
        var check = Bindings([.cluster: [:], .project(ProjectKey("p")): [:]]).check(Self.alice)
        let error = #expect(throws: SpileError.self) { try check.verdict(on: Self.repo, [.repoRead]) }
        #expect(error?.message == "no role binding exists for REPO p/r")
    }

    @Test func `everybody reads the versions of a pipeline, and writes them with its repo only`() throws {
        let bindings = Bindings([.cluster: [:], .project(ProjectKey("p")): [:], Self.repo: [Self.team: [.repoWriter]]])
        let spec = AccessResource(RepoKey(project: ProjectKey("p"), name: "r", type: .spec))
        var alice = bindings.check(Self.alice)
        #expect(try alice.verdict(on: spec, [.repoRead, .repoListFile]).missing.isEmpty)
        #expect(try alice.verdict(on: spec, [.repoWrite]).missing == [.repoWrite])
        var member = bindings.check(Self.alice, groups: [Self.team])
        #expect(try member.verdict(on: spec, [.repoWrite]).missing.isEmpty)
    }

    @Test func `of a caller's roles those that concern the resource are named`() throws {
        let bindings = Bindings([
            .cluster: [Self.alice: [.clusterAdmin, .secretAdmin]],
            .project(ProjectKey("p")): [Self.alice: [.projectOwner]], Self.repo: [Self.alice: [.repoReader]],
        ])
        var check = bindings.check(Self.alice)
        let (roles, permissions) = try check.everything(on: Self.repo)
        #expect(roles == [.clusterAdmin, .projectOwner, .repoReader])
        #expect(permissions.count == 74)
    }

    @Test func `a refusal names the subject, what is missing, where, and the smallest role that would do`() {
        let error = SpileError.denied(Self.alice, [.repoWrite], on: Self.repo)
        #expect(error.code == .permissionDenied)
        #expect(error.description == "user:alice is not authorized to perform this operation - needs permissions "
            + "[REPO_WRITE] on REPO p/r (ask an owner: pachctl auth set repo r repoWriter <subject> --project p)")
    }
}
