/// A token that is good. Only its hash is kept.
package struct TokenRecord: Sendable, Equatable {
    /// SHA-256 of the token's text.
    package var hash: Digest
    package var subject: Subject
    /// Nil for one that does not expire.
    package var expiresAt: Instant?

    package init(hash: Digest, subject: Subject, expiresAt: Instant? = nil) {
        self.hash = hash
        self.subject = subject
        self.expiresAt = expiresAt
    }
}

/// Who has which roles at one resource. A subject without roles is not in it.
package struct RoleBinding: Sendable, Equatable {
    package var entries: [Subject: Set<Role>]

    package init(_ entries: [Subject: Set<Role>] = [:]) { self.entries = entries }
}

/// That somebody is in a group.
package struct MembershipRecord: Sendable, Equatable {
    package var member: Subject
    package var group: Subject
    /// The group as whoever put the member in wrote it, with or without the prefix: it is shown so.
    package var spelling: String

    package init(_ member: Subject, in spelling: String) throws(SpileError) {
        self.member = member
        group = try Subject(group: spelling)
        self.spelling = spelling
    }
}

/// Where messages about logins are kept, sealed because they hold secrets of others (docs/FORMAT.md, Authentication).
package enum SealedSetting: String, Sendable, CaseIterable {
    /// How logins by OpenID Connect are configured.
    case logins = "auth_login"
    case identityServer = "identity_server"
    case connectors = "identity_connectors"
    case clients = "identity_clients"

    /// What a sealed message is tied to.
    package var binding: [UInt8] { Array("spile setting 1 \(rawValue)".utf8) }
}

extension CatalogReader {
    /// Whether authentication is on.
    package func hasAuth() throws -> Bool { try setting(activatedSetting) != nil }

    /// What is kept at a place, sealed, in base64; nil for nothing.
    package func sealed(_ place: SealedSetting) throws -> String? { try setting(place.rawValue) }

    /// Whether anything is sealed: from then on the key must not be lost.
    package func hasSealed() throws -> Bool {
        if try SealedSetting.allCases.contains(where: { try sealed($0) != nil }) { return true }
        return try !secrets().isEmpty
    }

    /// What a subject may do, on the snapshot that this is.
    package func access(of subject: Subject) throws -> AccessCheck {
        let groups = try memberships(of: subject).map(\.group)
        return AccessCheck(of: subject, in: groups) { try self.roles(at: $0, of: $1) }
    }
}

extension CatalogWriter {
    package func setAuth(_ isOn: Bool) throws { try setSetting(activatedSetting, to: isOn ? "1" : nil) }

    package func setSealed(_ place: SealedSetting, to sealed: String?) throws {
        try setSetting(place.rawValue, to: sealed)
    }

    /// Gives a subject the roles at a resource; none takes it out. Throws where no binding exists.
    package func setRoles(at resource: AccessResource, of subject: Subject, to roles: Set<Role>) throws {
        guard var binding = try roleBinding(resource) else { throw SpileError.noBinding(resource) }
        binding.entries[subject] = roles.isEmpty ? nil : roles
        try setRoleBinding(resource, to: binding)
    }

    /// Gives a subject one more role at a resource, whose binding is made if there is none.
    package func add(_ role: Role, to subject: Subject, at resource: AccessResource) throws {
        var binding = try roleBinding(resource) ?? RoleBinding()
        guard binding.entries[subject, default: []].insert(role).inserted else { return }
        try setRoleBinding(resource, to: binding)
    }
}

private let activatedSetting = "auth_activated"
