import API
import Core
import Foundation
import GRPCCore
import Testing
import Versioning

@testable import Server

/// Every call that is served has a rule that says who may make it, and the rules hold.
@Suite struct CallRuleTests {
    private static let services: [[MethodDescriptor]] = [
        AuthV2_API.Method.descriptors, PfsV2_API.Method.descriptors, PpsV2_API.Method.descriptors,
        TransactionV2_API.Method.descriptors, AdminV2_API.Method.descriptors, EnterpriseV2_API.Method.descriptors,
        LicenseV2_API.Method.descriptors, IdentityV2_API.Method.descriptors, DebugV2_Debug.Method.descriptors,
        Logs_API.Method.descriptors, Metadata_API.Method.descriptors, Storage_Fileset.Method.descriptors,
        Snapshot_API.Method.descriptors, Pjs_API.Method.descriptors, Proxy_API.Method.descriptors,
        Pachyderm_Worker_Worker.Method.descriptors, VersionpbV2_API.Method.descriptors,
        Grpc_Health_V1_Health.Method.descriptors, Spile_V1_Maintenance.Method.descriptors,
        Spile_V1_Lineage.Method.descriptors,
    ]

    private static func rule(_ method: MethodDescriptor) -> CallRule? {
        CallRules.all["\(method.service.fullyQualifiedService)/\(method.method)"]
    }

    @Test func `over plain HTTP only what is about the caller is a refusal`() {
        for error in [SpileError.noToken, .badToken, .expiredToken, SpileError(.permissionDenied, "no")] {
            #expect(HTTPGate.isRefusal(error), "\(error)")
        }
        #expect(!HTTPGate.isRefusal(SpileError(.internal, "the disk cannot be read")))
        #expect(!HTTPGate.isRefusal(SpileError.bug("two of one")))
    }

    @Test func `each method has a rule, and each rule a method`() {
        let methods = Self.services.joined().map { "\($0.service.fullyQualifiedService)/\($0.method)" }
        let unruled = Set(methods).subtracting(CallRules.all.keys)
        let stray = Set(CallRules.all.keys).subtracting(methods)
        #expect(unruled.isEmpty, "without a rule: \(unruled.sorted())")
        #expect(stray.isEmpty, "rules of nothing: \(stray.sorted())")
    }

    @Test func `what is open to all is as little as the contract says`() {
        let open = CallRules.all.filter { $0.value == .open }.keys.sorted()
        #expect(open == [
            "admin_v2.API/InspectCluster", "auth_v2.API/Activate", "auth_v2.API/Authenticate",
            "auth_v2.API/Authorize", "auth_v2.API/GetOIDCLogin", "auth_v2.API/WhoAmI", "enterprise_v2.API/GetState",
            "grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch", "license_v2.API/Heartbeat",
            "pachyderm.worker.Worker/Cancel", "pachyderm.worker.Worker/NextDatum", "pachyderm.worker.Worker/Status",
            "pfs_v2.API/GetFileTAR", "proxy.API/Listen", "versionpb_v2.API/GetVersion",
        ])
    }

    /// Runs `body` with a server on which authentication is on, and the root's token.
    private func withAuth(_ body: (ServerProcess, _ root: String) async throws -> Void) async throws {
        try await withServer { server in
            let auth = AuthV2_API.Client(wrapping: server.client)
            try await body(server, try await auth.activate(.init()).pachToken)
        }
    }

    @Test func `without a token every call is refused that is not open`() async throws {
        try await withAuth { server, _ in
            for method in Self.services.joined() where Self.rule(method) != .open {
                let error = try await server.refusal(of: method)
                #expect(error?.code == .unauthenticated, "\(method): \(String(describing: error))")
                #expect(error?.message == "no authentication token (try logging in)", "\(method)")
            }
        }
    }

    @Test func `a token without roles opens no call that takes one on the whole server`() async throws {
        try await withAuth { server, root in
            let auth = AuthV2_API.Client(wrapping: server.client)
            let token = try await auth.getRobotToken(
                .with { $0.robot = "nobody" }, metadata: ["authn-token": .string(root)]
            ).token
            for method in Self.services.joined() {
                switch Self.rule(method) {
                case .authority(let permission), .entrusted(let permission):
                    // What everybody is given at the beginning.
                    if permission == .projectCreate { continue }
                    let error = try await server.refusal(of: method, token: token)
                    #expect(error?.code == .permissionDenied, "\(method): \(String(describing: error))")
                    #expect(error?.message.contains("\(permission)") == true, "\(method)")
                case .open, .member, .anyone, nil: continue
                }
            }
        }
    }
}
