import Core
import Foundation
import Logging
import Simulation
import Storage
import Testing
import Versioning

@testable import Backends
@testable import Server

/// Places between which a store is moved, and a history of some size to move. Folders go with the scene.
final class MigrationScene {
    static let user = Principal.user("")

    let s3: S3Scene
    var root: String { s3.folder }

    init() throws { s3 = try S3Scene(pageSize: 100) }

    func local(_ name: String) -> MigrationPlace { MigrationPlace(data: root + "/" + name) }

    func bucket(_ prefix: String) -> StorePlace {
        .bucket(S3Location(bucket: S3FakeBucket.name, key: prefix + "/"))
    }

    func migration(_ from: MigrationPlace, _ to: MigrationPlace) -> Migration {
        var migration = Migration(from: from, to: to)
        migration.environment = s3.environment
        migration.clock = s3.bucket.clock
        return migration
    }

    @discardableResult
    func move(_ from: MigrationPlace, _ to: MigrationPlace) throws -> Migration.Summary {
        var migration = migration(from, to)
        migration.readsAll = true
        return try migration.run { _ in }
    }

    // MARK: What is moved

    private static var options: StoreOptions {
        var options = StoreOptions()
        options.smallSegmentBytes = 96 << 10
        options.bulkSegmentBytes = 8 << 20
        options.smallStreamBytes = 256 << 10
        return options
    }

