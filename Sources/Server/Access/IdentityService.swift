import API
import Core
import GRPCCore
import Versioning

/// `identity_v2.API` (`clients.md` §3.5): what programs set up there is kept, sealed, and given back. Nobody is logged
/// in by it: this server provides no identities.
struct IdentityService: Sendable {
    let messages: SealedMessages
    let randomness: any Randomness

    typealias Method = IdentityV2_API.Method

    func register(in routes: inout Routes) {
        registerServer(in: &routes)
        registerConnectors(in: &routes)
        registerClients(in: &routes)
    }

    private func registerServer(in routes: inout Routes) {
        routes.unary(Method.SetIdentityServerConfig.descriptor) {
            (request: IdentityV2_SetIdentityServerConfigRequest, call) in
            try Self.check(request.hasConfig, "config")
            try await messages.change(.identityServer, .clusterIdentitySetConfig, as: call.principal) {
                $0 = request.config
            }
            return IdentityV2_SetIdentityServerConfigResponse()
        }
        routes.unary(Method.GetIdentityServerConfig.descriptor) {
            (_: IdentityV2_GetIdentityServerConfigRequest, _) in
            let config: IdentityV2_IdentityServerConfig? = try messages.message(.identityServer)
            return IdentityV2_GetIdentityServerConfigResponse.with { $0.config = config ?? .init() }
        }
        routes.unary(Method.DeleteAll.descriptor) { (_: IdentityV2_DeleteAllRequest, call) in
            try await messages.change(.identityServer, .clusterDeleteAll, as: call.principal) {
                $0 = IdentityV2_IdentityServerConfig()
            }
            try await messages.change(.connectors, .clusterDeleteAll, as: call.principal) {
                $0 = IdentityV2_ListIDPConnectorsResponse()
            }
            try await messages.change(.clients, .clusterDeleteAll, as: call.principal) {
                $0 = IdentityV2_ListOIDCClientsResponse()
            }
            return IdentityV2_DeleteAllResponse()
        }
    }

    private func registerConnectors(in routes: inout Routes) {
        routes.unary(Method.CreateIDPConnector.descriptor) { (request: IdentityV2_CreateIDPConnectorRequest, call) in
            try Self.check(request.hasConnector, "connector")
            try Self.check(!request.connector.id.isEmpty, "connector.id")
            try await changeConnectors(.clusterIdentityCreateIdp, call) {
                try $0.insert(request.connector)
            }
            return IdentityV2_CreateIDPConnectorResponse()
        }
        routes.unary(Method.UpdateIDPConnector.descriptor) { (request: IdentityV2_UpdateIDPConnectorRequest, call) in
            try Self.check(request.hasConnector, "connector")
            let new = request.connector
            try await changeConnectors(.clusterIdentityUpdateIdp, call) {
                try $0.update(new.id) { known in
                    if !new.name.isEmpty { known.name = new.name }
                    if !new.type.isEmpty { known.type = new.type }
                    if new.configVersion != 0 { known.configVersion = new.configVersion }
                    if !new.jsonConfig.isEmpty { known.jsonConfig = new.jsonConfig }
                    if new.hasConfig { known.config = new.config }
                }
            }
            return IdentityV2_UpdateIDPConnectorResponse()
        }
        routes.unary(Method.ListIDPConnectors.descriptor) { (_: IdentityV2_ListIDPConnectorsRequest, _) in
            try messages.message(.connectors) ?? IdentityV2_ListIDPConnectorsResponse()
        }
        routes.unary(Method.GetIDPConnector.descriptor) { (request: IdentityV2_GetIDPConnectorRequest, _) in
            let all: IdentityV2_ListIDPConnectorsResponse? = try messages.message(.connectors)
            let connector = try (all?.connectors ?? []).member(request.id)
            return IdentityV2_GetIDPConnectorResponse.with { $0.connector = connector }
        }
        routes.unary(Method.DeleteIDPConnector.descriptor) { (request: IdentityV2_DeleteIDPConnectorRequest, call) in
            try await changeConnectors(.clusterIdentityDeleteIdp, call) { try $0.remove(request.id) }
            return IdentityV2_DeleteIDPConnectorResponse()
        }
    }

