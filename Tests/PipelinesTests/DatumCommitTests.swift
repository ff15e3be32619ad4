import Backends
import Core
import Logging
import Simulation
import Storage
import Testing
import Versioning

@testable import Pipelines

/// Datums of real commits: the random scenarios again, with files in a store.
@Suite struct DatumCommitTests {
    private final class Scene {
        let folder = TemporaryFolder()
        let history: History

        init() throws {
            history = try History(
                catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"),
                store: Store(objects: MemoryObjectStore()), clock: ManualClock(),
                randomness: SeededRandomness(seed: 3),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        }

        deinit {
            try? history.close()
            folder.remove()
        }

        /// Makes the repo hold these files.
        func commit(_ files: [String: String], to repo: RepoKey) async throws -> CommitFiles {
            let upload = try Upload(to: CommitHandle(repo.branch("master")), in: history, as: .user(""))
            try upload.delete(path: "/", datum: "")
            for (path, text) in files.sorted(by: { $0.key < $1.key }) {
                try Array(text.utf8).withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
            }
            return try history.files(CommitHandle(try await upload.finish()))
        }
    }

    /// An evaluation without what differs between the two sources: how content is hashed.
    private static func told(_ tree: InputTree, _ source: any DatumSource) async throws -> [String] {
        let plan = try DatumPlan(tree)
        var lines: [String] = []
        try await plan.datums(in: source) {
            lines.append("all \($0.id)")
            return true
        }
        var changes: [String] = []
        try await plan.changes(in: source) { change in
            switch change {
            case .added(let datum): changes.append("added \(datum.id)")
            case .removed(let datum): changes.append("removed \(datum.id)")
            case .changed(let old, let new): changes.append("changed \(old.id) \(new.id)")
            }
            return true
        }
        return lines + changes.sorted()
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func commitsGiveWhatPlainValuesGive(seed: UInt64) async throws {
        let scene = try Scene()
        let scenario = try DatumScenario.random(SeededRandomness(seed: seed &* 15_485_863))
        var old: [RepoKey: CommitFiles] = [:]
        var new: [RepoKey: CommitFiles] = [:]
        for repo in DatumScenario.repos {
            try await scene.history.transact(as: .user("")) {
                try $0.createRepo(repo, description: "", update: false)
            }
            old[repo] = try await scene.commit(scenario.old.repos[repo] ?? [:], to: repo)
            new[repo] = try await scene.commit(scenario.new.repos[repo] ?? [:], to: repo)
        }
        let leaves = scenario.tree.leaves.map(\.branch.repo)
        let source = CommitSource(leaves.map { new[$0] }, base: leaves.map { old[$0] })
        let expected = try await Self.told(scenario.tree, PlainSource(new: scenario.new, old: scenario.old))
        #expect(try await Self.told(scenario.tree, source) == expected, "seed \(seed): \(scenario)")
    }

    @Test func aMissingCommitIsAsOneWithoutFiles() async throws {
        let scene = try Scene()
        let repo = DatumScenario.repos[0]
        try await scene.history.transact(as: .user("")) { try $0.createRepo(repo, description: "", update: false) }
        let commit = try await scene.commit(["/a": "1"], to: repo)
        let tree = InputTree.leaf(InputLeaf(name: "x", branch: repo.branch("master"), glob: "/*"))
        let id = try #require(try await Self.told(tree, CommitSource([commit])).first?.split(separator: " ").last)
        #expect(try await Self.told(tree, CommitSource([commit])) == ["all \(id)", "added \(id)"])
        #expect(try await Self.told(tree, CommitSource([nil], base: [commit])) == ["removed \(id)"])
        #expect(try await Self.told(tree, CommitSource([nil])) == [])
    }
}
