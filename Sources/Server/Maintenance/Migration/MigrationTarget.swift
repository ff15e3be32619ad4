import Backends
import Core
import Foundation

/// The place that a migration goes to, with nobody else on it as long as this is open. One owner.
final class MigrationTarget {
    /// Bytes on this machine: nobody reads what was just written but to prove it, past this.
    private static let writtenCache = 64 << 20

    /// Whether an earlier try did all but clean up.
    let isPlaced: Bool
    private let place: MigrationPlace
    private let id: String
    private let folder: MigrationFolder
    /// Nil once it has its name.
    private let data: DataFolder?
    private let bucket: S3Store?
    /// A catalog elsewhere, for as long as nobody else took it over.
    private var database: (any Catalog)?
    let objects: any ObjectStore
    /// What the store holds, without what this machine remembers of having written.
    let proof: any ObjectStore

    /// Opens the place. Throws `failedPrecondition` if something is there that is not an earlier try's, and leaves it
    /// as it is.
    init(_ place: MigrationPlace, _ migration: Migration, for source: MigrationSource) throws {
        self.place = place
        id = source.id
        folder = MigrationFolder(place, id: source.id)
        let state = try folder.begin()
        isPlaced = state == .placed
        do {
            data = isPlaced ? nil : try DataFolder(folder.data)
            switch place.store {
            case .folder:
                bucket = nil
                let disk = try LocalDisk(folder: (isPlaced ? folder.target : folder.data) + "/segments")
                objects = migration.wrap(disk)
                proof = disk
            case .bucket(let bucketPlace):
                let root = folder.root
                func open(_ part: String, cacheBytes: Int? = nil) throws -> S3Store {
                    var options = S3StoreOptions(folder: root + "/" + part, prefix: bucketPlace.key)
                    if let cacheBytes { options.cacheBytes = cacheBytes }
                    return try StorePlace.openBucket(
                        bucketPlace, options, migration.environment, migration.clock, migration.randomness)
                }
                let store = try open("s3", cacheBytes: Self.writtenCache)
                bucket = store
                if !isPlaced { try Self.requireRoom(store, for: source.id, at: place.store.shown) }
                objects = migration.wrap(store)
                proof = try open("proof")
            }
            database = isPlaced ? nil : try Self.openDatabase(place.catalog, for: source)
        } catch {
            if state == .fresh { folder.remove() }
            throw error
        }
    }

    private static func requireRoom(_ store: S3Store, for id: String, at shown: String) throws {
        let (mark, bond) = (try store.whole(StorePlace.mark), try store.whole(StorePlace.bond))
        let isOurs = mark == Array(id.utf8) && (bond == nil || bond == Array(id.utf8))
        guard try isOurs || store.holdsNothing() else { throw isTaken(shown) }
    }

    private static func isTaken(_ shown: String) -> SpileError {
        SpileError(
            .failedPrecondition, "\(shown) is not empty, so nothing is copied into it",
            remedy: "name another bucket or prefix with --to-store")
    }

    /// Makes an object of the bucket that says whose it is, unless it is there.
    private func claim(_ name: String, in bucket: S3Store) throws {
        guard try bucket.settle(name, Array(id.utf8)) == Array(id.utf8) else { throw Self.isTaken(place.store.shown) }
    }

    private static func openDatabase(_ place: CatalogPlace, for source: MigrationSource) throws -> (any Catalog)? {
        guard case .postgres(let address) = place else { return nil }
        let catalog = try CatalogPlace.openPostgres(address, nil, isAlone: true) { "" }
        do {
            let content = try CatalogContent(of: catalog)
            // What an earlier try brought is as good as what this one would bring.
            let isOurs = try content.count == 0
                || content.differences(from: CatalogContent(of: source.catalog)).isEmpty
            guard isOurs else {
                throw SpileError(
                    .failedPrecondition, "catalog \(place.shown) is not empty, so nothing is copied into it",
                    remedy: "name an empty database with --to-catalog")
            }
            return catalog
        } catch {
            try? catalog.close()
            throw error
        }
    }

    /// Says in the bucket what is being done to it.
    func mark() throws { if let bucket { try claim(StorePlace.mark, in: bucket) } }

    // MARK: Filling

    private var opened: String { folder.data }
    var logs: String { opened + "/logs" }
    private var catalogFile: String { opened + "/catalog.sqlite" }

    private var keyFile: any KeyFile {
        bucket.map { S3KeyFile($0, name: StorePlace.key) } ?? LocalKeyFile(opened + "/secrets.key")
    }

    /// Takes over the key of the stored secrets, if there is one.
    func take(key source: any KeyFile) throws {
        guard let key = try source.read() else { return }
        guard try keyFile.make(key) == key else {
            throw SpileError(
                .failedPrecondition, "\(keyFile.path) is another key than \(source.path)", remedy: "remove it")
        }
    }

    /// Takes over all rows and compares them. Returns what they are.
    func fill(from source: any Catalog, taken: UInt64) throws -> CatalogContent {
        let expected = try CatalogContent(of: source)
        if let database {
            if try CatalogContent(of: database).count == 0 {
                try place.catalog.fill(database, from: source, taken: taken)
            }
        } else {
            // What an earlier try left may be half of it.
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(catalogFile + suffix) }
            try source.copy(to: catalogFile)
        }
        let catalog = try openCatalog()
        let differences = try CatalogContent(of: catalog).differences(from: expected)
        if database == nil { try catalog.close() }
        guard differences.isEmpty else {
            throw SpileError(
                .dataLoss, "catalog \(place.catalog.shown) does not hold what it was given, in: "
                    + differences.joined(separator: ", "),
                remedy: "make the database anew, empty, and run the same command again")
        }
        return expected
    }

    /// The new catalog. To be closed by the caller.
    func openCatalog() throws -> any Catalog { try database ?? SQLiteCatalog(path: catalogFile) }

    // MARK: The end

    /// Binds catalog and store to each other: from now on a server accepts them.
    func bind() throws {
        if let bucket {
            try claim(StorePlace.bond, in: bucket)
        } else if place.catalog != .folder {
            try CatalogBond(folder: opened).write(id: id, place: place.catalog.shown)
        }
    }

    /// Gives the data folder its name.
    func settle() throws { try folder.place() }

    /// Removes the marks.
    func clean() throws {
        try bucket?.remove(StorePlace.mark)
        folder.remove()
    }

    func close() {
        try? database?.close()
        database = nil
        // A thread that ends may still refer to it.
        (proof as? LocalDisk)?.release()
    }
}
