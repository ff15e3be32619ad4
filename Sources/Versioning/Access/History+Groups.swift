import Core

/// Groups: roles bound to `group:name` are those of its members (`clients.md` §3.3).
extension History {
    /// The groups that a subject is in, as they were written.
    package func groups(of member: Subject) throws -> [String] {
        try read { try $0.memberships(of: member) }.map(\.spelling)
    }

    /// Who is in a group (nil: in any), each once.
    package func members(of group: Subject?) throws -> [Subject] {
        let members = try read { try $0.memberships(in: group) }.map(\.member)
        return Set(members).sorted()
    }

    /// Puts a subject into these groups and takes it out of all others.
    package func setGroups(of member: Subject, to groups: [String], as principal: Principal) async throws {
        let memberships = try groups.map { try MembershipRecord(member, in: $0) }
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user changes groups")
            try transaction.require(.clusterAuthModifyGroupMembers, on: .cluster)
            try Self.checkIsOn(transaction)
            for old in try transaction.catalog.memberships(of: member) {
                try transaction.catalog.deleteMembership(of: member, in: old.group)
            }
            for membership in memberships { try transaction.catalog.put(membership) }
        }
    }

    /// Puts subjects into a group, then takes others out.
    package func modify(
        group: String, adding added: [Subject], removing removed: [Subject], as principal: Principal
    ) async throws {
        let memberships = try added.map { try MembershipRecord($0, in: group) }
        let key = try Subject(group: group)
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user changes groups")
            try transaction.require(.clusterAuthModifyGroupMembers, on: .cluster)
            try Self.checkIsOn(transaction)
            for membership in memberships { try transaction.catalog.put(membership) }
            for member in removed { try transaction.catalog.deleteMembership(of: member, in: key) }
        }
    }
}