    private func registerClients(in routes: inout Routes) {
        routes.unary(Method.CreateOIDCClient.descriptor) { (request: IdentityV2_CreateOIDCClientRequest, call) in
            try Self.check(request.hasClient, "client")
            var client = request.client
            if client.id.isEmpty { client.id = CommitID(randomness).description }
            if client.secret.isEmpty { client.secret = CommitID(randomness).description }
            let made = client
            try await changeClients(.clusterIdentityCreateOidcClient, call) { try $0.insert(made) }
            return IdentityV2_CreateOIDCClientResponse.with { $0.client = made }
        }
        routes.unary(Method.UpdateOIDCClient.descriptor) { (request: IdentityV2_UpdateOIDCClientRequest, call) in
            try Self.check(request.hasClient, "client")
            let new = request.client
            try await changeClients(.clusterIdentityUpdateOidcClient, call) {
                try $0.update(new.id) { known in
                    if !new.name.isEmpty { known.name = new.name }
                    if !new.redirectUris.isEmpty { known.redirectUris = new.redirectUris }
                    if !new.trustedPeers.isEmpty { known.trustedPeers = new.trustedPeers }
                }
            }
            return IdentityV2_UpdateOIDCClientResponse()
        }
        routes.unary(Method.ListOIDCClients.descriptor) { (_: IdentityV2_ListOIDCClientsRequest, _) in
            try messages.message(.clients) ?? IdentityV2_ListOIDCClientsResponse()
        }
        routes.unary(Method.GetOIDCClient.descriptor) { (request: IdentityV2_GetOIDCClientRequest, _) in
            let all: IdentityV2_ListOIDCClientsResponse? = try messages.message(.clients)
            let client = try (all?.clients ?? []).member(request.id)
            return IdentityV2_GetOIDCClientResponse.with { $0.client = client }
        }
        routes.unary(Method.DeleteOIDCClient.descriptor) { (request: IdentityV2_DeleteOIDCClientRequest, call) in
            try await changeClients(.clusterIdentityDeleteOidcClient, call) { try $0.remove(request.id) }
            return IdentityV2_DeleteOIDCClientResponse()
        }
    }

    private func changeConnectors(
        _ permission: Permission, _ call: Call, _ change: (inout [IdentityV2_IDPConnector]) throws -> Void
    ) async throws {
        try await messages.change(.connectors, permission, as: call.principal) {
            (all: inout IdentityV2_ListIDPConnectorsResponse) in try change(&all.connectors)
        }
    }

    private func changeClients(
        _ permission: Permission, _ call: Call, _ change: (inout [IdentityV2_OIDCClient]) throws -> Void
    ) async throws {
        try await messages.change(.clients, permission, as: call.principal) {
            (all: inout IdentityV2_ListOIDCClientsResponse) in try change(&all.clients)
        }
    }

    private static func check(_ isThere: Bool, _ field: String) throws {
        guard isThere else { throw SpileError.invalid("validate request: \(field) is missing") }
    }
}

/// What is kept by its id.
private protocol HasID {
    var id: String { get }
}

extension IdentityV2_IDPConnector: HasID {}
extension IdentityV2_OIDCClient: HasID {}

extension Array where Element: HasID {
    fileprivate func member(_ id: String) throws -> Element {
        guard let member = first(where: { $0.id == id }) else { throw Self.missing(id) }
        return member
    }

    fileprivate mutating func insert(_ new: Element) throws {
        guard !contains(where: { $0.id == new.id }) else {
            throw SpileError(.internal, "ID already exists: \(new.id)", remedy: "choose another, or update that one")
        }
        append(new)
    }

    fileprivate mutating func update(_ id: String, _ change: (inout Element) -> Void) throws {
        guard let index = firstIndex(where: { $0.id == id }) else { throw Self.missing(id) }
        change(&self[index])
    }

    fileprivate mutating func remove(_ id: String) throws {
        guard let index = firstIndex(where: { $0.id == id }) else { throw Self.missing(id) }
        remove(at: index)
    }

    /// Clients match the code and the text (`clients.md` §3.5).
    private static func missing(_ id: String) -> SpileError {
        SpileError(.internal, "ID does not exist: \(id)", remedy: "the list calls show those there are")
    }
}
