import Server

/// What commands do with a data folder on which no server runs.
enum StoppedServer {
    static func check(_ dataFolder: String, data: Bool, _ report: (String) throws -> Void) throws {
        try StoppedStore.check(dataFolder, data: data, report)
    }

    static func restore(
        _ snapshot: String, to dataFolder: String, data: Bool, _ progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws {
        try StoppedStore.restore(snapshot, to: dataFolder, data: data, progress)
    }

    /// What a server is started with; nil and empty stand for the data folder.
    struct Place {
        var data: String
        var catalog: String?
        var store: String?

        fileprivate func parsed() throws -> MigrationPlace {
            MigrationPlace(data: data, catalog: try CatalogPlace(catalog), store: try StorePlace(store))
        }
    }

    /// Moves a store. Returns what was done, in words; `progress` hears how far it is.
    static func migrate(
        from: Place, to: Place, readsAll: Bool, _ progress: @escaping @Sendable (String) -> Void
    ) throws -> String {
        var migration = Migration(from: try from.parsed(), to: try to.parsed())
        migration.readsAll = readsAll
        let summary = try migration.run { progress(words($0)) }
        if summary.wasPlaced { return "\(to.data) was moved before: it is cleaned up now." }
        let size = formatSize(Int64(summary.bytes))
        let there = summary.segments - summary.brought
        return "\(to.data): \(summary.segments) segments (\(size)\(there > 0 ? ", \(there) were there already" : "")), "
            + "\(summary.commits) commits, \(summary.rows) rows, all compared."
    }

    private static func words(_ stage: MigrationStage) -> String {
        switch stage {
        case .begun: "looking at segments"
        case .segments(let done, let total, let bytes):
            done < total ? "segments: \(done) of \(total), \(formatSize(Int64(bytes)))" : "copying the catalog"
        case .rows: "checking"
        case .checked: "copying logs"
        case .logs, .bound, .placed: "finishing"
        }
    }

    /// A catalog's address without its password.
    static func shown(catalog: String) -> String { (try? CatalogPlace(catalog).shown) ?? catalog }
}
