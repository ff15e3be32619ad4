import Core

/// Tokens: who holds one is its subject. Only their hashes are kept (`clients.md` §3.3, Tokens).
extension History {
    /// Whose token this is. Throws `unauthenticated` for one that is not known, `internal` for one that has expired.
    package func tokenRecord(_ token: String) throws -> TokenRecord {
        guard let record = try read({ try $0.token(hash: Self.hash(token)) }) else { throw SpileError.badToken }
        if let end = record.expiresAt, end <= clock.now() {
            throw SpileError.expiredToken
        }
        return record
    }

    /// Whether a token is the one of `pach:root`.
    package func isRootToken(_ token: String) throws -> Bool {
        try read { try $0.token(hash: Self.hash(token)) }?.subject == .root
    }

    /// When a token ends; nil for one that does not, or that is not known here.
    package func tokenExpiry(_ token: String) throws -> Instant? {
        try read { try $0.token(hash: Self.hash(token)) }?.expiresAt
    }

    /// A new token for a robot; `seconds` of life, forever where that is not positive.
    package func robotToken(
        of robot: Subject, seconds: Int64, as principal: Principal
    ) async throws -> String {
        let token = freshToken()
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user makes tokens")
            try transaction.require(.clusterAuthGetRobotToken, on: .cluster)
            try Self.checkIsOn(transaction)
            let end = seconds > 0 ? transaction.now.adding(seconds: Double(min(seconds, Self.longestLife))) : nil
            try transaction.catalog.put(TokenRecord(hash: Self.hash(token), subject: robot, expiresAt: end))
        }
        return token
    }

    /// Seconds of the longest life of a token that has an end: a hundred years.
    private static let longestLife: Int64 = 100 * 365 * 86_400

    /// Makes a token void; returns how many there were: 1 or 0. Whoever knows it may.
    package func revoke(token: String, as principal: Principal) async throws -> Int {
        try await transact(as: principal) { transaction in
            try Self.checkIsOn(transaction)
            return try transaction.catalog.deleteToken(hash: Self.hash(token)) ? 1 : 0
        }
    }

    /// Makes the tokens of a subject void; returns how many there were. Those of the server itself stay.
    package func revokeTokens(of subject: Subject, as principal: Principal) async throws -> Int {
        try await transact(as: principal) { transaction in
            try transaction.require(.clusterAuthRevokeUserTokens, on: .cluster)
            try Self.checkIsOn(transaction)
            guard subject.kind != .pach else {
                throw SpileError.invalid(
                    "tokens of \(subject) cannot be revoked", remedy: "rotate the root token instead")
            }
            return try transaction.catalog.deleteTokens(of: subject)
        }
    }

    /// Deletes what is kept of tokens that have expired.
    package func deleteExpiredTokens(as principal: Principal) async throws {
        try await transact(as: principal) { transaction in
            try transaction.require(.clusterAuthDeleteExpiredTokens, on: .cluster)
            try Self.checkIsOn(transaction)
            _ = try transaction.catalog.deleteTokens(expiredBy: transaction.now)
        }
    }

    /// The hashes of robots' tokens that are good, to take them to another server.
    package func robotTokens(as principal: Principal) throws -> [TokenRecord] {
        try read { catalog in
            try catalog.require([.clusterAuthExtractTokens], on: .cluster, by: principal)
            let now = clock.now()
            return try catalog.tokens().filter { token in
                token.subject.kind == .robot && token.expiresAt.map { $0 > now } ?? true
            }
        }
    }

    /// Takes in a token of another server.
    package func restore(_ token: TokenRecord, as principal: Principal) async throws {
        guard let kind = token.subject.kind, [.robot, .user].contains(kind) else {
            throw SpileError.invalid(
                "a token of \(token.subject) cannot be restored", remedy: "tokens of robots and users can")
        }
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user makes tokens")
            try transaction.require(.clusterAuthRestoreToken, on: .cluster)
            try Self.checkIsOn(transaction)
            guard try transaction.catalog.token(hash: token.hash) == nil else {
                throw SpileError(.alreadyExists, "the token of \(token.subject) is there already")
            }
            if let end = token.expiresAt, end <= transaction.now {
                throw SpileError.invalid("token expiration is in the past", remedy: "leave this one out")
            }
            try transaction.catalog.put(token)
        }
    }

    static func checkIsOn(_ transaction: HistoryTransaction) throws {
        guard try transaction.catalog.hasAuth() else { throw SpileError.authIsOff }
    }
}
