import Backends
import Core
import Logging
import Simulation
import Storage
import Testing
import Versioning

@testable import Pipelines

/// A history of its own.
private final class Scene: Sendable {
    let folder = TemporaryFolder()
    let history: History

    init() throws {
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"), store: Store(objects: MemoryObjectStore()),
            clock: ManualClock(), randomness: SeededRandomness(seed: 5),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    deinit {
        try? history.close()
        folder.remove()
    }
}

/// The roles that a pipeline's code gets, by whose authority, and when it loses them (`pps.md` §8).
@Suite struct PipelineAccessTests {
    private let scene: Scene
    private let maker: Principal
    private let makerSubject: Subject
    private let root = Principal.subject(.root)
    private let code: Subject
    private let output = RepoKey(name: "out")

    init() throws {
        scene = try Scene()
        makerSubject = try Subject("robot:maker")
        maker = .subject(makerSubject)
        code = Subject(PipelineKey(name: "out"))
    }

    private var history: History { scene.history }

    private func prepare(inputs: [String]) async throws {
        _ = try await history.activateAuth(rootToken: nil)
        try await history.bindEverything(as: root)
        for name in inputs { try await makeRepo(name, as: root) }
        try await makeRepo(output.name, as: maker)
    }

    private func makeRepo(_ name: String, as principal: Principal) async throws {
        try await history.transact(as: principal) {
            try $0.createRepo(RepoKey(name: name), description: "", update: false)
        }
    }

    private func spec(_ inputs: [String]) throws -> PipelineSpec {
        let cross = inputs.map { #"{"pfs": {"repo": "\#($0)", "glob": "/"}}"# }.joined(separator: ", ")
        return PipelineSpec(
            try SpecDocument.read(#"{"pipeline": {"name": "out"}, "input": {"cross": [\#(cross)]}}"#).json)
    }

    private func bind(_ inputs: [String], replacing old: [String]? = nil) async throws {
        let (new, old) = (try spec(inputs), try old.map(spec))
        try await history.transact(as: maker) { transaction in
            let record = old.map { spec in
                PipelineRecord(
                    key: spec.key, version: 1, specCommit: transaction.id, kind: .transform, state: .running,
                    stopped: false, parallelism: 1, salt: "", userSpec: "", effectiveSpec: spec.json.text,
                    createdAt: transaction.now, updatedAt: transaction.now, createdBy: "", metadata: [:])
            }
            try PipelineAccess.bind(new, replacing: record, in: transaction)
        }
    }

    private func roles(on name: String) throws -> Set<Role>? {
        try history.roleBinding(AccessResource(RepoKey(name: name))).entries[code]
    }

    private func letMakerRead(_ name: String) async throws {
        try await history.setRoles(
            at: AccessResource(RepoKey(name: name)), of: makerSubject, to: [.repoReader], as: root)
    }

    @Test func `it reads its inputs and writes its output`() async throws {
        try await prepare(inputs: ["a", "b"])
        for name in ["a", "b"] { try await letMakerRead(name) }
        try await bind(["a", "b"])
        #expect(try roles(on: "a") == [.repoReader])
        #expect(try roles(on: "b") == [.repoReader])
        #expect(try roles(on: "out") == [.repoWriter])
    }

    @Test func `who may not read an input gives it to no pipeline`() async throws {
        try await prepare(inputs: ["a"])
        let error = await #expect(throws: SpileError.self) { try await bind(["a"]) }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("REPO_READ") == true)
        #expect(try roles(on: "a") == nil)
        #expect(try roles(on: "out") == nil)
    }

    @Test func `an input that an update drops is read no longer`() async throws {
        try await prepare(inputs: ["a", "b"])
        for name in ["a", "b"] { try await letMakerRead(name) }
        try await bind(["a"])
        try await bind(["b"], replacing: ["a"])
        #expect(try roles(on: "a") == nil)
        #expect(try roles(on: "b") == [.repoReader])
    }

    @Test func `tokens of launches begin as no token that somebody chose`() {
        #expect(LaunchPlan.tokenPrefix == Principal.launchTokenPrefix)
    }

    @Test func `nothing is bound while authentication is off`() async throws {
        try await makeRepo("out", as: .user(""))
        try await bind([])
        #expect(try history.read { try $0.roleBinding(AccessResource(output)) } == nil)
    }
}
