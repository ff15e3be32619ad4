import Backends
import Core
import Foundation
import Logging
import Storage
import Versioning

/// What can be done with a data folder while no server runs on it. Blocks.
package enum StoppedStore {
    /// Checks a data folder and reports what is wrong, one text each; with `data` every byte of every file. What a
    /// crash left without an end is given one, as a start would do.
    ///
    /// Throws `failedPrecondition` if a server runs on the folder or if it is none.
    package static func check(_ dataFolder: String, data: Bool, _ report: (String) throws -> Void) throws {
        guard FileManager.default.fileExists(atPath: dataFolder + "/catalog.sqlite") else {
            throw SpileError(
                .failedPrecondition, "\(dataFolder) is no data folder: it has no catalog.sqlite",
                remedy: "name the folder that the server is given with --data")
        }
        try withFolder(dataFolder) { catalog, history in
            do { try catalog.verify() } catch let error as SpileError where error.code == .dataLoss {
                try report(error.message)
            }
            try history.check(data: data) { try report($0.description) }
        }
    }

    /// Brings a snapshot into the data folder `dataFolder`, which is empty or does not exist, and checks it; the folder
    /// appears only when it is whole and sound. `progress` hears how many segments are done.
    ///
    /// Throws `failedPrecondition` if the folder holds something, `dataLoss` if the snapshot is damaged.
    package static func restore(
        _ snapshot: String, to dataFolder: String, data: Bool, _ progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws {
        let target = URL(fileURLWithPath: dataFolder).standardizedFileURL.path
        let files = FileManager.default
        if let names = try? files.contentsOfDirectory(atPath: target), !names.isEmpty {
            throw SpileError(
                .failedPrecondition, "\(target) is not empty, so nothing is restored into it",
                remedy: "name a folder that does not exist yet")
        }
        let temporary = target + ".restoring"
        try? files.removeItem(atPath: temporary)
        do {
            try fill(temporary, from: snapshot, data: data, progress)
        } catch {
            try? files.removeItem(atPath: temporary)
            throw error
        }
        guard rename(temporary, target) == 0 else {
            throw SpileError(
                .unavailable, "cannot rename \(temporary) to \(target): \(String(cString: strerror(errno)))",
                remedy: "move it there yourself: it is whole")
        }
    }

    private static func fill(
        _ folder: String, from snapshot: String, data: Bool, _ progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws {
        do {
            let locked = try DataFolder(folder)
            try LocalSnapshot.restore(
                snapshot, catalog: locked.catalog, segments: locked.segments, keyFile: locked.secretsKey, progress)
        }
        try withFolder(folder) { catalog, history in
            try catalog.verify()
            var problems: [String] = []
            try history.check(data: data) { if problems.count < 10 { problems.append($0.description) } }
            guard problems.isEmpty else {
                throw SpileError(
                    .dataLoss, "snapshot \(snapshot) is damaged: \(problems.joined(separator: "; "))",
                    remedy: "restore another snapshot")
            }
            try history.transactBlocking { try forgetLaunches($0.catalog) }
        }
    }

    /// Running code belongs to the server that the snapshot was taken of: its launches are outdated here, so that this
    /// server neither stops them nor takes their writes.
    private static func forgetLaunches(_ catalog: any CatalogWriter) throws {
        for var launch in try catalog.launches() {
            launch.epoch += 1
            launch.handle = ""
            launch.tokenHash = Hashing.sha256(Array("restored \(launch.pipeline) \(launch.epoch)".utf8))
            try catalog.put(launch)
        }
    }

    private static func withFolder(
        _ path: String, _ body: (SQLiteCatalog, History) throws -> Void
    ) throws {
        let folder = try DataFolder(path)
        let catalog = try SQLiteCatalog(path: folder.catalog)
        let store = try Store(objects: try LocalDisk(folder: folder.segments))
        let history = try History(
            catalog: catalog, store: store, clock: SystemClock(), randomness: SystemRandomness(),
            logger: Logger(label: "spile"))
        do { try body(catalog, history) } catch {
            try? history.close()
            throw error
        }
        try history.close()
        _ = folder.path
    }
}
