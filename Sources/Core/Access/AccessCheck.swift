/// Finds out what one subject may do, binding by binding (`clients.md` §3.3, Evaluation).
///
/// A value that remembers the bindings it has looked up: for one snapshot, for as many questions as there are.
package struct AccessCheck {
    /// The roles that one of some subjects has at one resource; nil where no binding exists.
    package typealias Lookup = (_ resource: AccessResource, _ subjects: [Subject]) throws -> Set<Role>?

    /// What came of a question.
    package struct Verdict: Sendable, Equatable {
        /// Both in the order in which they were asked for.
        package var satisfied: [Permission] = []
        package var missing: [Permission] = []
    }

    package let subject: Subject
    /// Whose roles count: the subject's own, everybody's, those of its groups.
    private let bearers: [Subject]
    private let lookup: Lookup
    private var known: [AccessResource: Set<Role>] = [:]

    package init(of subject: Subject, in groups: [Subject], lookup: @escaping Lookup) {
        self.subject = subject
        bearers = [subject, .everybody] + groups
        self.lookup = lookup
    }

    /// Whether each of the permissions is given. Levels are looked at one by one, the widest first, and no further than
    /// needed; throws ``SpileError/noBinding(_:)`` for one that is needed and does not exist.
    package mutating func verdict(on resource: AccessResource, _ wanted: [Permission]) throws -> Verdict {
        var given: Set<Permission> = resource.kind == .specRepo ? Role.repoReader.permissions : []
        for level in resource.levels where !wanted.allSatisfy(given.contains) {
            for role in try roles(at: level) { given.formUnion(role.permissions) }
        }
        return Verdict(
            satisfied: wanted.filter(given.contains), missing: wanted.filter { !given.contains($0) })
    }

    /// Every role and permission that counts at a resource.
    package mutating func everything(on resource: AccessResource) throws -> (Set<Role>, Set<Permission>) {
        var roles: Set<Role> = resource.kind == .specRepo ? [.repoReader] : []
        for level in resource.levels { roles.formUnion(try self.roles(at: level)) }
        let permissions = roles.reduce(into: Set<Permission>()) { $0.formUnion($1.permissions) }
        let named = roles.filter {
            $0.returnedFor.contains(resource.kind == .specRepo ? .repo : resource.kind)
        }
        return (named, permissions)
    }

    private mutating func roles(at level: AccessResource) throws -> Set<Role> {
        if let roles = known[level] { return roles }
        guard let roles = try lookup(level, bearers) else { throw SpileError.noBinding(level) }
        known[level] = roles
        return roles
    }
}

extension SpileError {
    /// There is nothing by that name that roles could be bound to.
    package static func noBinding(_ resource: AccessResource) -> SpileError {
        .notFound("no role binding exists for \(resource)", remedy: "it does not exist, or was never given an owner")
    }

    /// Somebody lacks permissions; clients match the text (`clients.md` §3.3, Errors).
    package static func denied(
        _ subject: Subject, _ missing: [Permission], on resource: AccessResource
    ) -> SpileError {
        let wanted = missing.map(\.description).joined(separator: ", ")
        let who = resource == .cluster ? "an administrator of the server" : "an owner"
        return SpileError(
            .permissionDenied,
            "\(subject) is not authorized to perform this operation - needs permissions [\(wanted)] on \(resource)",
            remedy: "ask \(who): \(cure(missing, on: resource))")
    }

    /// The command that gives the smallest role that would do.
    private static func cure(_ missing: [Permission], on resource: AccessResource) -> String {
        let kind = resource.kind == .specRepo ? .repo : resource.kind
        let role = Role.all.filter { $0.bindableTo.contains(kind) && $0.permissions.isSuperset(of: missing) }
            .min { ($0.permissions.count, $0.name) < ($1.permissions.count, $1.name) }
        let (place, flags) =
            switch resource {
            case .cluster, .job: ("cluster", "")
            case .project(let key): ("project \(key)", "")
            case .repo(let project, let name), .specRepo(let project, let name):
                ("repo \(name)", " --project \(project)")
            }
        return "pachctl auth set \(place) \(role?.name ?? Role.clusterAdmin.name) <subject>\(flags)"
    }
}
