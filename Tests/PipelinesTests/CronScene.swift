import Backends
import Core
import Logging
import Simulation
import Storage
import Versioning

@testable import Pipelines

/// A service with a cron input on a catalog and a store of its own, and a ticker on scripted time.
final class CronScene {
    static let start = Instant(seconds: 1_700_000_000)
    let folder = TemporaryFolder()
    let time = ScriptedTime(CronScene.start)
    let randomness: SeededRandomness
    let user = Principal.user("")
    let key = PipelineKey(name: "web")
    let ticks = RepoKey(name: "web_tick").branch("master")
    private var opened: History?
    private(set) var rows = CronRows()
    private var living: CronTicker?
    var ticker: CronTicker { living! }
    var history: History { opened! }
    var manager: PipelineManager { PipelineManager(history: history) { [ticker] in ticker.changed($0) } }

    init(seed: UInt64 = 7) throws {
        randomness = SeededRandomness(seed: seed)
        let history = try Self.open(folder.path, time, randomness)
        opened = history
        living = Self.ticker(history, time)
    }

    deinit {
        try? opened?.close()
        opened = nil
        folder.remove()
    }

    private static func open(
        _ folder: String, _ time: ScriptedTime, _ randomness: SeededRandomness
    ) throws -> History {
        try History(
            catalog: SQLiteCatalog(path: folder + "/catalog.sqlite"), store: Store(objects: LocalDisk(folder: folder)),
            clock: time, randomness: randomness,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private static func ticker(_ history: History, _ time: ScriptedTime, ticksPerTurn: Int = 16) -> CronTicker {
        CronTicker(
            history: history, sleep: { try await time.sleep($0) },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), ticksPerTurn: ticksPerTurn)
    }

    /// Closes everything and opens it again from what is on the disk; the new ticker knows nothing.
    func restart(ticksPerTurn: Int = 16) throws {
        try opened?.close()
        living = nil
        opened = nil
        opened = try Self.open(folder.path, time, randomness)
        useTicker(ticksPerTurn: ticksPerTurn)
    }

    func useTicker(ticksPerTurn: Int) {
        living = Self.ticker(history, time, ticksPerTurn: ticksPerTurn)
        rows = CronRows()
    }

    static func spec(_ cron: String = #""spec": "@every 60s""#, name: String = "web", port: Int = 30800) -> String {
        """
        {"pipeline": {"name": "\(name)"}, "transform": {"cmd": ["serve"]},
         "input": {"cron": {"name": "tick", \(cron)}},
         "service": {"internalPort": \(port + 1), "externalPort": \(port)}}
        """
    }

    func create(_ spec: String = CronScene.spec(), update: Bool = false) async throws {
        _ = try await manager.create(PipelineRequest(spec: spec, update: update), as: user)
    }

    var pipeline: PipelineRecord {
        get throws { try manager.inspect(project: .standard, name: key.name, as: user) }
    }

    /// One turn of the ticker, which looks at all pipelines; gives its pause.
    @discardableResult
    func turn() async throws -> Double? {
        let keys = try history.read { try $0.pipelines(in: nil).map(\.key) } + [key]
        return await ticker.turn(&rows, changed: Set(keys))
    }

    /// Another turn, for which nothing has changed but what the ticker sees for itself.
    @discardableResult
    func quietTurn() async -> Double? { await ticker.turn(&rows, changed: []) }

    func exists(_ repo: RepoKey) throws -> Bool { try history.read { try $0.repo(repo) } != nil }

    func makeRepo(_ key: RepoKey, description: String = "", as principal: Principal? = nil) async throws {
        try await history.transact(as: principal ?? user) {
            try $0.createRepo(key, description: description, update: false)
        }
    }

    func put(_ path: String, on branch: BranchKey) async throws {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: user)
        try upload.delete(path: path, datum: "")
        try upload.add(path: path, datum: "", bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        _ = try await upload.finish()
    }

    /// The names of the files at the head of a tick repo.
    func files(_ branch: BranchKey? = nil) async throws -> [String] {
        guard let commit = try history.read({ try $0.writeBasis(of: branch ?? ticks) }) else { return [] }
        var names: [String] = []
        try await CommitFiles(store: history.store, commit: commit).list("/") {
            names.append(String($0.path.dropFirst()))
            return true
        }
        return names
    }

    /// How many commits were written to the tick repo, without the one that made its branch.
    func writes() throws -> Int {
        let commits = try history.read { catalog in
            let repo = try catalog.existingRepo(ticks.repo).id
            return try catalog.commits(repo: repo, order: .oldestFirst, beyond: nil, limit: 9999)
        }
        return commits.filter { $0.origin == .user }.count
    }

    /// The name of the tick so many seconds after the start.
    static func name(_ seconds: Int64) -> String {
        SpecTimestamp.formatSeconds(Instant(seconds: start.seconds + seconds))
    }

    func error(_ body: () async throws -> Void) async throws -> SpileError {
        do { try await body() } catch let error as SpileError { return error }
        throw SpileError.bug("nothing was thrown")
    }

    /// Turns authentication on, everything bound.
    func activateAuth() async throws {
        _ = try await history.activateAuth(rootToken: nil)
        try await history.bindEverything(as: .subject(.root))
        try await manager.bindPipelines(as: .subject(.root))
    }
}
