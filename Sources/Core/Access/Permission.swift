/// What somebody may be allowed to do; raw values are those of the wire (`wire.tsv`, `auth_v2.Permission`).
package enum Permission: Int, Sendable, CaseIterable, Comparable {
    case clusterModifyBindings = 100
    case clusterGetBindings = 101
    case clusterAuthActivate = 102
    case clusterAuthDeactivate = 103
    case clusterAuthGetConfig = 104
    case clusterAuthSetConfig = 105
    case clusterAuthModifyGroupMembers = 109
    case clusterAuthGetGroups = 110
    case clusterAuthGetGroupUsers = 111
    case clusterAuthExtractTokens = 112
    case clusterAuthRestoreToken = 113
    case clusterEnterpriseActivate = 114
    case clusterEnterpriseHeartbeat = 115
    case clusterEnterpriseGetCode = 116
    case clusterEnterpriseDeactivate = 117
    case clusterIdentitySetConfig = 118
    case clusterIdentityGetConfig = 119
    case clusterIdentityCreateIdp = 120
    case clusterIdentityUpdateIdp = 121
    case clusterIdentityListIdps = 122
    case clusterIdentityGetIdp = 123
    case clusterIdentityDeleteIdp = 124
    case clusterIdentityCreateOidcClient = 125
    case clusterIdentityUpdateOidcClient = 126
    case clusterIdentityListOidcClients = 127
    case clusterIdentityGetOidcClient = 128
    case clusterIdentityDeleteOidcClient = 129
    case clusterDebugDump = 131
    case clusterLicenseActivate = 132
    case clusterLicenseGetCode = 133
    case clusterLicenseAddCluster = 134
    case clusterLicenseUpdateCluster = 135
    case clusterLicenseDeleteCluster = 136
    case clusterLicenseListClusters = 137
    case clusterDeleteAll = 138
    case clusterAuthGetRobotToken = 139
    case clusterAuthDeleteExpiredTokens = 140
    case clusterAuthGetPermissionsForPrincipal = 141
    case clusterAuthRevokeUserTokens = 142
    case clusterCreateSecret = 143
    case clusterListSecrets = 144
    case secretDelete = 145
    case secretInspect = 146
    case clusterAuthRotateRootToken = 147
    case clusterGetPachdLogs = 148
    case clusterEnterprisePause = 149
    case clusterGetLokiLogs = 150
    case clusterEditClusterMetadata = 151
    case clusterSnapshotter = 152
    case clusterRestartPachyderm = 153
    case repoRead = 200
    case repoWrite = 201
    case repoModifyBindings = 202
    case repoDelete = 203
    case repoInspectCommit = 204
    case repoListCommit = 205
    case repoDeleteCommit = 206
    case repoCreateBranch = 207
    case repoListBranch = 208
    case repoDeleteBranch = 209
    case repoInspectFile = 210
    case repoListFile = 211
    case repoAddPipelineReader = 212
    case repoRemovePipelineReader = 213
    case repoAddPipelineWriter = 214
    case pipelineListJob = 301
    case clusterSetDefaults = 302
    case projectSetDefaults = 303
    case projectCreate = 400
    case projectDelete = 401
    case projectListRepo = 402
    case projectCreateRepo = 403
    case projectModifyBindings = 404
    case jobSkipCtx = 501

    package static func < (a: Permission, b: Permission) -> Bool { a.rawValue < b.rawValue }
}

extension Permission: CustomStringConvertible, LosslessStringConvertible {
    /// As the wire writes it, such as `REPO_READ`.
    package var description: String { Self.names[self] ?? "\(rawValue)" }

    package init?(_ description: String) {
        guard let known = Self.names.first(where: { $0.value == description })?.key else { return nil }
        self = known
    }

