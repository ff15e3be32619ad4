import Core
import Testing

/// The rules of the seam `Catalog`, each as a check over any catalog that is empty.
enum CatalogSuite {
    static let all =
        settings + names + branches + commits + order + pipelines + jobs + fileSets + transactions + idempotency
        + secrets + access + tails

    /// Thrown by a check to make a transaction fail.
    struct Abandoned: Error {}

    static func expectAlreadyExists(_ body: () throws -> Void) {
        let error = #expect(throws: SpileError.self) { try body() }
        #expect(error?.code == .alreadyExists)
    }

    // MARK: Settings, projects, repos

    private static let settings = [
        CatalogRule("a setting is kept, replaced and taken away") { catalog throws in
            #expect(try catalog.read { try $0.setting("a") } == nil)
            for value in ["1", "2", ""] {
                try catalog.write { try $0.setSetting("a", to: value) }
                #expect(try catalog.read { try $0.setting("a") } == value)
            }
            try catalog.write { try $0.setSetting("a", to: nil) }
            #expect(try catalog.read { try $0.setting("a") } == nil)
        }
    ]

    private static let names = [
        CatalogRule("projects come in the order they were made, with all their fields") { catalog throws in
            let records = ["z", "a", "m"].enumerated().map { index, name in
                ProjectRecord(
                    key: ProjectKey(name), description: "about \(name)", createdAt: Instant(nanoseconds: Int64(index)),
                    createdBy: "user:\(name)", metadata: ["k": name, "empty": ""])
            }
            let ids = try catalog.write { writer in try records.map { try writer.insert($0) } }
            #expect(Set(ids).count == 3)
            let expected = zip(records, ids).map { record, id in
                var record = record
                record.id = id
                return record
            }
            #expect(try catalog.read { try $0.projects() } == expected)
            #expect(try catalog.read { try $0.project(ProjectKey("a")) } == expected[1])
            #expect(try catalog.read { try $0.project(ProjectKey("none")) } == nil)
        },
        CatalogRule("a project is updated and deleted by its id") { catalog throws in
            var project = ProjectRecord(key: ProjectKey("p"), description: "1", createdAt: Instant(nanoseconds: 1))
            project.id = try catalog.write { [project] in try $0.insert(project) }
            project.description = "2"
            project.metadata = ["a": "b"]
            try catalog.write { [project] in try $0.update(project) }
            #expect(try catalog.read { try $0.project(ProjectKey("p")) } == project)
            try catalog.write { [project] in try $0.deleteProject(id: project.id + 1) }
            #expect(try catalog.read { try $0.projects().count } == 1)
            try catalog.write { [project] in try $0.deleteProject(id: project.id) }
            #expect(try catalog.read { try $0.projects() } == [])
        },
        CatalogRule("a second project of a name is refused") { catalog throws in
            let project = ProjectRecord(key: ProjectKey("p"), description: "", createdAt: Instant(nanoseconds: 1))
            _ = try catalog.write { try $0.insert(project) }
            expectAlreadyExists { _ = try catalog.write { try $0.insert(project) } }
            #expect(try catalog.read { try $0.projects().count } == 1)
        },
        CatalogRule("repos come by project, name and type, and can be narrowed to some") { catalog throws in
            let keys = [("q", "a"), ("p", "b"), ("p", "a")].map { RepoKey(project: ProjectKey($0.0), name: $0.1) }
            try catalog.write { writer throws in
                for key in keys + [keys[2].of(type: .spec), keys[2].of(type: .meta)] { _ = try writer.makeRepo(key) }
            }
            func listed(_ projects: [String]?, _ type: RepoType?) throws -> [String] {
                try catalog.read { try $0.repos(in: projects?.map { ProjectKey($0) }, type: type) }
                    .map(\.key.description)
            }
            #expect(try listed(nil, nil) == ["p/a.meta", "p/a.spec", "p/a", "p/b", "q/a"])
            #expect(try listed(nil, .user) == ["p/a", "p/b", "q/a"])
            #expect(try listed(["q", "none"], nil) == ["q/a"])
            #expect(try listed(["p"], .spec) == ["p/a.spec"])
            #expect(try listed([], nil) == [])
        },
        CatalogRule("a repo is found by key and id, updated, and refused twice") { catalog throws in
            var repo = try catalog.write { try $0.makeRepo("a") }
            #expect(try catalog.read { try $0.repo(repo.key) } == repo)
            #expect(try catalog.read { try $0.repo(id: repo.id) } == repo)
            #expect(try catalog.read { try $0.repo(repo.key.of(type: .meta)) } == nil)
            #expect(try catalog.read { try $0.repo(id: repo.id + 1) } == nil)
            repo.description = "changed"
            repo.metadata = ["é": "\u{1F41F}", "q": "'\";--"]
            try catalog.write { [repo] in try $0.update(repo) }
            #expect(try catalog.read { try $0.repo(id: repo.id) } == repo)
            expectAlreadyExists { _ = try catalog.write { try $0.makeRepo("a") } }
            _ = try catalog.write { [repo] in try $0.makeRepo(repo.key.of(type: .meta)) }
        },
        CatalogRule("a repo takes its branches, commits and all edges with it") { catalog throws in
            let (doomed, other) = try catalog.write { writer throws in
                (try writer.makeRepo("doomed"), try writer.makeRepo("other"))
            }
            let downstream = try catalog.write { writer throws in
                let up = try writer.makeBranch("master", in: doomed)
                let upCommit = try writer.makeCommit(1, in: doomed, branch: up)
                let down = try writer.makeBranch("master", in: other, provenance: [up.id])
                let downCommit = try writer.makeCommit(
                    2, in: other, branch: down, provenance: [upCommit.sequence])
                try writer.setHead(branch: down.id, to: downCommit.sequence, at: Instant(nanoseconds: 9))
                return (down.id, downCommit.sequence)
            }
            try catalog.write { try $0.deleteRepo(id: doomed.id) }
            try catalog.read { reader throws in
                #expect(try reader.repos(in: nil, type: nil) == [other])
                #expect(try reader.branches(repo: nil).map(\.id) == [downstream.0])
                #expect(try reader.branch(id: downstream.0)?.provenance == [])
                #expect(try reader.commit(sequence: downstream.1)?.provenance == [])
                #expect(try reader.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 9).count == 1)
            }
        },
    ]
}

