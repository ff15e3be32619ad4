import Backends
import Core
import Foundation
import Logging
import Storage
import Versioning

/// A history in this process, on a data folder laid out as the server lays out its own.
struct Engine {
    let history: History
    let folder: String

    init(folder: String) throws {
        self.folder = folder
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let catalog = try SQLiteCatalog(path: folder + "/catalog.sqlite")
        let store = try Store(objects: try LocalDisk(folder: folder + "/segments"))
        history = try History(
            catalog: catalog, store: store, clock: WallClock(), randomness: Dice(), logger: logger)
    }

    func makeRepo(_ name: String) async throws -> RepoKey {
        let key = RepoKey(name: name)
        try await history.transact(as: .user("")) { try $0.createRepo(key, description: "", update: false) }
        return key
    }

    /// One stream to the head of `master`, which makes one commit.
    @discardableResult
    func commit(to repo: RepoKey, _ body: (Upload) throws -> Void) async throws -> CommitKey {
        let upload = try Upload(to: CommitHandle(repo.branch("master")), in: history, as: .user(""))
        try body(upload)
        return try await upload.finish()
    }

    func files(_ repo: RepoKey, ancestry: String = "") throws -> CommitFiles {
        try history.files(CommitHandle(repo: repo, branch: "master", id: ancestry))
    }

    private struct WallClock: Core.Clock {
        func now() -> Core.Instant {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Core.Instant(seconds: Int64(time.tv_sec), nanos: Int32(time.tv_nsec))
        }
    }

    private struct Dice: Randomness {
        func next() -> UInt64 { UInt64.random(in: .min ... .max) }
    }
}

extension Upload {
    /// Adds a file with this content, in pieces of 1 MiB at most, as a client sends it.
    func add(_ path: String, _ content: UnsafeRawBufferPointer) throws {
        var offset = 0
        repeat {
            let end = min(offset + 1 << 20, content.count)
            try add(path: path, datum: "", bytes: UnsafeRawBufferPointer(rebasing: content[offset..<end]))
            offset = end
        } while offset < content.count
    }
}

/// Where files lie, and small contents that are all different.
enum Names {
    /// The path of a file in a tree of directories with `directory` files each.
    static func path(_ index: Int, directory: Int) -> String { "/d\(padded(index / directory))/f\(padded(index))" }

    /// The same width for all, so that the order of names is the order of numbers.
    static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 7 - digits.count)) + digits
    }
}

/// Messages of 1 KiB, each different from all others.
struct Messages {
    static let size = 1024
    private var bytes = Noise.bytes(size, seed: 3)

    /// The message with this number; valid until the next.
    mutating func with<Result>(_ number: UInt64, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: number, as: UInt64.self) }
        return try bytes.withUnsafeBytes(body)
    }

    mutating func bytes(_ number: UInt64) -> [UInt8] { with(number) { Array($0) } }
}
