import Core
import Foundation

/// A snapshot in a folder of this machine (docs/FORMAT.md, Snapshot): `catalog.sqlite`, `segments/`, and, written last,
/// `manifest.json`, without which it is unfinished. Where secrets are stored their key is in it too, `secrets.key`,
/// with mode 0600: without it their values could not be restored.
///
/// `parts` belongs to the owner.
package final class LocalSnapshot: SnapshotFolder {
    struct Manifest: Codable {
        var format = 1
        var catalogBytes: Int
        /// Name and size of each object.
        var segments: [String: Int]
    }

    /// The newest layout this program knows.
    static let formatVersion = 1

    let path: String
    private let source: String
    private let keyFile: String?
    private var parts: [String: Int] = [:]

    package var catalogPath: String { path + "/catalog.sqlite" }
    private var segments: String { path + "/segments" }
    private static let keyName = "/secrets.key"
    private static func manifest(_ path: String) -> String { path + "/manifest.json" }

    /// Makes the folder `path` for a snapshot of the store in the folder `segments`, to which the key in `keyFile`
    /// belongs, if there is one. Throws `alreadyExists` if there is
    /// something at `path` already.
    package init(_ path: String, ofSegments source: String, keyFile: String? = nil) throws {
        self.path = path
        self.keyFile = keyFile
        self.source = source
        guard path.hasPrefix("/") else {
            throw SpileError.invalid("\(path) is not an absolute path", remedy: "name the folder from / on")
        }
        if mkdir(path, 0o700) != 0 {
            guard errno == EEXIST else { throw Posix.error("make folder", path) }
            let isUnfinished = access(path + "/segments", F_OK) == 0 && access(Self.manifest(path), F_OK) != 0
            throw SpileError(
                .alreadyExists, "\(path) exists already" + (isUnfinished ? " and holds an unfinished snapshot" : ""),
                remedy: isUnfinished ? "remove it, or name another folder" : "name a folder that does not exist yet")
        }
        if mkdir(segments, 0o700) != 0 { throw Posix.error("make folder", segments) }
    }

    package func take(_ name: String) throws -> SnapshotPart? {
        let (from, to) = (source + "/" + name, segments + "/" + name)
        do {
            let part = try FileShare.shareOrCopy(from, to)
            parts[name] = part.bytes
            return part
        } catch let error as SpileError where error.code == .notFound {
            return nil
        }
    }

    package func write(_ name: String, _ next: () throws -> [UInt8]?) throws -> Int {
        let size = try FileShare.write(segments + "/" + name, next)
        parts[name] = size
        return size
    }

    package func finish() throws {
        // After the catalog: a key is there before the first row that needs it.
        if let keyFile { try FileShare.copyIfPresent(keyFile, path + Self.keyName) }
        try Posix.syncFile(segments)
        let manifest = Manifest(catalogBytes: try FileShare.size(of: catalogPath), segments: parts)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        var text: [UInt8]? = Array(try encoder.encode(manifest))
        let temporary = path + "/.manifest"
        _ = try FileShare.write(temporary) {
            defer { text = nil }
            return text
        }
        try Posix.syncFile(path)
        if rename(temporary, Self.manifest(path)) != 0 { throw Posix.error("rename", temporary) }
        try Posix.syncFile(path)
        try Posix.syncFile(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }

    // MARK: Restoring

    /// Brings the snapshot at `path` into a data folder: its catalog to the file `catalog`, its segments into the
    /// folder `segments`, which is empty, and the secrets' key, if it holds one, to the file `keyFile`. Sealed
    /// segments are shared where both are on one file system, and never written to.
    ///
    /// Throws `failedPrecondition` for what is no finished snapshot or one of a newer layout, `dataLoss` where
    /// something is missing from it.
    package static func restore(
        _ path: String, catalog: String, segments: String, keyFile: String,
        _ report: (_ done: Int, _ total: Int) throws -> Void
    ) throws {
        let manifest = try readManifest(path)
        try FileShare.copy(path + "/catalog.sqlite", catalog, expecting: manifest.catalogBytes)
        for (index, item) in manifest.segments.sorted(by: { $0.key < $1.key }).enumerated() {
            let (from, to) = (path + "/segments/" + item.key, segments + "/" + item.key)
            do {
                // An unfinished segment is given an end where it lies: that must not happen to the snapshot's.
                if item.key.hasSuffix(".seg") {
                    try FileShare.check(from, size: item.value)
                    _ = try FileShare.shareOrCopy(from, to)
                } else {
                    try FileShare.copy(from, to, expecting: item.value)
                }
            } catch let error as SpileError where error.code == .notFound {
                throw SpileError(
                    .dataLoss, "snapshot \(path) lacks \(item.key)", remedy: "restore another snapshot", cause: error)
            }
            try report(index + 1, manifest.segments.count)
        }
        try FileShare.copyIfPresent(path + keyName, keyFile)
        try Posix.syncFile(segments)
    }

    private static func readManifest(_ path: String) throws -> Manifest {
        guard let data = FileManager.default.contents(atPath: manifest(path)) else {
            throw SpileError(
                .failedPrecondition, "\(path) is no finished snapshot: it has no manifest.json",
                remedy: "name a folder that `spile snapshot` has finished")
        }
        let found: Manifest
        do { found = try JSONDecoder().decode(Manifest.self, from: data) } catch {
            throw SpileError(
                .dataLoss, "\(manifest(path)) cannot be read", remedy: "restore another snapshot", cause: error)
        }
        guard found.format <= formatVersion else {
            throw SpileError(
                .failedPrecondition,
                "snapshot \(path) has format \(found.format), this program knows up to \(formatVersion)",
                remedy: "use the newer program that wrote it")
        }
        return found
    }
}

/// Files that are shared or copied, durably.
enum FileShare {
    private static let step = 1 << 20

    static func size(of path: String) throws -> Int {
        var status = stat()
        if stat(path, &status) != 0 { throw Posix.error("look at", path) }
        return Int(status.st_size)
    }

    static func check(_ path: String, size expected: Int) throws {
        let found = try size(of: path)
        guard found == expected else {
            throw SpileError(
                .dataLoss, "\(path) has \(found) bytes, its manifest says \(expected)",
                remedy: "restore another snapshot")
        }
    }

    /// Gives a finished file a second name, or copies it where that cannot be.
    static func shareOrCopy(_ from: String, _ to: String) throws -> SnapshotPart {
        if link(from, to) == 0 { return SnapshotPart(bytes: try size(of: to), isShared: true) }
        switch errno {
        case EXDEV, EPERM, EMLINK, EOPNOTSUPP, EACCES: break
        default: throw Posix.error("link", from)
        }
        return SnapshotPart(bytes: try copy(from, to), isShared: false)
    }

    static func copy(_ from: String, _ to: String, expecting size: Int) throws {
        try check(from, size: size)
        _ = try copy(from, to)
    }

    static func copyIfPresent(_ from: String, _ to: String) throws {
        do { _ = try copy(from, to) } catch let error as SpileError where error.code == .notFound { return }
    }

    private static func copy(_ from: String, _ to: String) throws -> Int {
        let reader = try LocalReader(path: from)
        var position = 0
        return try write(to) {
            guard position < reader.size else { return nil }
            let count = min(step, reader.size - position)
            var bytes = [UInt8](repeating: 0, count: count)
            try bytes.withUnsafeMutableBytes { try reader.readFully(into: $0, at: position) }
            position += count
            return bytes
        }
    }

    /// Makes a new file of what `next` gives; durable on return, its name excepted.
    static func write(_ path: String, _ next: () throws -> [UInt8]?) throws -> Int {
        let file = openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Posix.error("make", path) }
        defer { closeFile(file) }
        var size = 0
        while let bytes = try next() {
            try bytes.withUnsafeBytes { try Posix.writeAll($0, to: file, path, at: size) }
            size += bytes.count
        }
        if fsync(file) != 0 { throw Posix.error("sync", path) }
        return size
    }
}
