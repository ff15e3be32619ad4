import Backends
import Core
import Logging
import Simulation
import Storage
import Synchronization
import Testing

@testable import Pipelines
@testable import Versioning

/// Transforms on a history of their own, with code that a test plays and time that a test moves.
final class TransformScene: Sendable {
    let folder = TemporaryFolder()
    let history: History
    let manager: PipelineManager
    let jobs: Jobs
    let launcher = ScriptedLauncher()
    let progress = JobProgress()
    let time = ScriptedTime()
    let egress = ScriptedEgress()
    let logs: LogStore
    let user = Principal.user("")
    private let randomness: SeededRandomness
    /// The one that runs; guarded by the lock. The manager tells it of changes.
    private let scheduler: SchedulerBox

    final class SchedulerBox: Sendable {
        let current = Mutex<TransformScheduler?>(nil)
    }

    init(seed: UInt64 = 3, options: StoreOptions = StoreOptions()) throws {
        let box = SchedulerBox()
        scheduler = box
        randomness = SeededRandomness(seed: seed)
        history = try History(
            catalog: SQLiteCatalog(path: folder.path + "/catalog.sqlite"),
            store: Store(objects: MemoryObjectStore(), options: options), clock: time, randomness: randomness,
            logger: Self.silence)
        manager = PipelineManager(history: history) { key in box.current.withLock { $0 }?.changed(key) }
        jobs = Jobs(history: history, progress: progress)
        logs = LogStore(files: ScriptedLogFiles(), clock: time)
    }

    deinit {
        try? history.close()
        folder.remove()
    }

    static let site = LaunchSite(
        host: "127.0.0.1", port: 1650, toolFolder: "/data/bin", deploymentID: "d", baseEnvironment: ["PATH": "/bin"])

    static let silence = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    // MARK: Running

