import Core

/// What a caller may do, asked inside the transaction in which it is done.
extension HistoryTransaction {
    /// Throws `permissionDenied` where authentication is on and the caller lacks one of `permissions` at a resource.
    package func require(_ permissions: Permission..., on resource: AccessResource) throws {
        try catalog.require(permissions, on: resource, by: principal)
    }

    /// Checks that the caller may make and change branches of `repo`. What a launch may write it may branch.
    func authorizeBranch(of repo: RepoKey) throws {
        guard case .subject = principal else { return try authorizeWrite(to: repo) }
        try require(.repoCreateBranch, on: AccessResource(repo))
    }

    /// Whether the caller may delete a repo, where its roles decide; code of a pipeline is refused elsewhere.
    package func mayDelete(_ repo: RepoKey) throws -> Bool {
        guard case .subject = principal else { return true }
        var access = try catalog.access(of: principal)
        return try access?.has(.repoDelete, on: AccessResource(repo)) ?? true
    }

    /// Gives a new thing its owner, where authentication is on.
    func bind(_ role: Role, at resource: AccessResource) throws {
        guard try catalog.hasAuth() else { return }
        var binding = RoleBinding()
        if case .subject(let subject) = principal { binding.entries[subject] = [role] }
        try catalog.setRoleBinding(resource, to: binding)
    }
}

/// The bindings that stand at the beginning (`clients.md` §3.3, State machine).
package enum AccessDefaults {
    package static let cluster = RoleBinding([
        .root: [.clusterAdmin], .authServer: [.clusterAdmin], .everybody: [.projectCreator],
    ])
    package static let standardProject = RoleBinding([.everybody: [.projectWriter]])
}

extension CatalogReader {
    /// Throws `permissionDenied` where authentication is on and `principal` lacks one of `permissions` at a resource,
    /// `notFound` where the repo or the project does not exist.
    package func require(
        _ permissions: [Permission], on resource: AccessResource, by principal: Principal
    ) throws {
        guard var access = try access(of: principal) else { return }
        try access.require(permissions, on: resource, in: self)
    }

    /// Who asks, for questions on this snapshot; nil for one who may do everything. A launch acts for its pipeline.
    /// Throws `unauthenticated` for a stranger.
    package func access(of principal: Principal) throws -> AccessCheck? {
        switch principal {
        case .server, .user: nil
        case .subject(let subject): try access(of: subject)
        case .launch(let pipeline, _): try hasAuth() ? access(of: Subject(pipeline)) : nil
        case .stranger: throw SpileError.noToken
        }
    }
}

extension AccessCheck {
    /// Throws `permissionDenied` where a permission is missing. A thing that is not there is said to be so, as it is
    /// where authentication is off.
    package mutating func require(
        _ permissions: [Permission], on resource: AccessResource, in catalog: some CatalogReader
    ) throws {
        let missing: [Permission]
        do { missing = try verdict(on: resource, permissions).missing } catch let error as SpileError
        where error.code == .notFound {
            switch resource {
            case .cluster, .job: break
            case .project(let key): if try catalog.project(key) == nil { throw SpileError.projectNotFound(key) }
            case .repo(let project, let name), .specRepo(let project, let name):
                if try catalog.project(project) == nil { throw SpileError.projectNotFound(project) }
                let key = RepoKey(project: project, name: name)
                if try catalog.repo(key) == nil { throw SpileError.repoNotFound(key) }
            }
            throw error
        }
        guard missing.isEmpty else { throw SpileError.denied(subject, missing, on: resource) }
    }

    /// Whether a permission is given; not for a thing without a binding.
    package mutating func has(_ permission: Permission, on resource: AccessResource) throws -> Bool {
        do { return try verdict(on: resource, [permission]).missing.isEmpty } catch let error as SpileError
        where error.code == .notFound { return false }
    }

    /// Whether a repo stands in lists: its project's are shown, or it can be read (`clients.md` §3.3).
    package mutating func lists(_ repo: RepoKey) throws -> Bool {
        if try has(.projectListRepo, on: .project(repo.project)) { return true }
        return try has(.repoRead, on: AccessResource(repo))
    }
}

extension SpileError {
    /// Texts that clients match (`clients.md` §3.3, Errors).
    package static let authIsOff = SpileError(.unimplemented, "the auth service is not activated")
    package static let authIsOn = SpileError(
        .unimplemented, "the auth service is already activated", remedy: "deactivate it first to begin anew")
    package static let noToken = SpileError(.unauthenticated, "no authentication token (try logging in)")
    package static let badToken = SpileError(
        .unauthenticated, "provided auth token is corrupted or has expired (try logging in again)")
    package static let expiredToken = SpileError(
        .internal, "token expiration is in the past", remedy: "get a new token")
}
