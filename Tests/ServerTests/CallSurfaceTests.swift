import API
import Foundation
import GRPCCore
import Testing

/// Every call of the contract is answered by somebody, and what is not offered says so.
@Suite struct CallSurfaceTests {
    private static let services: [[MethodDescriptor]] = [
        PfsV2_API.Method.descriptors, PpsV2_API.Method.descriptors, TransactionV2_API.Method.descriptors,
        AdminV2_API.Method.descriptors, EnterpriseV2_API.Method.descriptors, LicenseV2_API.Method.descriptors,
        DebugV2_Debug.Method.descriptors, Logs_API.Method.descriptors, Metadata_API.Method.descriptors,
        Storage_Fileset.Method.descriptors, Snapshot_API.Method.descriptors, Pjs_API.Method.descriptors,
        Proxy_API.Method.descriptors, Pachyderm_Worker_Worker.Method.descriptors,
        VersionpbV2_API.Method.descriptors, Grpc_Health_V1_Health.Method.descriptors,
    ]
    private static let accounts = [AuthV2_API.Method.descriptors, IdentityV2_API.Method.descriptors]

    @Test func `what is not offered answers UNIMPLEMENTED and names itself`() async throws {
        try await withServer { server in
            let unknown = MethodDescriptor(fullyQualifiedService: "pfs_v2.API", method: "NoSuchCall")
            let stray = try await server.refusal(of: unknown)
            #expect(stray?.code == .unimplemented)
            for method in Self.services.joined() {
                guard let error = try await server.refusal(of: method) else { continue }
                #expect(!error.message.isEmpty, "\(method) says nothing: \(error.code)")
                guard error.code == .unimplemented else { continue }
                if method == PpsV2_API.Method.ActivateAuth.descriptor {
                    #expect(error.message == "the auth service is not activated")
                    continue
                }
                #expect(error.message.contains(method.method), "\(method): \(error.message)")
                #expect(error.message != stray?.message, "\(method) is not registered")
            }
        }
    }

    @Test func `calls about accounts say that accounts are off`() async throws {
        try await withServer { server in
            for method in Self.accounts.joined() where method != AuthV2_API.Method.Activate.descriptor {
                let error = try await server.refusal(of: method)
                #expect(error?.code == .unimplemented, "\(method)")
                #expect(error?.message == "the auth service is not activated", "\(method)")
            }
        }
    }
}

private struct RawBytes: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

extension ServerProcess {
    /// Sends one empty message and gives the error; nil if there is an answer, or an end, without one.
    func refusal(of method: MethodDescriptor, token: String? = nil) async throws -> RPCError? {
        var metadata: Metadata = [:]
        if let token { metadata.addString(token, forKey: "authn-token") }
        do {
            try await client.serverStreaming(
                request: ClientRequest(message: [], metadata: metadata), descriptor: method, serializer: RawBytes(),
                deserializer: RawBytes(), options: .defaults
            ) { response in
                for try await _ in response.messages { break }
            }
            return nil
        } catch let error as RPCError {
            return error
        }
    }
}
