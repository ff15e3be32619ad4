import Backends
import Core
import Foundation
import Logging
import Storage
import Versioning

/// Where a server is: what it is started with.
package struct MigrationPlace: Sendable, Equatable {
    package var data: String
    package var catalog: CatalogPlace
    package var store: StorePlace

    package init(data: String, catalog: CatalogPlace = .folder, store: StorePlace = .folder) {
        self.data = URL(fileURLWithPath: data).standardizedFileURL.path
        self.catalog = catalog
        self.store = store
    }
}

/// How far a migration has come.
package enum MigrationStage: Sendable, Equatable {
    /// The new place is known to be empty, and marked as this migration's.
    case begun
    /// Segments that are there and proven; bytes of these.
    case segments(done: Int, total: Int, bytes: Int)
    /// All rows of the catalog are there.
    case rows
    /// All that is there was walked, and nothing is wrong with it.
    case checked
    case logs
    /// The bucket, if there is one, belongs to the catalog.
    case bound
    /// The data folder has its name.
    case placed
}

/// Copies all that a stopped server has to a place where nothing is: its segments object by object, its catalog row by
/// row, the key of its secrets, the logs of its code. Blocks.
///
/// The order makes a half of it harmless, and a crash at any point something to go on from by doing it again:
///
/// 1. The new place is marked: a folder `<data>.migrating` beside the data folder to come, an object `migrating` in
///    the bucket.
/// 2. Segments. Each is read back and every slot compared with its hash; one that is there already is only looked at.
/// 3. The key, then the rows, in one transaction; then both catalogs are read whole and compared, and the new store is
///    walked from every root.
/// 4. What a server needs to accept the place: the bond in the bucket, the name of the data folder. Until then one that
///    is started on it is refused, or finds nothing.
/// 5. The marks go.
///
/// The old place is only read, save for what a start would do: segments that a crash left open get their end.
package struct Migration: Sendable {
    package struct Summary: Sendable, Equatable {
        /// Segments there are, and their bytes.
        package var segments = 0
        package var bytes = 0
        /// Of these, segments that were not there yet.
        package var brought = 0
        package var commits = 0
        package var rows = 0
        /// Whether an earlier try had done all of it already; then nothing is counted.
        package var wasPlaced = false
    }

    let from: MigrationPlace
    let to: MigrationPlace
    /// Says where buckets are and whose key is used, for both places.
    var environment = ProcessInfo.processInfo.environment
    var clock: any Clock = SystemClock()
    var randomness: any Randomness = SystemRandomness()
    /// What stands between this and the new store's objects.
    var wrap: @Sendable (any ObjectStore) -> any ObjectStore = { $0 }
    /// Whether every byte of every file is read in the end, through the trees.
    package var readsAll = false

    package init(from: MigrationPlace, to: MigrationPlace) {
        self.from = from
        self.to = to
    }

    /// Does all of it, or what an earlier try left to do. `report` may throw to give up; it comes from one thread at a
    /// time.
    ///
    /// Throws `failedPrecondition` where a server runs on one of the places, where the old one holds nothing or the new
    /// one something; `dataLoss` where the old one is damaged, or the new one does not give back what it was given.
    package func run(_ report: @escaping @Sendable (MigrationStage) throws -> Void) throws -> Summary {
        try refuseOnePlace()
        let source = try MigrationSource(from, self)
        defer { source.close() }
        let target = try MigrationTarget(to, self, for: source)
        defer { target.close() }
        var summary = Summary()
        summary.wasPlaced = target.isPlaced
        if !target.isPlaced {
            try source.openStore()
            try target.mark()
            try report(.begun)
            let items = try bring(from: source, to: target, &summary, report)
            try target.take(key: source.key)
            let content = try target.fill(from: source.catalog, taken: items.map { $0.id >> 32 }.max() ?? 0)
            (summary.commits, summary.rows) = (content.count(of: "commits"), content.count)
            try report(.rows)
            try check(target)
            try report(.checked)
            try FolderCopy.run(source.logs, target.logs)
            try report(.logs)
            try target.bind()
            try report(.bound)
            try target.settle()
            try report(.placed)
        }
        try target.clean()
        return summary
    }

    private func refuseOnePlace() throws {
        if from.data == to.data {
            throw SpileError(
                .failedPrecondition, "\(from.data) is the old data folder and the new one",
                remedy: "name another with --to-data: segments that stay on one file system take no room twice")
        }
        if let old = from.store.location, let new = to.store.location, (old.bucket, old.key) == (new.bucket, new.key) {
            throw SpileError(
                .failedPrecondition, "\(from.store.shown) is the old store and the new one",
                remedy: "name another bucket, or another prefix")
        }
    }

    // MARK: Segments

    /// Segments that are brought at the same time: where one side is far most of the time is spent waiting.
    private var width: Int { from.store == .folder && to.store == .folder ? 2 : 8 }

    private func bring(
        from source: MigrationSource, to target: MigrationTarget, _ summary: inout Summary,
        _ report: @escaping @Sendable (MigrationStage) throws -> Void
    ) throws -> [SegmentTransfer.Item] {
        let transfer = SegmentTransfer(
            from: source.objects, to: target.objects, proof: target.proof,
            share: Self.sharing(from: source.objects, to: target.objects))
        let items = try transfer.items()
        let tally = Tally()
        try Parallel.forEach(items.count, width: width) { index in
            let isNew = try transfer.bring(items[index].id)
            try tally.add(items[index].size, isNew) { done, bytes in
                try report(.segments(done: done, total: items.count, bytes: bytes))
            }
        }
        summary.segments = items.count
        (summary.bytes, summary.brought) = tally.sums
        return items
    }

    /// How objects go from a folder to another on one file system: they get a second name.
    private static func sharing(
        from source: any ObjectStore, to target: any ObjectStore
    ) -> (@Sendable (String) throws -> Bool)? {
        guard let source = source as? LocalDisk, let target = target as? LocalDisk else { return nil }
        return { try target.share($0, of: source) }
    }

    // MARK: The check

    /// Walks the new place from every root.
    private func check(_ target: MigrationTarget) throws {
        let store = try Store(objects: target.proof)
        let history = try History(
            catalog: target.openCatalog(), store: store, clock: clock, randomness: randomness,
            logger: Logger(label: "spile"))
        defer { try? history.close() }
        var problems: [String] = []
        try history.check(data: readsAll) { if problems.count < 10 { problems.append($0.description) } }
        guard problems.isEmpty else {
            throw SpileError(
                .dataLoss, "what is in the new place is not sound: \(problems.joined(separator: "; "))",
                remedy: "it came so from the old place: look at that with `spile check`")
        }
    }
}

/// Segments that are done, counted by many threads; guarded by the lock, under which they report as well.
private final class Tally: @unchecked Sendable {
    // Unchecked: every property is read and written with the lock held.
    private let lock = NSLock()
    private var done = 0
    private var bytes = 0
    private var brought = 0

    var sums: (bytes: Int, brought: Int) { lock.withLock { (bytes, brought) } }

    func add(_ size: Int, _ isNew: Bool, _ report: (_ done: Int, _ bytes: Int) throws -> Void) throws {
        lock.lock()
        defer { lock.unlock() }
        done += 1
        bytes += size
        if isNew { brought += 1 }
        try report(done, bytes)
    }
}
