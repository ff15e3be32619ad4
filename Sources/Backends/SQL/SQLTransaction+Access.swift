import Core
import Foundation

// MARK: Look-ups

extension SQLTransaction {
    func token(hash: Digest) throws -> TokenRecord? {
        try row("SELECT hash, subject, expires_at FROM auth_tokens WHERE hash = ?", [SQLRows.blob(hash)])
            .map(Self.token)
    }

    func tokens() throws -> [TokenRecord] {
        try rows("SELECT hash, subject, expires_at FROM auth_tokens ORDER BY subject, hash").map(Self.token)
    }

    private static func token(_ row: some SQLRow) throws -> TokenRecord {
        TokenRecord(
            hash: Digest(Array(row[0] as Data)), subject: try Subject(row[1]),
            expiresAt: (row[2] as Int64?).map(Instant.init(nanoseconds:)))
    }

    func roleBinding(_ resource: AccessResource) throws -> RoleBinding? {
        guard try hasBinding(resource) else { return nil }
        let entries = try rows(
            "SELECT subject, roles FROM role_entries WHERE kind = ? AND name = ?", Self.key(resource))
        return RoleBinding(
            Dictionary(
                uniqueKeysWithValues: try entries.map {
                    (try Subject($0[0]), Set(try Self.roles($0[1])))
                }))
    }

    func roles(at resource: AccessResource, of subjects: [Subject]) throws -> Set<Role>? {
        var roles: Set<Role> = []
        for subject in subjects {
            let entry = try row(
                "SELECT roles FROM role_entries WHERE kind = ? AND name = ? AND subject = ?",
                Self.key(resource) + [subject.description])
            if let entry { roles.formUnion(try Self.roles(entry[0])) }
        }
        return try roles.isEmpty && !hasBinding(resource) ? nil : roles
    }

    private func hasBinding(_ resource: AccessResource) throws -> Bool {
        try row("SELECT 1 FROM role_bindings WHERE kind = ? AND name = ?", Self.key(resource)) != nil
    }

    private static func key(_ resource: AccessResource) -> SQLArguments {
        [resource.kind.rawValue, resource.name]
    }

    private static func roles(_ text: String) throws -> [Role] {
        try text.split(separator: " ").map { try Role.named(String($0)) }
    }

    func memberships(of member: Subject) throws -> [MembershipRecord] {
        try memberships("WHERE member = ? ORDER BY team", [member.description])
    }

    func memberships(in group: Subject?) throws -> [MembershipRecord] {
        guard let group else { return try memberships("ORDER BY member", []) }
        return try memberships("WHERE team = ? ORDER BY member", [group.description])
    }

    private func memberships(_ which: String, _ arguments: SQLArguments) throws -> [MembershipRecord] {
        try rows("SELECT member, spelling FROM group_members \(which)", arguments).map(Self.membership)
    }

    private static func membership(_ row: some SQLRow) throws -> MembershipRecord {
        try MembershipRecord(try Subject(row[0]), in: row[1])
    }
}

// MARK: Changes

extension SQLTransaction {
    func put(_ token: TokenRecord) throws {
        try run(
            """
            INSERT INTO auth_tokens (hash, subject, expires_at) VALUES (?, ?, ?)
            ON CONFLICT (hash) DO UPDATE SET subject = excluded.subject, expires_at = excluded.expires_at
            """,
            [SQLRows.blob(token.hash), token.subject.description, token.expiresAt?.nanoseconds])
    }

    func deleteToken(hash: Digest) throws -> Bool {
        try run("DELETE FROM auth_tokens WHERE hash = ?", [SQLRows.blob(hash)]) > 0
    }

    func deleteTokens(of subject: Subject) throws -> Int {
        try run("DELETE FROM auth_tokens WHERE subject = ?", [subject.description])
    }

    func deleteTokens(expiredBy instant: Instant) throws -> Int {
        try run("DELETE FROM auth_tokens WHERE expires_at <= ?", [instant.nanoseconds])
    }

    func setRoleBinding(_ resource: AccessResource, to binding: RoleBinding?) throws {
        try run("DELETE FROM role_bindings WHERE kind = ? AND name = ?", Self.key(resource))
        guard let binding else { return }
        try run("INSERT INTO role_bindings (kind, name) VALUES (?, ?)", Self.key(resource))
        for (subject, roles) in binding.entries where !roles.isEmpty {
            let names = roles.map(\.name).sorted().joined(separator: " ")
            try run(
                "INSERT INTO role_entries (kind, name, subject, roles) VALUES (?, ?, ?, ?)",
                Self.key(resource) + [subject.description, names])
        }
    }

    func put(_ membership: MembershipRecord) throws {
        try run(
            """
            INSERT INTO group_members (member, team, spelling) VALUES (?, ?, ?)
            ON CONFLICT (member, team) DO UPDATE SET spelling = excluded.spelling
            """,
            [membership.member.description, membership.group.description, membership.spelling])
    }

    func deleteMembership(of member: Subject, in group: Subject) throws {
        try run("DELETE FROM group_members WHERE member = ? AND team = ?", [member.description, group.description])
    }

    func deleteAccess() throws {
        for table in ["auth_tokens", "role_bindings", "group_members"] { try run("DELETE FROM \(table)") }
    }
}
