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
}