// MARK: Making rows

extension CatalogWriter {
    func makeRepo(_ name: String) throws -> RepoRecord { try makeRepo(RepoKey(name: name)) }

    func makeRepo(_ key: RepoKey) throws -> RepoRecord {
        var repo = RepoRecord(
            key: key, description: "about \(key)", createdAt: Instant(nanoseconds: 1_234_567_890_123),
            metadata: ["of": key.name])
        repo.id = try insert(repo)
        return repo
    }

    func makeBranch(_ name: String, in repo: RepoRecord, provenance: [Int64] = []) throws -> BranchRecord {
        var branch = BranchRecord(
            repo: repo.id, key: repo.key.branch(name), provenance: provenance, createdAt: Instant(nanoseconds: 5),
            updatedAt: Instant(nanoseconds: 6), createdBy: "somebody", metadata: ["a": "b"])
        branch.id = try insert(branch)
        return branch
    }

    /// A finished commit whose fields all differ from their defaults; `number` makes its set id.
    func makeCommit(
        _ number: UInt64, in repo: RepoRecord, branch: BranchRecord?, parent: Int64? = nil, provenance: [Int64] = []
    ) throws -> CommitRecord {
        var commit = CommitRecord(
            repo: repo.id, key: repo.key.commit(CommitID(randomHigh: .max - number, randomLow: number)),
            branch: branch?.id, parent: parent, provenance: provenance, origin: .auto, description: "number \(number)",
            started: Instant(nanoseconds: 7), finishing: Instant(nanoseconds: 8), finished: Instant(nanoseconds: 9),
            error: "", shortcut: 4, root: .sample(number), createdBy: "pipeline:default/p",
            metadata: ["n": "\(number)"])
        commit.sequence = try insert(commit)
        return commit
    }
}

extension Root {
    /// A root whose numbers reach the ends of their ranges.
    static func sample(_ number: UInt64) -> Root {
        Root(
            pointer: Pointer(segment: .max - number, slot: .max - UInt32(number)),
            digest: Digest((0..<32).map { UInt8(truncatingIfNeeded: number &+ $0 &* 37 &+ 1) }), level: 200,
            files: .max - number, bytes: 1 << 63 + number)
    }
}
