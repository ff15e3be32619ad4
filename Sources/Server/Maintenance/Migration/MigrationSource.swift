import Backends
import Core
import Foundation
import Storage

/// The place that a migration comes from, with nobody else on it as long as this is open. One owner.
final class MigrationSource {
    let catalog: any Catalog
    /// The id by which catalog and store know each other.
    let id: String
    private let place: MigrationPlace
    private let folder: DataFolder
    private let migration: Migration
    private var places: StorePlaces?

    var logs: String { folder.logs }

    /// Opens the catalog. Throws `failedPrecondition` where no server has ever been, or one is.
    init(_ place: MigrationPlace, _ migration: Migration) throws {
        self.place = place
        self.migration = migration
        try Self.requireServer(place)
        folder = try DataFolder(place.data)
        catalog = try place.catalog.open(with: folder, store: place.store, isAlone: true) { "" }
        do {
            guard let id = try catalog.read({ try $0.setting("cluster_id") }) else { throw Self.empty(place) }
            self.id = id
            try (catalog as? SQLiteCatalog)?.verify()
        } catch {
            try? catalog.close()
            throw error
        }
    }

    /// Before anything is opened, which would make what is not there.
    private static func requireServer(_ place: MigrationPlace) throws {
        switch place.catalog {
        case .folder:
            if FileManager.default.fileExists(atPath: place.data + "/catalog.sqlite") { return }
            if try CatalogBond(folder: place.data).read() != nil {
                throw SpileError(
                    .failedPrecondition, "the catalog of data folder \(place.data) is not in it",
                    remedy: "give it with --catalog")
            }
        case .postgres:
            if try place.store != .folder || CatalogBond(folder: place.data).read() != nil { return }
        }
        throw empty(place)
    }

    private static func empty(_ place: MigrationPlace) -> SpileError {
        SpileError(
            .failedPrecondition, "no server has ever been at data folder \(place.data), catalog \(place.catalog.shown)",
            remedy: "say with --data, --catalog and --store what the server is started with")
    }

    /// Opens the store and gives an end to what has none, as a start would.
    func openStore() throws {
        let places = try place.store.open(
            with: catalog, folder, clock: migration.clock, randomness: migration.randomness, mayBind: false,
            environment: migration.environment)
        try Store(objects: places.objects, options: places.options).close()
        let tails = try catalog.tails()
        guard tails.isEmpty else {
            throw SpileError.bug("the catalog keeps bytes of \(tails.keys.sorted().joined(separator: ", "))")
        }
        self.places = places
    }

    private var opened: StorePlaces {
        guard let places else { preconditionFailure("BUG: the old store was not opened") }
        return places
    }
    var objects: any ObjectStore { opened.objects }
    var key: any KeyFile { opened.key }

    func close() {
        try? catalog.close()
        // A thread that ends may still refer to it.
        (places?.objects as? LocalDisk)?.release()
    }
}
