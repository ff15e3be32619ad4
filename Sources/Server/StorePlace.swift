import Backends
import Core
import Foundation
import Storage

/// Where a server's store is.
package enum StorePlace: Sendable, Equatable {
    /// In the data folder.
    case folder
    /// In a bucket, under keys that begin with a prefix, which is empty or ends with a slash.
    case bucket(S3Location)

    /// What a user wrote; nothing, or empty text, is the folder. Throws `invalidArgument` for what names no place.
    package init(_ text: String?) throws(SpileError) {
        guard let text, !text.isEmpty else {
            self = .folder
            return
        }
        let place = try S3Location(text)
        self = .bucket(S3Location(bucket: place.bucket, key: place.prefix, region: place.region))
    }

    /// What no URL may name; nil for a store in a folder.
    var location: S3Location? {
        if case .bucket(let place) = self { place } else { nil }
    }

    package var shown: String {
        switch self {
        case .folder: "the data folder"
        case .bucket(let place): "s3://\(place.bucket)/\(place.key)"
        }
    }
}

/// A server's store, opened but for its segments, and what else is kept there.
struct StorePlaces {
    let objects: any ObjectStore
    let options: StoreOptions
    let key: any KeyFile
    /// The folder of the segments; nil where they are in no folder.
    let segments: String?
}

extension StorePlace {
    /// Segments whose chunks are learnt when a far store is opened: each costs some requests.
    private static let farFingerprintSegments = 16

    /// Opens the place that belongs to a catalog. The first time the two are bound to each other by an id that both
    /// keep.
    ///
    /// `mayBind`: whether a place that nobody has used becomes the catalog's.
    ///
    /// Throws `failedPrecondition` where they do not belong together, and what the store throws.
    func open(
        with catalog: any Catalog, _ folder: borrowing DataFolder, clock: any Clock, randomness: any Randomness,
        mayBind: Bool = true, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> StorePlaces {
        guard case .bucket(let place) = self else {
            return StorePlaces(
                objects: try LocalDisk(folder: folder.segments), options: StoreOptions(),
                key: LocalKeyFile(folder.secretsKey), segments: folder.segments)
        }
        guard CatalogBond(folder: folder.path).hasNothingStored else {
            throw SpileError(
                .failedPrecondition, "data folder \(folder.path) has a store of its own",
                remedy: "leave --store out, or name an empty folder with --data")
        }
        let store = try Self.openBucket(
            place, S3StoreOptions(folder: folder.path + "/s3", prefix: place.key), environment, clock, randomness)
        try bind(store, to: catalog, mayBind, fresh: CommitID(randomness).description)
        var options = StoreOptions()
        options.fingerprintSegments = Self.farFingerprintSegments
        if let peers = catalog.peers {
            options.server = peers.number
            options.others = try Self.others(peers)
        }
        return StorePlaces(
            objects: TailedStore(store, tails: CatalogTails(catalog)), options: options,
            key: S3KeyFile(store, name: Self.key), segments: nil)
    }

    static func openBucket(
        _ place: S3Location, _ options: S3StoreOptions, _ environment: [String: String], _ clock: any Clock,
        _ randomness: any Randomness
    ) throws -> S3Store {
        let access = try S3Environment(environment)
        var transport = S3TransportOptions()
        transport.trustFile = S3Environment.trustFile(environment)
        return try S3Store(
            bucket: try access.bucket(place.bucket, region: place.region), credentials: access.credentials,
            transport: transport, options: options, clock: clock, randomness: randomness)
    }

    /// Servers that may still write. As long as nobody knows, all that ever came.
    private static func others(_ peers: any Peers) throws -> Set<UInt64> {
        do { return try peers.giveUpAbsent().subtracting([peers.number]) } catch let error as SpileError
            where error.code == .unavailable
        {
            return Set(1..<peers.number)
        }
    }

    /// The object that says to which catalog a bucket belongs.
    static let bond = "catalog"
    /// The object that marks a bucket as one that is being filled by a migration.
    static let mark = "migrating"
    /// The object that holds the key of the stored secrets.
    static let key = "secrets.key"

    private func bind(_ store: S3Store, to catalog: any Catalog, _ mayBind: Bool, fresh id: String) throws {
        // The catalog first: another server that has made commits has bound the store before.
        let (inCatalog, commits) = try catalog.read { (try $0.setting("cluster_id"), try $0.lastSequence()) }
        let inStore = try store.whole(Self.bond).map { String(decoding: $0, as: UTF8.self) }
        if let inStore, inStore == inCatalog { return }
        let isNew = try mayBind && inStore == nil && commits == 0 && store.whole(Self.mark) == nil
            && !store.list().contains { $0.name.hasSuffix(".seg") }
        // Several servers may come here at once: the catalog says whose id stands.
        guard isNew, try bind(store, catalog.standing("cluster_id", else: id)) else {
            throw SpileError(
                .failedPrecondition, "store \(shown) belongs to another catalog",
                remedy: "give the server the store and the catalog that it had, or an empty one of both")
        }
    }

    private func bind(_ store: S3Store, _ id: String) throws -> Bool {
        try store.settle(Self.bond, Array(id.utf8)) == Array(id.utf8)
    }
}