    private static let names: [Permission: String] = [
        .clusterModifyBindings: "CLUSTER_MODIFY_BINDINGS",
        .clusterGetBindings: "CLUSTER_GET_BINDINGS",
        .clusterAuthActivate: "CLUSTER_AUTH_ACTIVATE",
        .clusterAuthDeactivate: "CLUSTER_AUTH_DEACTIVATE",
        .clusterAuthGetConfig: "CLUSTER_AUTH_GET_CONFIG",
        .clusterAuthSetConfig: "CLUSTER_AUTH_SET_CONFIG",
        .clusterAuthModifyGroupMembers: "CLUSTER_AUTH_MODIFY_GROUP_MEMBERS",
        .clusterAuthGetGroups: "CLUSTER_AUTH_GET_GROUPS",
        .clusterAuthGetGroupUsers: "CLUSTER_AUTH_GET_GROUP_USERS",
        .clusterAuthExtractTokens: "CLUSTER_AUTH_EXTRACT_TOKENS",
        .clusterAuthRestoreToken: "CLUSTER_AUTH_RESTORE_TOKEN",
        .clusterEnterpriseActivate: "CLUSTER_ENTERPRISE_ACTIVATE",
        .clusterEnterpriseHeartbeat: "CLUSTER_ENTERPRISE_HEARTBEAT",
        .clusterEnterpriseGetCode: "CLUSTER_ENTERPRISE_GET_CODE",
        .clusterEnterpriseDeactivate: "CLUSTER_ENTERPRISE_DEACTIVATE",
        .clusterIdentitySetConfig: "CLUSTER_IDENTITY_SET_CONFIG",
        .clusterIdentityGetConfig: "CLUSTER_IDENTITY_GET_CONFIG",
        .clusterIdentityCreateIdp: "CLUSTER_IDENTITY_CREATE_IDP",
        .clusterIdentityUpdateIdp: "CLUSTER_IDENTITY_UPDATE_IDP",
        .clusterIdentityListIdps: "CLUSTER_IDENTITY_LIST_IDPS",
        .clusterIdentityGetIdp: "CLUSTER_IDENTITY_GET_IDP",
        .clusterIdentityDeleteIdp: "CLUSTER_IDENTITY_DELETE_IDP",
        .clusterIdentityCreateOidcClient: "CLUSTER_IDENTITY_CREATE_OIDC_CLIENT",
        .clusterIdentityUpdateOidcClient: "CLUSTER_IDENTITY_UPDATE_OIDC_CLIENT",
        .clusterIdentityListOidcClients: "CLUSTER_IDENTITY_LIST_OIDC_CLIENTS",
        .clusterIdentityGetOidcClient: "CLUSTER_IDENTITY_GET_OIDC_CLIENT",
        .clusterIdentityDeleteOidcClient: "CLUSTER_IDENTITY_DELETE_OIDC_CLIENT",
        .clusterDebugDump: "CLUSTER_DEBUG_DUMP",
        .clusterLicenseActivate: "CLUSTER_LICENSE_ACTIVATE",
        .clusterLicenseGetCode: "CLUSTER_LICENSE_GET_CODE",
        .clusterLicenseAddCluster: "CLUSTER_LICENSE_ADD_CLUSTER",
        .clusterLicenseUpdateCluster: "CLUSTER_LICENSE_UPDATE_CLUSTER",
        .clusterLicenseDeleteCluster: "CLUSTER_LICENSE_DELETE_CLUSTER",
        .clusterLicenseListClusters: "CLUSTER_LICENSE_LIST_CLUSTERS",
        .clusterDeleteAll: "CLUSTER_DELETE_ALL",
        .clusterAuthGetRobotToken: "CLUSTER_AUTH_GET_ROBOT_TOKEN",
        .clusterAuthDeleteExpiredTokens: "CLUSTER_AUTH_DELETE_EXPIRED_TOKENS",
        .clusterAuthGetPermissionsForPrincipal: "CLUSTER_AUTH_GET_PERMISSIONS_FOR_PRINCIPAL",
        .clusterAuthRevokeUserTokens: "CLUSTER_AUTH_REVOKE_USER_TOKENS",
        .clusterCreateSecret: "CLUSTER_CREATE_SECRET",
        .clusterListSecrets: "CLUSTER_LIST_SECRETS",
        .secretDelete: "SECRET_DELETE",
        .secretInspect: "SECRET_INSPECT",
        .clusterAuthRotateRootToken: "CLUSTER_AUTH_ROTATE_ROOT_TOKEN",
        .clusterGetPachdLogs: "CLUSTER_GET_PACHD_LOGS",
        .clusterEnterprisePause: "CLUSTER_ENTERPRISE_PAUSE",
        .clusterGetLokiLogs: "CLUSTER_GET_LOKI_LOGS",
        .clusterEditClusterMetadata: "CLUSTER_EDIT_CLUSTER_METADATA",
        .clusterSnapshotter: "CLUSTER_SNAPSHOTTER",
        .clusterRestartPachyderm: "CLUSTER_RESTART_PACHYDERM",
        .repoRead: "REPO_READ",
        .repoWrite: "REPO_WRITE",
        .repoModifyBindings: "REPO_MODIFY_BINDINGS",
        .repoDelete: "REPO_DELETE",
        .repoInspectCommit: "REPO_INSPECT_COMMIT",
        .repoListCommit: "REPO_LIST_COMMIT",
        .repoDeleteCommit: "REPO_DELETE_COMMIT",
        .repoCreateBranch: "REPO_CREATE_BRANCH",
        .repoListBranch: "REPO_LIST_BRANCH",
        .repoDeleteBranch: "REPO_DELETE_BRANCH",
        .repoInspectFile: "REPO_INSPECT_FILE",
        .repoListFile: "REPO_LIST_FILE",
        .repoAddPipelineReader: "REPO_ADD_PIPELINE_READER",
        .repoRemovePipelineReader: "REPO_REMOVE_PIPELINE_READER",
        .repoAddPipelineWriter: "REPO_ADD_PIPELINE_WRITER",
        .pipelineListJob: "PIPELINE_LIST_JOB",
        .clusterSetDefaults: "CLUSTER_SET_DEFAULTS",
        .projectSetDefaults: "PROJECT_SET_DEFAULTS",
        .projectCreate: "PROJECT_CREATE",
        .projectDelete: "PROJECT_DELETE",
        .projectListRepo: "PROJECT_LIST_REPO",
        .projectCreateRepo: "PROJECT_CREATE_REPO",
        .projectModifyBindings: "PROJECT_MODIFY_BINDINGS",
        .jobSkipCtx: "JOB_SKIP_CTX",
    ]
}
