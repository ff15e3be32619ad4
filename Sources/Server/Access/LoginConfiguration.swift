import API
import Core
import Foundation
import Versioning

/// How logins by OpenID Connect are configured: kept sealed, because it holds a client's secret.
struct LoginConfiguration: Sendable {
    let history: History
    let sealer: any Sealer

    private static let binding = Array("spile login 1".utf8)

    /// Nil where there is none.
    func configuration() throws -> AuthV2_OIDCConfig? {
        guard let text = try history.read({ try $0.sealedLoginConfiguration() }) else { return nil }
        guard let sealed = Data(base64Encoded: text) else {
            throw SpileError(.dataLoss, "the configuration of logins in the catalog cannot be read")
        }
        return try AuthV2_OIDCConfig(serializedBytes: try sealer.open([UInt8](sealed), binding: Self.binding))
    }

    /// Nil and an empty one take it away.
    func set(_ configuration: AuthV2_OIDCConfig?, as principal: Principal) async throws {
        let isFirst = try history.read {
            try $0.secrets().isEmpty && $0.sealedLoginConfiguration() == nil
        }
        var text: String?
        if let configuration, configuration != AuthV2_OIDCConfig() {
            let sealed = try sealer.seal(
                try configuration.serializedBytes(), binding: Self.binding, mayMakeKey: isFirst)
            text = Data(sealed).base64EncodedString()
        }
        let stored = text
        try await history.transact(as: principal) { transaction in
            try transaction.require(.clusterAuthSetConfig, on: .cluster)
            try transaction.catalog.setSealedLoginConfiguration(stored)
        }
    }
}
