import Backends
import Core
import Foundation
import Logging
import Simulation
import Storage
import Versioning

/// A history on a folder of its own, deleted with it.
final class TestHistory {
    let folder: String
    let randomness: SeededRandomness
    let clock = ManualClock()
    private var opened: History?
    private var disk: LocalDisk
    /// Use it afresh after a restart.
    var history: History { opened! }

    init(seed: UInt64 = 1) throws {
        folder = NSTemporaryDirectory() + "spile-history-\(UUID().uuidString)"
        randomness = SeededRandomness(seed: seed)
        try FileManager.default.createDirectory(atPath: folder + "/segments", withIntermediateDirectories: true)
        disk = try LocalDisk(folder: folder + "/segments")
        opened = try Self.open(folder, disk, randomness, clock)
    }

    deinit {
        try? opened?.close()
        opened = nil
        try? FileManager.default.removeItem(atPath: folder)
    }

    static func open(
        _ folder: String, _ objects: any ObjectStore, _ randomness: SeededRandomness,
        _ clock: ManualClock = ManualClock()
    ) throws -> History {
        try History(
            catalog: SQLiteCatalog(path: folder + "/catalog.sqlite"), store: Store(objects: objects),
            clock: clock, randomness: randomness,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Closes everything and opens it again from what is on the disk.
    func restart() throws {
        try opened?.close()
        opened = nil
        // The committer's thread may let go of the store a moment after it has ended.
        disk.release()
        disk = try LocalDisk(folder: folder + "/segments")
        opened = try Self.open(folder, disk, randomness, clock)
    }
}

extension History {
    static let user = Principal.user("")

    func makeRepo(_ name: String, project: String = "default") async throws -> RepoKey {
        let key = RepoKey(project: ProjectKey(project), name: name)
        try await transact(as: Self.user) { try $0.createRepo(key, description: "", update: false) }
        return key
    }

    func branch(_ key: BranchKey, _ change: BranchChange = BranchChange()) async throws {
        try await transact(as: Self.user) { try $0.createBranch(key, change) }
    }

    func head(_ key: BranchKey) throws -> CommitRecord { try read { try $0.existingCommit(CommitHandle(key)) } }

    func commits(_ repo: RepoKey) throws -> [CommitRecord] {
        try read { try $0.commits(repo: $0.existingRepo(repo).id, order: .oldestFirst, beyond: nil, limit: 10_000) }
    }

    func start(_ branch: BranchKey) async throws -> CommitKey {
        try await transact(as: Self.user) { try $0.startCommit(on: branch, parent: nil, description: "") }.key
    }

    func finish(_ key: CommitKey) async throws {
        try await finish(CommitHandle(key), description: "", error: "", force: false, as: Self.user)
    }

    /// One stream of changes.
    @discardableResult
    func modify(_ handle: CommitHandle, _ body: (Upload) throws -> Void) async throws -> CommitKey {
        let upload = try Upload(to: handle, in: self, as: Self.user)
        try body(upload)
        return try await upload.finish()
    }

    func content(_ handle: CommitHandle, _ path: String) throws -> [UInt8]? {
        guard let entry = try files(handle).inspect(path)?.entry else { return nil }
        var bytes: [UInt8] = []
        while bytes.count < Int(entry.size) {
            bytes += try store.read(entry, offset: UInt64(bytes.count), maxBytes: 1 << 20)
        }
        return bytes
    }

    func paths(_ handle: CommitHandle) async throws -> [String] {
        var paths: [String] = []
        try await files(handle).walk("/") {
            paths.append($0.path)
            return true
        }
        return paths
    }

    func findings() throws -> [HistoryFinding] {
        var findings: [HistoryFinding] = []
        try check(data: true) { findings.append($0) }
        return findings
    }
}

extension FileOperations {
    func put(_ path: String, _ text: String, append: Bool = false) throws {
        if !append { try delete(path: path, datum: "") }
        try Array(text.utf8).withUnsafeBytes { try add(path: path, datum: "", bytes: $0) }
    }
}
