import Core
import Pipelines

/// A source that holds none: whoever wants a secret is told that it is missing.
package struct NoSecrets: SecretSource {
    package init() {}

    package func open(_ wanted: [SecretSpec]) throws -> LaunchSecrets {
        guard let first = wanted.first else { return LaunchSecrets() }
        throw SpileError(.failedPrecondition, "missing secret \(first.name), which transform.secrets names")
    }

    package func registryConfig(_ names: [String]) throws -> [UInt8] { [] }
}
