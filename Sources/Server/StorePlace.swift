import Backends
import Core
import Foundation
import Storage

/// Where a server's store is.
package enum StorePlace: Sendable, Equatable {
    /// In the data folder.
    case folder
    /// In a bucket, under keys that begin with a prefix.
    case bucket(name: String, prefix: String)

    /// What a user wrote; nothing, or empty text, is the folder. Throws `invalidArgument` for what names no place.
    package init(_ text: String?) throws(SpileError) {
        guard let text, !text.isEmpty else {
            self = .folder
            return
        }
        guard text.hasPrefix("s3://") else {
            throw SpileError(
                .invalidArgument, "there is no store at \(text)", remedy: "name a bucket: s3://NAME/PREFIX")
        }
        let parts = text.dropFirst("s3://".count).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else {
            throw SpileError(.invalidArgument, "\(text) names no bucket", remedy: "name one: s3://NAME/PREFIX")
        }
        self = .bucket(name: String(name), prefix: parts.count == 2 ? String(parts[1]) : "")
    }

    /// What no URL may name; nil for a store in a folder.
    var location: S3Location? {
        guard case .bucket(let name, let prefix) = self else { return nil }
        return S3Location(bucket: name, key: prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/")
    }

    package var shown: String {
        switch self {
        case .folder: "the data folder"
        case .bucket(let name, let prefix): prefix.isEmpty ? "s3://\(name)" : "s3://\(name)/\(prefix)"
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
        guard case .bucket(let name, let prefix) = self else {
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
            name, S3StoreOptions(folder: folder.path + "/s3", prefix: prefix), environment, clock, randomness)
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
        _ name: String, _ options: S3StoreOptions, _ environment: [String: String], _ clock: any Clock,
        _ randomness: any Randomness
    ) throws -> S3Store {
        let access = try S3Environment(environment)
        var transport = S3TransportOptions()
        transport.trustFile = environment["SSL_CERT_FILE"]
        return try S3Store(
            bucket: try access.bucket(name), credentials: access.credentials, transport: transport, options: options,
            clock: clock, randomness: randomness)
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
    /// The object that holds the key of the stored secrets.
    static let key = "secrets.key"

    private func bind(_ store: S3Store, to catalog: any Catalog, _ mayBind: Bool, fresh id: String) throws {
        let inStore = try store.whole(Self.bond).map { String(decoding: $0, as: UTF8.self) }
        let inCatalog = try catalog.read { try $0.setting("cluster_id") }
        if let inStore, inStore == inCatalog { return }
        let isNew = try mayBind && inStore == nil && !store.list().contains { $0.name.hasSuffix(".seg") }
        guard isNew else {
            throw SpileError(
                .failedPrecondition, "store \(shown) belongs to another catalog",
                remedy: "give the server the store and the catalog that it had, or an empty one of both")
        }
        // Several servers may come here at once: the catalog says whose id stands.
        let standing = try catalog.write { writer in
            if let known = try writer.setting("cluster_id") { return known }
            try writer.setSetting("cluster_id", to: id)
            return id
        }
        do { try store.makeWhole(Self.bond, Array(standing.utf8)) } catch let error as SpileError
            where error.code == .alreadyExists
        {
            guard try store.whole(Self.bond) == Array(standing.utf8) else { throw error }
        }
    }
}
