import API
import Core
import GRPCCore
import Versioning

/// `auth_v2.API` (`clients.md` §3.3): messages to calls of ``History`` and back.
struct AuthService: Sendable {
    let history: History
    let messages: SealedMessages
    /// Whether the token of `pach:root` is given at each start: no call replaces it then.
    let isRootTokenGiven: Bool

    typealias Method = AuthV2_API.Method

    func register(in routes: inout Routes) {
        registerSwitch(in: &routes)
        registerQuestions(in: &routes)
        registerBindings(in: &routes)
        registerTokens(in: &routes)
        registerGroups(in: &routes)
        registerLogins(in: &routes)
    }

    private func registerSwitch(in routes: inout Routes) {
        routes.unary(Method.Activate.descriptor) { (request: AuthV2_ActivateRequest, call) in
            // Code of a pipeline has a token where authentication is off, too.
            if case .launch(let pipeline, _) = call.principal {
                throw Principal.refusal(of: pipeline, "only a user turns authentication on")
            }
            let token = try await history.activateAuth(rootToken: request.rootToken.nonEmpty)
            return AuthV2_ActivateResponse.with { $0.pachToken = token }
        }
        routes.unary(Method.Deactivate.descriptor) { (_: AuthV2_DeactivateRequest, call) in
            try await history.deactivateAuth(as: call.principal)
            return AuthV2_DeactivateResponse()
        }
        routes.unary(Method.RotateRootToken.descriptor) { (request: AuthV2_RotateRootTokenRequest, call) in
            guard !isRootTokenGiven else {
                throw SpileError(
                    .failedPrecondition, "the root token was given when the server was started",
                    remedy: "start it with another one, or without")
            }
            let token = try await history.rotateRootToken(to: request.rootToken.nonEmpty, as: call.principal)
            return AuthV2_RotateRootTokenResponse.with { $0.rootToken = token }
        }
    }

    private func registerQuestions(in routes: inout Routes) {
        routes.unary(Method.WhoAmI.descriptor) { (_: AuthV2_WhoAmIRequest, call) in
            let subject = try call.subject()
            let expiry = try call.token.flatMap { try history.tokenExpiry($0) }
            return AuthV2_WhoAmIResponse.with {
                $0.username = subject.description
                if let expiry { $0.expiration = expiry.message }
            }
        }
        routes.unary(Method.Authorize.descriptor) { (request: AuthV2_AuthorizeRequest, call) in
            let subject = try call.subject()
            let resource = try AccessResource(request.hasResource, request.resource)
            let verdict = try history.verdict(on: resource, try request.permissions.map(Permission.init), of: subject)
            return AuthV2_AuthorizeResponse.with {
                $0.authorized = verdict.missing.isEmpty
                $0.satisfied = verdict.satisfied.map(\.message)
                $0.missing = verdict.missing.map(\.message)
                $0.principal = subject.description
            }
        }
        routes.unary(Method.GetPermissions.descriptor) { (request: AuthV2_GetPermissionsRequest, call) in
            try everything(on: try AccessResource(request.hasResource, request.resource), of: try call.subject())
        }
        routes.unary(Method.GetPermissionsForPrincipal.descriptor) {
            (request: AuthV2_GetPermissionsForPrincipalRequest, _) in
            try everything(
                on: try AccessResource(request.hasResource, request.resource), of: try Subject(request.principal))
        }
        routes.unary(Method.GetRolesForPermission.descriptor) { (request: AuthV2_GetRolesForPermissionRequest, _) in
            let permission = try Permission(request.permission)
            return AuthV2_GetRolesForPermissionResponse.with {
                $0.roles = Role.all.filter { $0.permissions.contains(permission) }.map(\.message)
            }
        }
    }

    private func everything(
        on resource: AccessResource, of subject: Subject
    ) throws -> AuthV2_GetPermissionsResponse {
        let (roles, permissions) = try history.everything(on: resource, of: subject)
        return .with {
            $0.permissions = permissions.sorted().map(\.message)
            $0.roles = roles.map(\.name).sorted()
        }
    }

    private func registerBindings(in routes: inout Routes) {
        routes.unary(Method.ModifyRoleBinding.descriptor) { (request: AuthV2_ModifyRoleBindingRequest, call) in
            let resource = try AccessResource(request.hasResource, request.resource)
            try await history.setRoles(
                at: resource, of: try Subject(request.principal), to: try request.roles.map(Role.named),
                as: call.principal)
            return AuthV2_ModifyRoleBindingResponse()
        }
        routes.unary(Method.GetRoleBinding.descriptor) { (request: AuthV2_GetRoleBindingRequest, _) in
            let binding = try history.roleBinding(try AccessResource(request.hasResource, request.resource))
            return AuthV2_GetRoleBindingResponse.with { response in
                for (subject, roles) in binding.entries {
                    let names = roles.map { ($0.name, true) }
                    response.binding.entries[subject.description] = .with {
                        $0.roles = Dictionary(uniqueKeysWithValues: names)
                    }
                }
            }
        }
    }

