import Core
import Versioning

/// The secrets of the server (`pps.md` §14): stored sealed, opened for the launches whose spec names them and for
/// nobody else. No call gives a value back.
package struct Secrets: SecretSource {
    private let history: History
    private let sealer: any Sealer

    package init(history: History, sealer: any Sealer) {
        self.history = history
        self.sealer = sealer
    }

    /// Stores a secret. A second one of the name is refused; a retry does not help.
    package func create(_ manifest: SecretManifest, as principal: Principal) async throws {
        try Self.refuseLaunches(principal)
        let isFirst = try history.read { try !$0.hasSealed() }
        var sealed: [String: [UInt8]] = [:]
        for (key, value) in manifest.values {
            let binding = SecretRecord.binding(of: manifest.name, key: key)
            sealed[key] = try sealer.seal(value, binding: binding, mayMakeKey: isFirst)
        }
        let values = sealed
        try await history.transact(as: principal) { transaction in
            guard try transaction.catalog.secret(manifest.name) == nil else {
                throw SpileError.domain(
                    "failed to create secret: secrets \"\(manifest.name)\" already exists", remedy: "delete it first")
            }
            try transaction.catalog.insert(
                SecretRecord(name: manifest.name, type: manifest.type, createdAt: transaction.now, values: values))
        }
    }

    /// Its name, type and time, with the values still sealed.
    package func inspect(_ name: String, as principal: Principal) throws -> SecretRecord {
        try Self.refuseLaunches(principal)
        guard let secret = try history.read({ try $0.secret(name) }) else { throw Self.missing(name, to: "get") }
        return secret
    }

    /// All of them by name, as ``inspect(_:as:)`` gives them.
    package func list(as principal: Principal) throws -> [SecretRecord] {
        try Self.refuseLaunches(principal)
        return try history.read { try $0.secrets() }
    }

    /// Deletes a secret. Code that runs keeps what it was given; its next launch misses it.
    package func delete(_ name: String, as principal: Principal) async throws {
        try Self.refuseLaunches(principal)
        try await history.transact(as: principal) { transaction in
            guard try transaction.catalog.deleteSecret(name) else { throw Self.missing(name, to: "delete") }
        }
    }

    package func deleteAll(as principal: Principal) async throws {
        try Self.refuseLaunches(principal)
        try await history.transact(as: principal) { transaction in
            for secret in try transaction.catalog.secrets() { _ = try transaction.catalog.deleteSecret(secret.name) }
        }
    }

    private static func missing(_ name: String, to verb: String) -> SpileError {
        .domain("failed to \(verb) secret: secrets \"\(name)\" not found", remedy: "list secret shows those there are")
    }

    private static func refuseLaunches(_ principal: Principal) throws(SpileError) {
        if case .launch(let key, _) = principal {
            throw Principal.refusal(
                of: key, "only a user looks after secrets", remedy: "name the secret in the pipeline's spec")
        }
    }

    // MARK: For launches

    package func open(_ wanted: [SecretSpec]) throws -> LaunchSecrets {
        var result = LaunchSecrets()
        for spec in wanted {
            guard let secret = try history.read({ try $0.secret(spec.name) }) else {
                throw SpileError(
                    .failedPrecondition, "missing secret \(spec.name), which transform.secrets names",
                    remedy: "make it: pachctl create secret -f <manifest>")
            }
            if !spec.variable.isEmpty {
                result.variables.append((spec.variable, try variable(spec, of: secret)))
            }
            if !spec.mountPath.isEmpty {
                let files = try secret.values.keys.sorted().map { (name: $0, bytes: try open($0, of: secret)) }
                result.mounts.append(LaunchMount(secret: spec.name, path: spec.mountPath, files: files))
            }
        }
        return result
    }

    package func registryConfig(_ names: [String]) throws -> [UInt8] {
        var merged: JSONValue?
        for name in names {
            guard let secret = try history.read({ try $0.secret(name) }),
                secret.values[Self.registryKey] != nil
            else { continue }
            let text = String(decoding: try open(Self.registryKey, of: secret), as: UTF8.self)
            guard let config = try? SpecDocument.plainJSON(text) else {
                throw SpileError(
                    .failedPrecondition, "secret \(name), key \(Self.registryKey): it is not JSON",
                    remedy: "make it of a docker configuration file, as kubectl create secret docker-registry does")
            }
            merged = merged?.merged(with: config) ?? config
        }
        return merged.map { Array($0.text.utf8) } ?? []
    }

    /// Where a secret of type `kubernetes.io/dockerconfigjson` has its file.
    private static let registryKey = ".dockerconfigjson"

    private func variable(_ spec: SecretSpec, of secret: SecretRecord) throws -> String {
        let bytes = try open(spec.key, of: secret)
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SpileError(
                .failedPrecondition,
                "secret \(spec.name), key \(spec.key): its value is not text, so no variable can hold it",
                remedy: "use mount_path instead of env_var")
        }
        return text
    }

    private func open(_ key: String, of secret: SecretRecord) throws -> [UInt8] {
        guard let sealed = secret.values[key] else {
            throw SpileError(
                .failedPrecondition, "secret \(secret.name) is missing key \(key), which transform.secrets names",
                remedy: "delete it and make it again with that key")
        }
        do {
            return try sealer.open(sealed, binding: SecretRecord.binding(of: secret.name, key: key))
        } catch let error as SpileError {
            throw error.wrapped("secret \(secret.name), key \(key)")
        }
    }
}

/// Gives launches the secrets that their spec names. Blocks.
package protocol SecretSource: Sendable {
    /// Throws for a secret or key that is missing or does not open; the text names it and no value.
    func open(_ wanted: [SecretSpec]) throws -> LaunchSecrets

    /// One docker configuration of those in the named secrets, later ones over earlier ones; empty where there is none.
    /// A secret that is missing is left out, as Kubernetes does: the image may be had without it.
    func registryConfig(_ names: [String]) throws -> [UInt8]
}

/// What a launch is given of secrets. Nothing may print it.
package struct LaunchSecrets: Sendable {
    package var variables: [(name: String, value: String)] = []
    package var mounts: [LaunchMount] = []
    package init() {}
}
