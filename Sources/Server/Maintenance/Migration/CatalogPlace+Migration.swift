import Backends
import Core

extension CatalogPlace {
    /// For messages; without a password.
    package var shown: String {
        switch self {
        case .folder: return "the data folder"
        case .postgres(let text):
            #if PostgreSQL
                return PostgresAddress(text).shown
            #else
                return "PostgreSQL"
            #endif
        }
    }

    /// Fills an empty catalog in PostgreSQL with all that another one has. No server of it will have a number up to
    /// `taken`.
    func fill(_ catalog: any Catalog, from source: any Catalog, taken: UInt64) throws {
        #if PostgreSQL
            if let catalog = catalog as? PostgresCatalog { return try catalog.fill(from: source, taken: taken) }
        #endif
        throw SpileError.bug("catalog \(shown) is filled in another way")
    }
}
