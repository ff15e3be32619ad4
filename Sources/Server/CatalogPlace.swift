import Backends
import Core
import Foundation

/// Where a server's catalog is.
package enum CatalogPlace: Sendable, Equatable {
    /// In the data folder, on SQLite.
    case folder
    /// In a PostgreSQL database, at a URL or `name=value` pairs as libpq takes them.
    case postgres(String)

    /// What a user wrote; nothing, or empty text, is the folder. Throws `invalidArgument` for what names no place.
    package init(_ text: String?) throws(SpileError) {
        guard let text, !text.isEmpty else {
            self = .folder
            return
        }
        let isURL = text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
        guard isURL || text.contains("dbname=") else {
            throw SpileError(
                .invalidArgument, "there is no catalog at \(text)",
                remedy: "name a database: postgres://user@host/name")
        }
        self = .postgres(text)
    }

    /// Opens the catalog that belongs to a data folder. The first time the two are bound to each other by an id that
    /// both keep: a store is nothing without its own catalog, and would be cleared as garbage beside another. With a
    /// store in a bucket nothing of worth is in the folder, and the catalog is bound to the bucket
    /// (``StorePlace/open(with:_:clock:randomness:)``); then several servers may have a catalog in PostgreSQL.
    ///
    /// `isAlone`: whether no other server may be there, also where several could.
    ///
    /// Throws `failedPrecondition` where they do not belong together, or where another server has the catalog.
    func open(
        with folder: borrowing DataFolder, store: StorePlace, isAlone: Bool = false, fresh id: () -> String
    ) throws -> any Catalog {
        let bond = CatalogBond(folder: folder.path)
        switch self {
        case .folder:
            if let known = try bond.read() {
                throw SpileError(
                    .failedPrecondition,
                    "the catalog of data folder \(folder.path) is not in it, but at \(known.place)",
                    remedy: "give it with --catalog")
            }
            return try SQLiteCatalog(path: folder.catalog)
        case .postgres(let address):
            if FileManager.default.fileExists(atPath: folder.catalog) {
                throw SpileError(
                    .failedPrecondition, "data folder \(folder.path) has a catalog of its own",
                    remedy: "leave --catalog out, or name an empty folder with --data")
            }
            if store != .folder, let known = try bond.read() {
                throw SpileError(
                    .failedPrecondition,
                    "data folder \(folder.path) has a store of its own, with its catalog at \(known.place)",
                    remedy: "leave --store out, or name an empty folder with --data")
            }
            return try Self.openPostgres(address, store == .folder ? bond : nil, isAlone: isAlone, fresh: id)
        }
    }

    #if PostgreSQL
        static func openPostgres(
            _ text: String, _ bond: CatalogBond?, isAlone: Bool, fresh id: () -> String
        ) throws -> any Catalog {
            let address = PostgresAddress(text)
            guard let bond else { return try PostgresCatalog(address, use: isAlone ? .alone : .shared) }
            let catalog = try PostgresCatalog(address)
            do {
                try bind(catalog, at: address.shown, bond, fresh: id)
                return catalog
            } catch {
                try? catalog.close()
                throw error
            }
        }
    #else
        static func openPostgres(
            _ text: String, _ bond: CatalogBond?, isAlone: Bool, fresh id: () -> String
        ) throws -> any Catalog {
            throw SpileError(
                .unimplemented, "this build of the server has no PostgreSQL in it",
                remedy: "build one with: swift build -c release --traits PostgreSQL")
        }
    #endif

    /// Sees to it that a catalog and a data folder have the same id. Throws `failedPrecondition` where they do not and
    /// something is in one of them.
    static func bind(
        _ catalog: some Catalog, at place: String, _ bond: CatalogBond, fresh id: () -> String
    ) throws {
        let inCatalog = try catalog.read { try $0.setting("cluster_id") }
        let inFolder = try bond.read()?.id
        guard inCatalog == inFolder || inCatalog == nil && bond.hasNothingStored else {
            throw SpileError(
                .failedPrecondition, "catalog \(place) and data folder \(bond.folder) do not belong together",
                remedy: "give the server the folder and the catalog that it had, or an empty one of both")
        }
        if inCatalog != nil { return }
        // The folder first: a crash in between leaves a folder in which nothing is stored.
        let chosen = inFolder ?? id()
        try bond.write(id: chosen, place: place)
        try catalog.write { try $0.setSetting("cluster_id", to: chosen) }
    }
}

/// The file `catalog` of a data folder: where its catalog is, if that is elsewhere, and the id that both have.
struct CatalogBond {
    let folder: String
    private var file: String { folder + "/catalog" }

    /// Nil where the folder is not bound to any. Throws `dataLoss` where the file cannot be understood.
    func read() throws -> (id: String, place: String)? {
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let lines = ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
        guard lines.count == 2 else {
            throw SpileError(.dataLoss, "\(file) does not say where the catalog is", remedy: "restore it from a backup")
        }
        return (String(lines[0]), String(lines[1]))
    }

    func write(id: String, place: String) throws {
        do {
            try Data("\(id)\n\(place)\n".utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        } catch {
            throw SpileError(.unavailable, "cannot write \(file): \(error.localizedDescription)")
        }
        for path in [file, folder] { try sync(path) }
    }

    private func sync(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw SpileError(.unavailable, "cannot make \(path) durable: \(String(cString: strerror(errno)))")
        }
    }

    /// Whether no segment is there that a catalog could name.
    var hasNothingStored: Bool {
        (try? FileManager.default.contentsOfDirectory(atPath: folder + "/segments").isEmpty) ?? true
    }
}
