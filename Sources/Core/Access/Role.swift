/// A named set of permissions (`clients.md` §3.3). The table is fixed; roles are bound, not made.
package struct Role: Sendable, Hashable {
    package let name: String
    package let permissions: Set<Permission>
    /// The kinds of resources it can be bound to.
    package let bindableTo: [AccessResource.Kind]
    /// The kinds of resources for which it is named among a caller's roles.
    package let returnedFor: [AccessResource.Kind]

    private init(
        _ name: String, _ permissions: [Permission], on bindableTo: [AccessResource.Kind],
        for returnedFor: [AccessResource.Kind]
    ) {
        self.name = name
        self.permissions = Set(permissions)
        self.bindableTo = bindableTo
        self.returnedFor = returnedFor
    }

    package static func == (a: Role, b: Role) -> Bool { a.name == b.name }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// Throws for a name that no role has.
    package static func named(_ name: String) throws(SpileError) -> Role {
        guard let role = byName[name] else {
            throw .invalid(
                "unknown role \"\(name)\"", remedy: "the roles are \(all.map(\.name).joined(separator: ", "))")
        }
        return role
    }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// By name, as they are stored.
    package static let all: [Role] = [
        clusterAdmin, debugger, idpAdmin, identityAdmin, jobAdmin, licenseAdmin, lokiLogReader, oidcAppAdmin,
        pachdLogReader, projectCreator, projectOwner, projectViewer, projectWriter, repoOwner, repoReader, repoWriter,
        robotUser, secretAdmin,
    ]
}

extension Role {
    private static let reading: [Permission] = [
        .repoRead, .repoInspectCommit, .repoListCommit, .repoListBranch, .repoListFile, .repoInspectFile,
        .repoAddPipelineReader, .repoRemovePipelineReader, .pipelineListJob,
    ]
    private static let writing: [Permission] =
        reading + [.repoWrite, .repoDeleteCommit, .repoCreateBranch, .repoDeleteBranch, .repoAddPipelineWriter]
    private static let owning: [Permission] = writing + [.repoModifyBindings, .repoDelete]

    package static let repoReader = Role(
        "repoReader", reading, on: [.cluster, .project, .repo], for: [.repo])
    package static let repoWriter = Role(
        "repoWriter", writing, on: [.cluster, .project, .repo], for: [.repo])
    package static let repoOwner = Role(
        "repoOwner", owning, on: [.cluster, .project, .repo], for: [.repo])

    package static let projectViewer = Role(
        "projectViewer", [.projectListRepo], on: [.cluster, .project], for: [.project])
    package static let projectWriter = Role(
        "projectWriter", [.projectListRepo, .projectCreateRepo], on: [.cluster, .project], for: [.project])
    package static let projectOwner = Role(
        "projectOwner",
        owning + [
            .projectListRepo, .projectCreateRepo, .projectDelete, .projectModifyBindings, .projectSetDefaults,
        ], on: [.cluster, .project], for: [.project, .repo])
    package static let projectCreator = Role(
        "projectCreator", [.projectCreate], on: [.cluster], for: [.cluster])

    package static let secretAdmin = Role(
        "secretAdmin", [.clusterCreateSecret, .clusterListSecrets, .secretInspect, .secretDelete],
        on: [.cluster], for: [.cluster])
    package static let robotUser = Role(
        "robotUser", [.clusterAuthGetRobotToken], on: [.cluster], for: [.cluster])
    package static let debugger = Role(
        "debugger", [.clusterDebugDump, .clusterGetPachdLogs, .clusterGetLokiLogs], on: [.cluster], for: [.cluster])
    package static let lokiLogReader = Role(
        "lokiLogReader", [.clusterGetLokiLogs], on: [.cluster], for: [.cluster])
    package static let pachdLogReader = Role(
        "pachdLogReader", [.clusterGetPachdLogs], on: [.cluster], for: [.cluster])
    package static let licenseAdmin = Role(
        "licenseAdmin",
        [
            .clusterLicenseActivate, .clusterLicenseGetCode, .clusterLicenseAddCluster, .clusterLicenseUpdateCluster,
            .clusterLicenseDeleteCluster, .clusterLicenseListClusters,
        ], on: [.cluster], for: [.cluster])
    package static let oidcAppAdmin = Role(
        "oidcAppAdmin",
        [
            .clusterIdentityCreateOidcClient, .clusterIdentityUpdateOidcClient, .clusterIdentityListOidcClients,
            .clusterIdentityGetOidcClient, .clusterIdentityDeleteOidcClient,
        ], on: [.cluster], for: [.cluster])
    package static let idpAdmin = Role(
        "idpAdmin",
        [
            .clusterIdentityCreateIdp, .clusterIdentityUpdateIdp, .clusterIdentityListIdps, .clusterIdentityGetIdp,
            .clusterIdentityDeleteIdp,
        ], on: [.cluster], for: [.cluster])
    package static let identityAdmin = Role(
        "identityAdmin", [.clusterIdentitySetConfig, .clusterIdentityGetConfig], on: [.cluster], for: [.cluster])
    package static let jobAdmin = Role(
        "jobAdmin", [.jobSkipCtx], on: [.job, .cluster], for: [.job, .cluster])
    /// May do everything.
    package static let clusterAdmin = Role(
        "clusterAdmin", Permission.allCases, on: [.cluster], for: [.cluster, .project, .repo])
}