    private func registerGroups(in routes: inout Routes) {
        routes.unary(Method.SetGroupsForUser.descriptor) { (request: AuthV2_SetGroupsForUserRequest, call) in
            try await history.setGroups(
                of: try Subject(request.username), to: request.groups, as: call.principal)
            return AuthV2_SetGroupsForUserResponse()
        }
        routes.unary(Method.ModifyMembers.descriptor) { (request: AuthV2_ModifyMembersRequest, call) in
            try await history.modify(
                group: request.group, adding: try request.add.map { try Subject($0) },
                removing: try request.remove.map { try Subject($0) }, as: call.principal)
            return AuthV2_ModifyMembersResponse()
        }
        routes.unary(Method.GetGroups.descriptor) { (_: AuthV2_GetGroupsRequest, call) in
            let groups = try history.groups(of: try call.subject())
            return AuthV2_GetGroupsResponse.with { $0.groups = groups }
        }
        routes.unary(Method.GetGroupsForPrincipal.descriptor) { (request: AuthV2_GetGroupsForPrincipalRequest, _) in
            let groups = try history.groups(of: try Subject(request.principal))
            return AuthV2_GetGroupsResponse.with { $0.groups = groups }
        }
        routes.unary(Method.GetUsers.descriptor) { (request: AuthV2_GetUsersRequest, _) in
            let group = try request.group.nonEmpty.map { try Subject(group: $0) }
            let members = try history.members(of: group)
            return AuthV2_GetUsersResponse.with { $0.usernames = members.map(\.description) }
        }
    }
}

extension AuthService {
    private func registerTokens(in routes: inout Routes) {
        routes.unary(Method.GetRobotToken.descriptor) { (request: AuthV2_GetRobotTokenRequest, call) in
            let token = try await history.robotToken(
                of: try Subject(robot: request.robot), seconds: request.ttl, as: call.principal)
            return AuthV2_GetRobotTokenResponse.with { $0.token = token }
        }
        routes.unary(Method.RevokeAuthToken.descriptor) { (request: AuthV2_RevokeAuthTokenRequest, call) in
            let count = try await history.revoke(token: request.token, as: call.principal)
            return AuthV2_RevokeAuthTokenResponse.with { $0.number = Int64(count) }
        }
        routes.unary(Method.RevokeAuthTokensForUser.descriptor) {
            (request: AuthV2_RevokeAuthTokensForUserRequest, call) in
            let count = try await history.revokeTokens(of: try Subject(request.username), as: call.principal)
            return AuthV2_RevokeAuthTokensForUserResponse.with { $0.number = Int64(count) }
        }
        routes.unary(Method.DeleteExpiredAuthTokens.descriptor) {
            (_: AuthV2_DeleteExpiredAuthTokensRequest, call) in
            try await history.deleteExpiredTokens(as: call.principal)
            return AuthV2_DeleteExpiredAuthTokensResponse()
        }
        routes.unary(Method.ExtractAuthTokens.descriptor) { (_: AuthV2_ExtractAuthTokensRequest, call) in
            let tokens = try history.robotTokens(as: call.principal)
            return AuthV2_ExtractAuthTokensResponse.with { $0.tokens = tokens.map(\.message) }
        }
        routes.unary(Method.RestoreAuthToken.descriptor) { (request: AuthV2_RestoreAuthTokenRequest, call) in
            try await history.restore(try TokenRecord(request.token), as: call.principal)
            return AuthV2_RestoreAuthTokenResponse()
        }
    }

    /// Logins by OpenID Connect: their configuration is kept, and that they are not offered is said.
    private func registerLogins(in routes: inout Routes) {
        routes.unary(Method.GetConfiguration.descriptor) { (_: AuthV2_GetConfigurationRequest, _) in
            let configuration: AuthV2_OIDCConfig? = try messages.message(.logins)
            return AuthV2_GetConfigurationResponse.with { $0.configuration = configuration ?? .init() }
        }
        routes.unary(Method.SetConfiguration.descriptor) { (request: AuthV2_SetConfigurationRequest, call) in
            try await messages.change(.logins, .clusterAuthSetConfig, as: call.principal) {
                $0 = request.configuration
            }
            return AuthV2_SetConfigurationResponse()
        }
        routes.unary(Method.GetOIDCLogin.descriptor) {
            (_: AuthV2_GetOIDCLoginRequest, _) -> AuthV2_GetOIDCLoginResponse in
            throw try refusedLogin()
        }
        routes.unary(Method.Authenticate.descriptor) {
            (_: AuthV2_AuthenticateRequest, _) -> AuthV2_AuthenticateResponse in
            throw try refusedLogin()
        }
    }

    private func refusedLogin() throws -> SpileError {
        guard history.isAuthOn else { return SpileError.authIsOff }
        let remedy = "ask an administrator for a token: pachctl auth get-robot-token <name>, then auth use-auth-token"
        guard try messages.message(.logins, AuthV2_OIDCConfig.self) != nil else {
            return SpileError(
                .unimplemented, "OIDC ID provider configuration not found: this server logs in nobody by itself",
                remedy: remedy)
        }
        return SpileError(
            .unimplemented, "logins by OpenID Connect are not offered by this version of Spile", remedy: remedy)
    }
}

extension Call {
    /// The token it came with.
    var token: String? { metadata[stringValues: Callers.header].first { _ in true } }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
