import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// The version that clients are told: the contract's, so that their own checks pass, with ours in the free text.
package enum ServerVersion {
    package static let major: UInt32 = 2
    package static let minor: UInt32 = 12
    package static let micro: UInt32 = 2
    package static let text = "\(major).\(minor).\(micro)"
    /// Our own.
    package static let spile = "0.1.0"

    static var message: VersionpbV2_Version {
        .with {
            $0.major = major
            $0.minor = minor
            $0.micro = micro
            $0.gitCommit = "spile-\(spile)"
            $0.platform = "swift"
        }
    }
}

/// Services of a few calls each: version, admin, health, and what is honest to say of those that are not there
/// (`clients.md` §3).
struct SmallServices: Sendable {
    let history: History
    /// Stable over the life of a data folder.
    let clusterID: String

    func register(in routes: inout Routes) {
        routes.unary(VersionpbV2_API.Method.GetVersion.descriptor) { (_: Google_Protobuf_Empty, _) in
            ServerVersion.message
        }
        routes.unary(AdminV2_API.Method.InspectCluster.descriptor) { (request: AdminV2_InspectClusterRequest, _) in
            try inspectCluster(request)
        }
        routes.unary(Grpc_Health_V1_Health.Method.Check.descriptor) { (_: Grpc_Health_V1_HealthCheckRequest, _) in
            Grpc_Health_V1_HealthCheckResponse.with { $0.status = .serving }
        }
        routes.serverStream(Grpc_Health_V1_Health.Method.Watch.descriptor) {
            (_: Grpc_Health_V1_HealthCheckRequest, _, writer: RPCWriter<Grpc_Health_V1_HealthCheckResponse>) in
            try await writer.write(.with { $0.status = .serving })
            try await Self.untilCancelled()
        }
        routes.unary(EnterpriseV2_API.Method.GetState.descriptor) { (_: EnterpriseV2_GetStateRequest, _) in
            EnterpriseV2_GetStateResponse()
        }
        routes.unary(EnterpriseV2_API.Method.PauseStatus.descriptor) { (_: EnterpriseV2_PauseStatusRequest, _) in
            EnterpriseV2_PauseStatusResponse.with { $0.status = .unpaused }
        }
        routes.unary(EnterpriseV2_API.Method.Deactivate.descriptor) { (_: EnterpriseV2_DeactivateRequest, _) in
            EnterpriseV2_DeactivateResponse()
        }
        routes.unary(LicenseV2_API.Method.DeleteAll.descriptor) { (_: LicenseV2_DeleteAllRequest, _) in
            LicenseV2_DeleteAllResponse()
        }
        refuseTheRest(in: &routes)
    }

    private func inspectCluster(_ request: AdminV2_InspectClusterRequest) throws -> AdminV2_ClusterInfo {
        let project = ProjectKey(request.currentProject)
        let (projectExists, metadata) = try history.read { catalog in
            (try catalog.project(project) != nil, try catalog.clusterMetadata())
        }
        return .with {
            $0.id = clusterID
            $0.deploymentID = clusterID
            $0.warningsOk = true
            $0.metadata = metadata
            if request.hasCurrentProject && !request.currentProject.name.isEmpty && !projectExists {
                $0.warnings.append("project \"\(project)\" does not exist; create it or choose another")
            }
            guard request.hasClientVersion else { return }
            let client = request.clientVersion
            let isUnset = client.major == 0 && client.minor == 0 && client.micro == 0
            if !isUnset && (client.major != ServerVersion.major || client.minor != ServerVersion.minor) {
                $0.warnings.append(
                    "client is version \(client.major).\(client.minor).\(client.micro), server speaks "
                        + "\(ServerVersion.text); use a client of \(ServerVersion.major).\(ServerVersion.minor)")
            }
        }
    }

    private static func untilCancelled() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        for await _ in stream {}
        continuation.finish()
        try Task.checkCancellation()
    }

    private func refuseTheRest(in routes: inout Routes) {
        routes.refuse(EnterpriseV2_API.Method.descriptors + LicenseV2_API.Method.descriptors) { method in
            "\(method.method): enterprise licensing is not part of this server"
        }
        let others = [
            PfsV2_API.Method.descriptors, PpsV2_API.Method.descriptors, TransactionV2_API.Method.descriptors,
            AdminV2_API.Method.descriptors, AuthV2_API.Method.descriptors,
            DebugV2_Debug.Method.descriptors, Logs_API.Method.descriptors, Metadata_API.Method.descriptors,
            Storage_Fileset.Method.descriptors, Snapshot_API.Method.descriptors, Pjs_API.Method.descriptors,
            Proxy_API.Method.descriptors, Pachyderm_Worker_Worker.Method.descriptors,
            VersionpbV2_API.Method.descriptors,
        ]
        for methods in others {
            routes.refuse(methods) { method in
                "\(method.service.fullyQualifiedService)/\(method.method) is not offered by this version of Spile"
            }
        }
    }
}
