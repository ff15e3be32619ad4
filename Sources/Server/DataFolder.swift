import Core
import Foundation

/// The folder that a server keeps everything in, locked for as long as it runs.
///
/// Layout (docs/FORMAT.md): `format` says which version of this layout it has, `lock` is held by the server,
/// `catalog.sqlite` is the catalog, `segments/` the store, `logs/` what users' code printed, `launches/` private
/// folders of running code, `containers/` those of code in containers, `inputs/` what running services read, `datums/`
/// what running jobs read and write, `bin/` links to this program under its two names, `secrets.key` opens the stored
/// secrets.
struct DataFolder: ~Copyable {
    /// The newest layout this program knows.
    static let formatVersion = 1

    let path: String
    private let lock: Int32

    var catalog: String { path + "/catalog.sqlite" }
    var segments: String { path + "/segments" }
    var logs: String { path + "/logs" }
    var launches: String { path + "/launches" }
    var containers: String { path + "/containers" }
    var inputs: String { path + "/inputs" }
    var datums: String { path + "/datums" }
    var secretsKey: String { path + "/secrets.key" }
    var programs: String { path + "/bin" }

    /// Makes the folder if it is missing, locks it, checks its format.
    ///
    /// Throws `failedPrecondition` if another server holds it or it is of a newer format.
    init(_ folder: String) throws {
        // Running code starts elsewhere: what it is told must not depend on where the server was started.
        let path = URL(fileURLWithPath: folder).standardizedFileURL.path
        try Self.make(path)
        let descriptor = try Self.lock(path + "/lock", folder: path)
        do {
            try Self.checkFormat(path)
            for folder in ["segments", "logs", "launches", "inputs", "bin"] { try Self.make(path + "/" + folder) }
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        lock = descriptor
    }

    deinit {
        // Not by closing alone: a child that is being started has a copy of the descriptor until it runs its program.
        _ = flock(lock, LOCK_UN)
        close(lock)
    }

    private static func make(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        } catch {
            throw SpileError(
                .failedPrecondition, "data folder \(path) cannot be made: \(error.localizedDescription)",
                remedy: "choose another with --data")
        }
    }

    private static func lock(_ path: String, folder: String) throws -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw SpileError(
                .failedPrecondition, "data folder \(folder) cannot be written: \(String(cString: strerror(errno)))",
                remedy: "check its owner and mode, or choose another with --data")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw SpileError(
                .failedPrecondition, "data folder \(folder) is in use by another server",
                remedy: "stop that one, or choose another folder with --data")
        }
        return descriptor
    }

    private static func checkFormat(_ folder: String) throws {
        let path = folder + "/format"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            try Data("\(formatVersion)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            return
        }
        guard let version = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw SpileError(.dataLoss, "\(path) does not hold a format version", remedy: "restore it from a backup")
        }
        guard version <= formatVersion else {
            throw SpileError(
                .failedPrecondition,
                "data folder \(folder) has format \(version), this program knows up to \(formatVersion)",
                remedy: "run the newer program that wrote it")
        }
    }
}