    /// Runs `body` beside a scheduler, then shuts that down, and checks what holds at any such moment.
    func run(_ body: () async throws -> Void) async throws {
        let time = time
        await launcher.endLeftovers(grace: 0)
        let scheduler = TransformScheduler(
            TransformContext(
                history: history, launcher: launcher, logs: logs, secrets: NoSecrets(), root: folder.path + "/datums",
                world: Supervisor.World(
                    clock: time, randomness: randomness, sha256: Hashing.sha256, sleep: { try await time.sleep($0) }),
                progress: progress, egress: egress, logger: Self.silence))
        self.scheduler.current.withLock { $0 = scheduler }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await scheduler.run(at: Self.site) }
            defer { scheduler.shutDown() }
            try await body()
            scheduler.shutDown()
            try await group.waitForAll()
        }
        self.scheduler.current.withLock { $0 = nil }
        #expect(launcher.liveRuns == 0, "code outlived the scheduler")
        try check()
    }

    /// What is true whenever nothing runs: all that is stored is whole, and no folder of a datum is left. A pipeline's
    /// output and meta commits are open exactly where a job is under way.
    func check(_ location: SourceLocation = #_sourceLocation) throws {
        #expect(launcher.breaches == [], sourceLocation: location)
        #expect(TemporaryFolder.names(of: folder.path + "/datums") == [], sourceLocation: location)
        try history.check(data: true) { Issue.record("\($0)", sourceLocation: location) }
        for pipeline in try history.read({ try $0.pipelines(in: nil) }) {
            let live = try Set(list(pipeline.key).filter { !$0.state.isTerminal }.map(\.key.id))
            for type in pipeline.kind == .spout ? [RepoType.meta] : [.user, .meta] {
                guard let known = try commits(pipeline.key.repo(type)) else { continue }
                let open = Set(known.filter { !$0.isFinished }.map(\.key.id))
                #expect(open == live, "open commits of \(pipeline.key) \(type)", sourceLocation: location)
            }
            for job in try list(pipeline.key) where job.state == .success {
                let meta = try history.read { try $0.metaCommit(of: pipeline.key.repo(.user).commit(job.key.id)) }
                #expect(meta?.error ?? "" == "", "\(job.key)", sourceLocation: location)
            }
        }
    }

    // MARK: Repos and pipelines

    func makeRepo(_ name: String) async throws {
        try await history.transact(as: user) { try $0.createRepo(RepoKey(name: name), description: "", update: false) }
    }

    func create(_ spec: String, update: Bool = false, reprocess: Bool = false) async throws {
        _ = try await manager.create(
            PipelineRequest(spec: spec, update: update, reprocess: reprocess), as: user)
    }

    /// The spec of a transform with one input.
    static func spec(_ name: String, of repo: String = "data", glob: String = "/*", _ more: String = "") -> String {
        """
        {"pipeline": {"name": "\(name)"}, "transform": {"cmd": ["code"]},
         "input": {"pfs": {"repo": "\(repo)", "glob": "\(glob)"}}\(more.isEmpty ? "" : ", " + more)}
        """
    }

    // MARK: Commits

    /// Changes files of a repo's master in one commit, nil for one that goes; gives its set.
    @discardableResult
    func commit(
        _ files: [String: String?], to repo: String = "data", as principal: Principal? = nil
    ) async throws -> CommitID {
        let branch = RepoKey(name: repo).branch("master")
        let upload = try Upload(to: CommitHandle(branch), in: history, as: principal ?? user)
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            try upload.delete(path: path, datum: "")
            guard let text else { continue }
            try Array(text.utf8).withUnsafeBytes { try upload.add(path: path, datum: "", bytes: $0) }
        }
        return try await upload.finish().id
    }

    /// Begins a commit and leaves it open.
    func open(_ repo: String = "data") async throws -> CommitKey {
        let branch = RepoKey(name: repo).branch("master")
        return try await history.transact(as: user) { try $0.startCommit(on: branch, parent: nil, description: "").key }
    }

    func finish(_ key: CommitKey, error: String = "", force: Bool = false) async throws {
        try await history.transact(as: user) {
            _ = try $0.finishCommit(CommitHandle(key), description: "", error: error, force: force)
        }
    }

    /// All of a repo, oldest first; nil if there is no such repo.
    func commits(_ repo: RepoKey) throws -> [CommitRecord]? {
        try history.read { catalog in
            guard let record = try catalog.repo(repo) else { return nil }
            return try catalog.commits(
                repo: record.id, order: .oldestFirst, beyond: nil, limit: 10_000)
        }
    }

    // MARK: Jobs

    /// All jobs of a pipeline, oldest first.
    func list(_ pipeline: PipelineKey) throws -> [JobRecord] {
        try history.read {
            try $0.jobs(JobFilter(pipeline: pipeline), order: .oldestFirst, beyond: nil, limit: 10_000)
        }
    }

    func states(_ pipeline: String) throws -> [JobState] { try list(PipelineKey(name: pipeline)).map(\.state) }

    /// A job once it is over.
    @discardableResult
    func over(_ pipeline: String, _ id: CommitID) async throws -> JobRecord {
        try await jobs.inspect(JobKey(pipeline: PipelineKey(name: pipeline), id: id), isOver: true, as: user).job
    }

    /// The newest job once it is over.
    @discardableResult
    func last(_ pipeline: String) async throws -> JobRecord {
        let job = try #require(try list(PipelineKey(name: pipeline)).last)
        return try await over(pipeline, job.key.id)
    }

    // MARK: What there is

    /// Files by path, of a branch's head, or of a commit.
    func files(_ pipeline: String, _ id: CommitID? = nil, type: RepoType = .user) async throws -> [String: String] {
        let repo = PipelineKey(name: pipeline).repo(type)
        let handle = id.map { CommitHandle(repo.commit($0)) } ?? CommitHandle(repo.branch("master"))
        let files = try history.files(handle)
        var found: [String: String] = [:]
        try await files.walk("/") { view in
            guard let entry = view.entry else { return true }
            var bytes: [UInt8] = []
            var reader = files.store.reader(entry)
            while let piece = try reader.next(maxBytes: 1 << 20) { bytes += piece }
            #expect(found[view.path] == nil, "\(view.path) stands there twice")
            found[view.path] = String(decoding: bytes, as: UTF8.self)
            return true
        }
        return found
    }

    /// What is told of the datums of a job, by id.
    func records(_ pipeline: String, _ id: CommitID) async throws -> [Digest: DatumRecord] {
        let repo = PipelineKey(name: pipeline).repo(.meta)
        let records = DatumRecords(try history.files(CommitHandle(repo.commit(id))))
        var found: [Digest: DatumRecord] = [:]
        try await records.each {
            found[$0] = try records.record(of: $0)
            return true
        }
        return found
    }

    func pipeline(_ name: String) throws -> PipelineRecord? {
        try history.read { try $0.pipeline(PipelineKey(name: name)) }
    }
}
