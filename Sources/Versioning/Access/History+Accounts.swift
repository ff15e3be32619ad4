import Core
import Storage

/// Turning authentication on and off (`clients.md` §3.3, State machine).
extension History {
    /// Whether authentication is on. A glance, without a look at the catalog; right as soon as the change is durable.
    package var isAuthOn: Bool { authSwitch.load(ordering: .acquiring) }

    /// Turns authentication on and returns the token of `pach:root`: `token`, or a new one. Repos, projects and
    /// pipelines that exist have no owners before ``bindEverything(as:)``.
    ///
    /// Throws ``SpileError/authIsOn``.
    package func activateAuth(rootToken token: String?) async throws -> String {
        let token = try token.map(Self.checkedToken) ?? freshToken()
        try await transact(as: .server) { transaction in
            guard try !transaction.catalog.hasAuth() else { throw SpileError.authIsOn }
            try transaction.catalog.deleteAccess()
            try transaction.catalog.setAuth(true)
            try transaction.catalog.setRoleBinding(.cluster, to: AccessDefaults.cluster)
            try transaction.catalog.put(TokenRecord(hash: Self.hash(token), subject: .root))
            transaction.touchedRepos.insert(EventHub.access)
        }
        try followAuth()
        return token
    }

    /// Turns authentication off: tokens, roles, groups and the configuration of logins are gone.
    package func deactivateAuth(as principal: Principal) async throws {
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user turns authentication off")
            try transaction.require(.clusterAuthDeactivate, on: .cluster)
            guard try transaction.catalog.hasAuth() else { throw SpileError.authIsOff }
            try transaction.catalog.deleteAccess()
            try transaction.catalog.setSealed(.logins, to: nil)
            try transaction.catalog.setAuth(false)
            transaction.touchedRepos.insert(EventHub.access)
        }
        try followAuth()
    }

    /// Takes over what the catalog says of authentication. In turns, each by a look that is newer than those before it:
    /// whoever comes last stores what the last transaction left. Where the catalog cannot be read it counts as on.
    func followAuth() throws {
        try authSwitching.withLock { _ in
            do { authSwitch.store(try read { try $0.hasAuth() }, ordering: .releasing) } catch {
                authSwitch.store(true, ordering: .releasing)
                throw error
            }
        }
    }

    /// Replaces the token of `pach:root` and returns it: `token`, or a new one. The old one is good no longer.
    package func rotateRootToken(to token: String?, as principal: Principal) async throws -> String {
        let token = try token.map(Self.checkedToken) ?? freshToken()
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user replaces the root token")
            try transaction.require(.clusterAuthRotateRootToken, on: .cluster)
            guard try transaction.catalog.hasAuth() else { throw SpileError.authIsOff }
            _ = try transaction.catalog.deleteTokens(of: .root)
            try transaction.catalog.put(TokenRecord(hash: Self.hash(token), subject: .root))
        }
        return token
    }

    /// Makes the bindings of projects and repos that have none; nobody owns them. In project `default` everybody may
    /// make repos. No change while authentication is off (`pfs.md` §4.9).
    package func bindEverything(as principal: Principal) async throws {
        try await transact(as: principal) { transaction in
            try transaction.require(.clusterAuthActivate, on: .cluster)
            let catalog = transaction.catalog
            guard try catalog.hasAuth() else { return }
            for project in try catalog.projects().map(\.key) {
                let resource = AccessResource.project(project)
                guard try catalog.roleBinding(resource) == nil else { continue }
                try catalog.setRoleBinding(
                    resource, to: project == .standard ? AccessDefaults.standardProject : RoleBinding())
            }
            for repo in try catalog.repos(in: nil, type: .user).map({ AccessResource($0.key) })
            where try catalog.roleBinding(repo) == nil {
                try catalog.setRoleBinding(repo, to: RoleBinding())
            }
        }
    }

    /// 32 hex digits that nobody can guess.
    func freshToken() -> String {
        CommitID(randomHigh: randomness.next(), randomLow: randomness.next()).description
    }

    static func hash(_ token: String) -> Digest { Hashing.sha256(Array(token.utf8)) }

    /// What somebody chose himself has to be hard to guess, too.
    private static func checkedToken(_ token: String) throws -> String {
        guard token.utf8.count >= 16, token.utf8.allSatisfy({ (33...126).contains($0) }) else {
            throw SpileError.invalid(
                "the root token is shorter than 16 characters, or holds others than printable ASCII",
                remedy: "leave it out to get one, or make one: openssl rand -hex 16")
        }
        guard !token.hasPrefix(Principal.launchTokenPrefix) else {
            throw SpileError.invalid(
                "the root token begins with \(Principal.launchTokenPrefix), as the tokens of launches do",
                remedy: "leave it out to get one, or make one: openssl rand -hex 16")
        }
        return token
    }
}