    private static func open(_ data: String, _ disk: LocalDisk) throws -> History {
        try History(
            catalog: SQLiteCatalog(path: data + "/catalog.sqlite"), store: Store(objects: disk, options: options),
            clock: ManualClock(stepNanoseconds: 1_000), randomness: SeededRandomness(seed: 7),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A data folder as a server leaves it that was killed: with rows of every kind, commits that were deleted, one
    /// that is open, segments of all sizes and some without an end.
    func fill(_ place: MigrationPlace) async throws {
        do { _ = try DataFolder(place.data) }
        let disk = try LocalDisk(folder: place.data + "/segments")
        let history = try Self.open(place.data, disk)
        try await Self.fill(history)
        _ = try LocalKeyFile(place.data + "/secrets.key").make((0..<32).map { UInt8($0) })
        try FileManager.default.createDirectory(atPath: place.data + "/logs/p/a", withIntermediateDirectories: true)
        try Data("a line\n".utf8).write(to: URL(fileURLWithPath: place.data + "/logs/p/a/1.log"))
        disk.release()
        withExtendedLifetime(history) {}
    }

    private static func fill(_ history: History) async throws {
        let random = SeededRandomness(seed: 3)
        let key = RepoKey(project: .standard, name: "r")
        let doomed = RepoKey(project: .standard, name: "doomed")
        for repo in [key, doomed] {
            try await history.transact(as: user) { try $0.createRepo(repo, description: "é\"'", update: false) }
        }
        for turn in 0..<48 {
            // Some are put beside each other in packs, some have chunks, some share what is there.
            let size = [10, 3_000, 40_000, 300_000][turn % 4]
            let text = turn % 7 == 6 ? random.bytes(100_000) : random.bytes(size)
            let branch = (turn % 5 == 4 ? doomed : key).branch("master")
            try await put(["/\(turn % 9)": text, "/d/\(turn)": Array("\(turn)".utf8)], to: branch, in: history)
        }
        try await put(["/big": random.bytes(9 << 20)], to: key.branch("large"), in: history)
        try await history.transact(as: user) { _ = try $0.deleteRepo(doomed, force: true) }
        _ = try await history.transact(as: user) {
            try $0.startCommit(on: key.branch("open"), parent: nil, description: "")
        }
        try await put(["/x": [1, 2, 3]], to: key.branch("open"), in: history)
        try await history.transact(as: user) { try $0.addRows(about: key) }
    }

    private static func put(
        _ files: [String: [UInt8]], to branch: BranchKey, in history: History
    ) async throws {
        let upload = try Upload(to: CommitHandle(branch), in: history, as: user)
        for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
            try bytes.withUnsafeBytes { try upload.changes.add(path: path, datum: "default", bytes: $0) }
        }
        _ = try await upload.finish()
    }

    // MARK: What came of it

    /// All that a place holds, read by other ways than those of the migration.
    struct Content: Equatable {
        /// By commit and path.
        var files: [String: [UInt8]] = [:]
        var digests: [String: Digest] = [:]
        var commits: [CommitRecord] = []
        var branches: [BranchRecord] = []
        var rest: [String] = []
        var key: [UInt8]?
        var log: String?
        var findings: [HistoryFinding] = []
    }

    /// Opens a place as a server would, and reads everything.
    func content(_ place: MigrationPlace) throws -> Content {
        let folder = try DataFolder(place.data)
        let catalog = try place.catalog.open(with: folder, store: place.store) { "fresh" }
        let places = try place.store.open(
            with: catalog, folder, clock: s3.bucket.clock, randomness: SeededRandomness(seed: 1), mayBind: false,
            environment: migration(place, place).environment)
        let history = try History(
            catalog: catalog, store: Store(objects: places.objects, options: places.options), clock: s3.bucket.clock,
            randomness: SeededRandomness(seed: 2), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        defer {
            try? history.close()
            (places.objects as? LocalDisk)?.release()
        }
        var content = Content()
        try history.read { reader in
            content.commits = try reader.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 1000)
            content.branches = try reader.branches(repo: nil)
            let pipeline = PipelineKey(name: "p")
            content.rest = [
                "\(String(describing: try reader.pipeline(pipeline)))",
                "\(String(describing: try reader.launches()))",
                "\(try reader.jobs(JobFilter(), order: .oldestFirst, beyond: nil, limit: 9))",
                "\(try reader.secrets().map { ($0.name, $0.values) })", "\(try reader.lastSequence())",
                "\(try reader.fileSets(beyond: nil, limit: 9))",
                "\(String(describing: try reader.setting("cluster_id")))",
            ]
        }
        for commit in content.commits {
            var cursor = history.store.scan(commit.root, from: nil, upTo: nil)
            while let (key, entry) = try cursor.next() {
                let bytes = try history.store.read(entry, offset: 0, maxBytes: 64 << 20)
                content.files["\(commit.key) \(key)"] = bytes
                content.digests["\(commit.key) \(key)"] = entry.digest
            }
        }
        content.key = try places.key.read()
        content.log = try? String(contentsOfFile: place.data + "/logs/p/a/1.log", encoding: .utf8)
        try history.check(data: true) { content.findings.append($0) }
        _ = folder.path
        return content
    }
}

extension HistoryTransaction {
    /// Rows of the kinds that no commit makes.
    fileprivate func addRows(about key: RepoKey) throws {
        let pipeline = PipelineKey(name: "p")
        let time = Instant(nanoseconds: 5)
        let id = CommitID(randomHigh: 1, randomLow: .max)
        let repo = try catalog.existingRepo(key)
        let branch = try catalog.branches(repo: repo.id)[0]
        let head = try #require(try catalog.commit(sequence: branch.head ?? 0))
        try catalog.setSetting("cluster_id", to: "the cluster")
        try catalog.put(
            PipelineRecord(
                key: pipeline, version: 1, specCommit: id, kind: .spout, state: .crashing, reason: "exit 1",
                stopped: true, parallelism: 3, salt: "salt", userSpec: "{\"a\": \"é\"}", effectiveSpec: "{}",
                createdAt: time, updatedAt: time, createdBy: "me", workersStartedAt: nil, metadata: ["k": "v"]))
        try catalog.put(
            LaunchRecord(
                pipeline: pipeline, epoch: 4, version: 1, tokenHash: Digest([UInt8](repeating: 9, count: 32)),
                handle: "pid 7", startedAt: time, failures: 5))
        _ = try catalog.insert(
            JobRecord(
                key: JobKey(pipeline: pipeline, id: id), version: 1, commit: 1 << 40, state: .success, reason: "é",
                createdAt: time, startedAt: time, finishedAt: time,
                counts: DatumCounts(total: 5, processed: 4, skipped: 3, failed: 2, recovered: 1),
                stats: DatumStats(
                    downloadSeconds: 0.1, processSeconds: 1.25, uploadSeconds: 2, downloadBytes: 3, uploadBytes: 4),
                restarts: 6))
        try catalog.insert(
            FileSetRecord(
                id: FileSetID(id), token: head.root.digest, createdAt: time, expiresAt: Instant(seconds: 1 << 32),
                pinnedUntil: time, content: head.root, deletions: .empty))
        _ = try catalog.insert(
            CacheRecord(key: "k", value: [0, 255], tag: "t", fileSets: [FileSetID(id)], usedAt: time))
        _ = try catalog.put(
            IdempotencyRecord(
                branch: branch.id, operation: .write, key: "key", sequence: head.sequence, commit: head.key.id,
                doneAt: time))
        try catalog.insert(SecretRecord(name: "s", type: "Opaque", createdAt: time, values: ["a": [1, 0, 255]]))
        try catalog.put(TokenRecord(hash: head.root.digest, subject: .root))
        try catalog.setRoleBinding(AccessResource(key), to: RoleBinding([.everybody: [.repoReader]]))
    }
}
