/// Finds, reads and writes the config file (`contract/cli.md` §4.1).
struct ConfigStore: Sendable {
    let environment: Environment
    /// The mount a worker finds its config at.
    var workerPath = "/pachctl/config.json"

    /// Nil where no place can be told: no variable, no mount, no home folder.
    var path: String? {
        if let path = environment["PACH_CONFIG"] { return path }
        if Files.kind(workerPath) == .file { return workerPath }
        return environment.nonEmpty("HOME").map { $0 + "/.pachyderm/config.json" }
    }

    /// The stored config, or a fresh one where there is no file yet. A fresh one takes its address from
    /// `PACHD_ADDRESS`, so that the first save keeps it.
    func load() throws -> ClientConfig {
        guard let path, Files.kind(path) != .missing else { return fresh() }
        let bytes = try Files.read(path)
        if bytes.allSatisfy({ [32, 10, 13, 9].contains($0) }) { return fresh() }
        do {
            return try ClientConfig(parsing: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw Failure("cannot read the config file \(path): \(error); mend it, or move it away to start afresh")
        }
    }

    private func fresh() -> ClientConfig {
        let address = environment.nonEmpty("PACHD_ADDRESS").flatMap { try? Address($0).description }
        return .fresh(userID: makeCommitID(), address: address)
    }

    func save(_ config: ClientConfig) throws {
        guard let path, !path.isEmpty else {
            throw Failure("there is no place for the config file: set PACH_CONFIG to a path, or HOME to a folder")
        }
        if environment["PACH_CONFIG"] == nil { try Files.makeFolder(Files.parent(path), mode: 0o700) }
        try Files.replace(path, with: Array(config.text.utf8))
    }

    /// Reads, changes and writes.
    func update(_ change: (inout ClientConfig) throws -> Void) throws {
        var config = try load()
        try change(&config)
        try save(config)
    }
}

extension ClientConfig {
    /// The name of the context a command uses: `PACH_CONTEXT`, else the active one.
    func activeName(_ environment: Environment) -> String {
        environment.nonEmpty("PACH_CONTEXT") ?? activeContext
    }

    /// The context a command uses, or a failure that says how to choose another.
    func active(_ environment: Environment) throws -> (name: String, context: Context) {
        let name = activeName(environment)
        if name.isEmpty {
            throw Failure("no context is active: choose one with \"config set active-context <name>\"")
        }
        guard let context = self[context: name] else {
            let source = environment.nonEmpty("PACH_CONTEXT") == nil ? "the config file" : "PACH_CONTEXT"
            throw Failure(
                "context \"\(name)\", named by \(source), does not exist: "
                    + "choose another with \"config set active-context <name>\", or make it with \"connect <address>\"")
        }
        return (name, context)
    }
}

/// A random UUID of version 4 without dashes.
func makeCommitID() -> String {
    var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
