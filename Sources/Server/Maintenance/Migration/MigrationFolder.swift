import Core
import Foundation

/// The folder `<data>.migrating`, in which a data folder comes to be: `migration` says of which migration it is,
/// `data/` becomes the data folder when all is there; the rest can be lost.
struct MigrationFolder {
    enum State {
        /// It was made a moment ago.
        case fresh
        /// An earlier try made it.
        case begun
        /// An earlier try came to its end, and the data folder has its name.
        case placed
    }

    /// The data folder to come.
    let target: String
    let root: String
    private let mark: String

    var data: String { root + "/data" }
    private var markFile: String { root + "/migration" }

    init(_ place: MigrationPlace, id: String) {
        target = place.data
        root = place.data + ".migrating"
        mark = "\(id)\n\(place.catalog.shown)\n\(place.store.shown)\n"
    }

    /// Throws `failedPrecondition` if something is there that is not an earlier try's.
    func begin() throws -> State {
        if Self.isEmpty(root) {
            try requireNoTarget()
            try make()
            return .fresh
        }
        guard (try? String(contentsOfFile: markFile, encoding: .utf8)) == mark else {
            throw SpileError(
                .failedPrecondition, "\(root) is there, and not of this migration",
                remedy: "if it is of one that was given up, remove it; else name another folder with --to-data")
        }
        if !FileManager.default.fileExists(atPath: data), !Self.isEmpty(target) { return .placed }
        try requireNoTarget()
        return .begun
    }

    private func requireNoTarget() throws {
        guard Self.isEmpty(target) else {
            throw SpileError(
                .failedPrecondition, "\(target) is not empty, so nothing is copied into it",
                remedy: "name a folder that does not exist yet with --to-data")
        }
    }

    /// Whether nothing is there.
    private static func isEmpty(_ path: String) -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return true }
        return (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
    }

    private func make() throws {
        do {
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            try Data(mark.utf8).write(to: URL(fileURLWithPath: markFile), options: .atomic)
        } catch {
            throw SpileError(
                .failedPrecondition, "\(root) cannot be made: \(error.localizedDescription)",
                remedy: "name a folder elsewhere with --to-data")
        }
    }

    /// Gives the data folder its name, durably.
    func place() throws {
        // Logs among it, which nothing else makes durable.
        sync()
        guard rename(data, target) == 0 else {
            throw SpileError(
                .unavailable, "cannot rename \(data) to \(target): \(String(cString: strerror(errno)))",
                remedy: "run the same command again")
        }
        sync()
    }

    func remove() { try? FileManager.default.removeItem(atPath: root) }
}

/// Copies files of folders.
enum FolderCopy {
    /// Copies what is in a folder, folders in it among it, into another. A file that is there in the same size is
    /// taken to be the same.
    static func run(_ source: String, _ target: String) throws {
        let files = FileManager.default
        do {
            for path in try files.subpathsOfDirectory(atPath: source).sorted() {
                let (from, to) = (source + "/" + path, target + "/" + path)
                let attributes = try files.attributesOfItem(atPath: from)
                if attributes[.type] as? FileAttributeType == .typeDirectory {
                    try files.createDirectory(
                        atPath: to, withIntermediateDirectories: true,
                        attributes: [.posixPermissions: attributes[.posixPermissions] ?? 0o750])
                    continue
                }
                let there = try? files.attributesOfItem(atPath: to)[.size] as? Int
                if let there, there == attributes[.size] as? Int { continue }
                // Under another name until it is whole.
                let part = to + ".part"
                try? files.removeItem(atPath: part)
                try files.copyItem(atPath: from, toPath: part)
                guard rename(part, to) == 0 else { throw CocoaError(.fileWriteUnknown) }
            }
        } catch {
            throw SpileError(
                .unavailable, "cannot copy \(source) to \(target): \(error.localizedDescription)",
                remedy: "run the same command again")
        }
    }
}
