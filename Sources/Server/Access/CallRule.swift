import Core

/// Who may make a call at all: the first line of defence (`clients.md` §3.3, Which rpc needs what). What is asked of
/// the thing that a call names, its handler asks besides.
enum CallRule: Sendable, Equatable {
    /// Anybody, whether authentication is on or off.
    case open
    /// Authentication has to be on, and the caller has a token.
    case member
    /// Authentication has to be on, and the caller has a permission on the whole server.
    case authority(Permission)
    /// Anybody while authentication is off; who has a token while it is on.
    case anyone
    /// Anybody while authentication is off; who has a permission on the whole server while it is on.
    case entrusted(Permission)
}

/// The rule of every call. A call that is not in here is refused: to be served a new one has to be thought about.
enum CallRules {
    /// `service/method` to its rule; made once.
    static let all: [String: CallRule] = {
        var result: [String: CallRule] = [:]
        for (service, rule, methods) in table {
            for method in methods.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
                let previous = result.updateValue(rule, forKey: "\(service)/\(method)")
                precondition(previous == nil, "\(service)/\(method) has two rules")
            }
        }
        return result
    }()

    private typealias Row = (service: String, rule: CallRule, methods: String)

    private static let table: [Row] = auth + pfs + pps + identity + small + internals

    private static let auth: [Row] = [
        ("auth_v2.API", .open, "Activate Authenticate Authorize WhoAmI GetOIDCLogin"),
        (
            "auth_v2.API", .member,
            "GetRoleBinding ModifyRoleBinding RevokeAuthToken GetGroups GetPermissions GetRolesForPermission"
        ),
        ("auth_v2.API", .authority(.clusterAuthGetGroups), "GetGroupsForPrincipal"),
        ("auth_v2.API", .authority(.clusterAuthGetPermissionsForPrincipal), "GetPermissionsForPrincipal"),
        ("auth_v2.API", .authority(.clusterAuthGetConfig), "GetConfiguration"),
        ("auth_v2.API", .authority(.clusterAuthSetConfig), "SetConfiguration"),
        ("auth_v2.API", .authority(.clusterAuthGetRobotToken), "GetRobotToken"),
        ("auth_v2.API", .authority(.clusterAuthModifyGroupMembers), "SetGroupsForUser ModifyMembers"),
        ("auth_v2.API", .authority(.clusterAuthGetGroupUsers), "GetUsers"),
        ("auth_v2.API", .authority(.clusterAuthExtractTokens), "ExtractAuthTokens"),
        ("auth_v2.API", .authority(.clusterAuthRestoreToken), "RestoreAuthToken"),
        ("auth_v2.API", .authority(.clusterAuthDeactivate), "Deactivate"),
        ("auth_v2.API", .authority(.clusterAuthDeleteExpiredTokens), "DeleteExpiredAuthTokens"),
        ("auth_v2.API", .authority(.clusterAuthRevokeUserTokens), "RevokeAuthTokensForUser"),
        ("auth_v2.API", .authority(.clusterAuthRotateRootToken), "RotateRootToken"),
    ]

    private static let pfs: [Row] = [
        // File sets are for whoever knows their id; what is read of commits is checked besides.
        ("pfs_v2.API", .open, "GetFileTAR"),
        ("pfs_v2.API", .entrusted(.clusterAuthActivate), "ActivateAuth"),
        ("pfs_v2.API", .entrusted(.projectCreate), "CreateProject"),
        ("pfs_v2.API", .entrusted(.repoDeleteCommit), "SquashCommit SquashCommitSet DropCommit DropCommitSet"),
        ("pfs_v2.API", .entrusted(.clusterDeleteAll), "DeleteAll"),
        (
            "pfs_v2.API", .anyone,
            """
            AddFileSet CheckStorage ClearCache ClearCommit ComposeFileSet CreateBranch CreateFileSet CreateRepo \
            DeleteBranch DeleteProject DeleteRepo DeleteRepos DiffFile Egress FindCommits FinishCommit ForgetCommit \
            Fsck GetCache GetFile GetFileSet GlobFile InspectBranch InspectCommit InspectCommitSet InspectFile \
            InspectProject InspectProjectV2 InspectRepo ListBranch ListCommit ListCommitSet ListFile ListProject \
            ListRepo ListTask ModifyFile PutCache RenewFileSet ReposSummary ShardFileSet StartCommit SubscribeCommit \
            WalkBranchProvenance WalkBranchSubvenance WalkCommitProvenance WalkCommitSubvenance WalkFile
            """
        ),
        (
            "storage.Fileset", .anyone,
            "ComposeFileset CreateFileset ReadFileset ReadFilesetCDR RenewFileset ShardFileset"
        ),
        ("metadata.API", .anyone, "EditMetadata"),
        (
            "transaction_v2.API", .anyone,
            """
            BatchTransaction DeleteTransaction FinishTransaction InspectTransaction ListTransaction StartTransaction
            """
        ),
        ("transaction_v2.API", .entrusted(.clusterDeleteAll), "DeleteAll"),
    ]

    private static let pps: [Row] = [
        ("pps_v2.API", .authority(.clusterAuthActivate), "ActivateAuth"),
        ("pps_v2.API", .entrusted(.clusterCreateSecret), "CreateSecret"),
        ("pps_v2.API", .entrusted(.clusterListSecrets), "ListSecret"),
        ("pps_v2.API", .entrusted(.secretInspect), "InspectSecret"),
        ("pps_v2.API", .entrusted(.secretDelete), "DeleteSecret"),
        ("pps_v2.API", .entrusted(.clusterSetDefaults), "SetClusterDefaults"),
        ("pps_v2.API", .entrusted(.clusterDeleteAll), "DeleteAll"),
        ("pps_v2.API", .entrusted(.clusterGetLokiLogs), "QueryLoki GetKubeEvents"),
        (
            "pps_v2.API", .anyone,
            """
            CheckStatus CreateDatum CreatePipeline CreatePipelineV2 DeleteJob DeletePipeline DeletePipelines \
            GetClusterDefaults GetLogs GetProjectDefaults InspectDatum InspectJob InspectJobSet InspectPipeline \
            ListDatum ListJob ListJobSet ListPipeline ListTask PipelinesSummary RenderTemplate RerunPipeline \
            RestartDatum RunCron RunLoadTest RunLoadTestDefault RunPipeline SetProjectDefaults StartPipeline StopJob \
            StopPipeline SubscribeJob UpdateJobState
            """
        ),
        ("logs.API", .anyone, "GetLogs"),
        (
            "pjs.API", .anyone,
            """
            AwaitJob CancelJob CreateJob DeleteJob InspectJob InspectQueue ListJob ListQueue ProcessQueue WalkJob
            """
        ),
    ]

    private static let identity: [Row] = [
        ("identity_v2.API", .authority(.clusterIdentityCreateIdp), "CreateIDPConnector"),
        ("identity_v2.API", .authority(.clusterIdentityUpdateIdp), "UpdateIDPConnector"),
        ("identity_v2.API", .authority(.clusterIdentityListIdps), "ListIDPConnectors"),
        ("identity_v2.API", .authority(.clusterIdentityGetIdp), "GetIDPConnector"),
        ("identity_v2.API", .authority(.clusterIdentityDeleteIdp), "DeleteIDPConnector"),
        ("identity_v2.API", .authority(.clusterIdentityCreateOidcClient), "CreateOIDCClient"),
        ("identity_v2.API", .authority(.clusterIdentityUpdateOidcClient), "UpdateOIDCClient"),
        ("identity_v2.API", .authority(.clusterIdentityListOidcClients), "ListOIDCClients"),
        ("identity_v2.API", .authority(.clusterIdentityGetOidcClient), "GetOIDCClient"),
        ("identity_v2.API", .authority(.clusterIdentityDeleteOidcClient), "DeleteOIDCClient"),
        ("identity_v2.API", .authority(.clusterIdentitySetConfig), "SetIdentityServerConfig"),
        ("identity_v2.API", .authority(.clusterIdentityGetConfig), "GetIdentityServerConfig"),
        ("identity_v2.API", .authority(.clusterDeleteAll), "DeleteAll"),
    ]

    private static let small: [Row] = [
        ("versionpb_v2.API", .open, "GetVersion"),
        ("admin_v2.API", .open, "InspectCluster"),
        ("admin_v2.API", .entrusted(.clusterRestartPachyderm), "RestartPachyderm"),
        ("grpc.health.v1.Health", .open, "Check Watch"),
        ("enterprise_v2.API", .open, "GetState"),
        ("enterprise_v2.API", .anyone, "PauseStatus"),
        ("enterprise_v2.API", .entrusted(.clusterEnterpriseActivate), "Activate"),
        ("enterprise_v2.API", .entrusted(.clusterEnterpriseDeactivate), "Deactivate"),
        ("enterprise_v2.API", .entrusted(.clusterEnterpriseGetCode), "GetActivationCode"),
        ("enterprise_v2.API", .entrusted(.clusterEnterpriseHeartbeat), "Heartbeat"),
        ("enterprise_v2.API", .entrusted(.clusterEnterprisePause), "Pause Unpause"),
        ("license_v2.API", .open, "Heartbeat"),
        ("license_v2.API", .anyone, "ListUserClusters"),
        ("license_v2.API", .entrusted(.clusterLicenseActivate), "Activate"),
        ("license_v2.API", .entrusted(.clusterLicenseAddCluster), "AddCluster"),
        ("license_v2.API", .entrusted(.clusterLicenseUpdateCluster), "UpdateCluster"),
        ("license_v2.API", .entrusted(.clusterLicenseDeleteCluster), "DeleteCluster"),
        ("license_v2.API", .entrusted(.clusterLicenseListClusters), "ListClusters"),
        ("license_v2.API", .entrusted(.clusterLicenseGetCode), "GetActivationCode"),
        ("license_v2.API", .entrusted(.clusterDeleteAll), "DeleteAll"),
    ]

    private static let internals: [Row] = [
        (
            "debug_v2.Debug", .entrusted(.clusterDebugDump),
            "Binary Dump DumpV2 GetDumpV2Template Profile SetLogLevel Trace"
        ),
        ("debug_v2.Debug", .anyone, "RunPFSLoadTest RunPFSLoadTestDefault"),
        (
            "snapshot.API", .entrusted(.clusterSnapshotter),
            "CreateSnapshot DeleteSnapshot InspectSnapshot ListSnapshot"
        ),
        ("proxy.API", .open, "Listen"),
        // Of the original's workers alone; here they say that they are not offered.
        ("pachyderm.worker.Worker", .open, "Cancel NextDatum Status"),
        ("spile.v1.Lineage", .anyone, "Trace"),
        ("spile.v1.Maintenance", .entrusted(.clusterSnapshotter), "Check CollectGarbage Snapshot"),
    ]
}
