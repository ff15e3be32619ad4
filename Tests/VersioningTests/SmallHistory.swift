import Backends
import Core
import Dispatch
import Foundation
import Logging
import Simulation
import Storage
import Synchronization
import Testing
import Versioning

/// A history whose bounds are so low that small tests cross them, on a folder of its own, deleted with it.
final class SmallHistory {
    let folder: String
    let randomness: SeededRandomness
    private var opened: History?
    private var disk: LocalDisk
    /// Use it afresh after a restart.
    var history: History { opened! }

    var segments: String { folder + "/segments" }
    var catalog: String { folder + "/catalog.sqlite" }

    static var options: StoreOptions {
        var options = StoreOptions()
        options.smallSegmentBytes = 64 << 10
        // Room for a few files: a chunk under way takes four MiB of it.
        options.bulkSegmentBytes = 8 << 20
        options.smallStreamBytes = 16 << 10
        options.smallStreamChanges = 50
        options.changeBudgetBytes = 16 << 10
        options.nodeCacheBytes = 64 << 10
        options.directoryCacheBytes = 16 << 10
        options.fingerprints = 4096
        return options
    }

    /// `clockStep`: nanoseconds by which the clock moves whenever it is asked.
    init(seed: UInt64 = 1, clockStep: Int64 = 1_000) throws {
        folder = NSTemporaryDirectory() + "spile-small-\(UUID().uuidString)"
        randomness = SeededRandomness(seed: seed)
        try FileManager.default.createDirectory(atPath: folder + "/segments", withIntermediateDirectories: true)
        disk = try LocalDisk(folder: folder + "/segments")
        opened = try Self.open(folder, disk, randomness, clockStep: clockStep)
    }

    deinit {
        try? opened?.close()
        opened = nil
        try? FileManager.default.removeItem(atPath: folder)
    }

    static func open(
        _ folder: String, _ disk: LocalDisk, _ randomness: SeededRandomness, clockStep: Int64 = 1_000
    ) throws -> History {
        try History(
            catalog: SQLiteCatalog(path: folder + "/catalog.sqlite"),
            store: Store(objects: disk, options: options),
            clock: ManualClock(stepNanoseconds: clockStep), randomness: randomness,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Closes it, lets `body` do something to the files, opens it again.
    func restart(_ body: () throws -> Void = {}) throws {
        try opened?.close()
        opened = nil
        // A test may still refer to the closed one.
        disk.release()
        try body()
        disk = try LocalDisk(folder: segments)
        opened = try Self.open(folder, disk, randomness)
    }
}

extension History {
    /// A collection without rests. Not to be called on a pool that what it waits for needs: see ``onThread(_:)``.
    @discardableResult
    func collect(
        _ change: (inout GarbageOptions) -> Void = { _ in },
        _ report: @escaping (GarbageProgress) -> Void = { _ in }
    ) throws -> GarbageReport {
        var options = GarbageOptions()
        options.minimumDeadShare = 0
        change(&options)
        return try collectGarbage(options, pause: { if $0 > 0 { rest() } }, report: report)
    }

    /// Deletes a repo with all its commits.
    func drop(_ repo: RepoKey) async throws {
        try await transact(as: Self.user) { _ = try $0.deleteRepo(repo, force: true) }
    }

    func put(_ branch: BranchKey, _ files: [String: [UInt8]]) async throws -> CommitKey {
        try await modify(CommitHandle(branch)) { upload in
            for (path, bytes) in files.sorted(by: { $0.key < $1.key }) { try upload.put(path, bytes) }
        }
    }
}

extension Upload {
    func put(_ path: String, _ bytes: [UInt8]) throws {
        try delete(path: path, datum: "")
        try bytes.withUnsafeBytes { try add(path: path, datum: "", bytes: $0) }
    }
}

/// Lets others have the processor for a moment, as a pause of the collector does. Nothing is decided by how long.
func rest() { _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(2)) }

/// Runs what blocks on a thread of its own.
@discardableResult
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}

/// Waits, on a thread that may block, for what only tasks can do.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let outcome = Box<Result<Value, any Error>>()
    Task {
        do { outcome.put(.success(try await body())) } catch { outcome.put(.failure(error)) }
        done.signal()
    }
    done.wait()
    return try #require(outcome.value).get()
}

/// A value that is used by one thread after the other, never by two at once.
final class Held<Value>: @unchecked Sendable {
    var value: Value?
}

/// Raised once, by any thread.
final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .relaxed) }
    func raise() { raised.store(true, ordering: .relaxed) }
}

/// What several tasks note down, in order; guarded by the mutex.
final class Notes<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    var all: [Value] { values.withLock { $0 } }
    func add(_ value: Value) { values.withLock { $0.append(value) } }
}

/// A value that one thread hands to another.
final class Box<Value: Sendable>: Sendable {
    private let held = Mutex<Value?>(nil)
    var value: Value? { held.withLock { $0 } }
    func put(_ value: Value) { held.withLock { $0 = value } }
}
