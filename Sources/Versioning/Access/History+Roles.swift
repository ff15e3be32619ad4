import Core

/// Who has which roles, and what that comes to (`clients.md` §3.3, Evaluation).
extension History {
    /// Whether a subject has permissions at a resource. Throws `notFound` where no binding exists and one is needed.
    package func verdict(
        on resource: AccessResource, _ permissions: [Permission], of subject: Subject
    ) throws -> AccessCheck.Verdict {
        try read { catalog in
            var access = try catalog.access(of: subject)
            return try access.verdict(on: resource, permissions)
        }
    }

    /// Every role and permission of a subject at a resource.
    package func everything(
        on resource: AccessResource, of subject: Subject
    ) throws -> (roles: Set<Role>, permissions: Set<Permission>) {
        try read { catalog in
            var access = try catalog.access(of: subject)
            return try access.everything(on: resource)
        }
    }

    /// Who has which roles at a resource. Throws `notFound` where no binding exists.
    package func roleBinding(_ resource: AccessResource) throws -> RoleBinding {
        guard let binding = try read({ try $0.roleBinding(resource) }) else { throw SpileError.noBinding(resource) }
        return binding
    }

    /// Gives a subject these roles at a resource, in place of those that it has there; none takes it out.
    package func setRoles(
        at resource: AccessResource, of subject: Subject, to roles: [Role], as principal: Principal
    ) async throws {
        guard let permission = resource.bindingPermission else {
            throw SpileError.invalid(
                "roles cannot be bound to \(resource)", remedy: "bind them to the repo, the project or the cluster")
        }
        for role in roles where !role.bindableTo.contains(resource.kind) {
            let kinds = role.bindableTo.map(\.name).joined(separator: ", ")
            throw SpileError.invalid(
                "role \(role.name) cannot be bound to \(resource)", remedy: "it can be bound to: \(kinds)")
        }
        if resource == .cluster, subject.kind == .pach {
            throw SpileError.invalid("the roles of \(subject) on the cluster cannot be changed")
        }
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("only a user gives and takes roles")
            try Self.checkIsOn(transaction)
            try transaction.require(permission, on: resource)
            try transaction.catalog.setRoles(at: resource, of: subject, to: Set(roles))
        }
    }
}
