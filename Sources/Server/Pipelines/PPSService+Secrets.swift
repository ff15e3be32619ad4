import API
import Core
import Pipelines
import SwiftProtobuf

/// Secrets (`pps.md` §14). No answer holds a value.
extension PPSService {
    func registerSecrets(in routes: inout Routes) {
        routes.unary(Method.CreateSecret.descriptor) { (request: PpsV2_CreateSecretRequest, call) in
            try await secrets.create(try SecretManifest.read([UInt8](request.file)), as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.InspectSecret.descriptor) { (request: PpsV2_InspectSecretRequest, call) in
            try secrets.inspect(request.secret.name, as: call.principal).message
        }
        routes.unary(Method.ListSecret.descriptor) { (_: Google_Protobuf_Empty, call) in
            let list = try secrets.list(as: call.principal)
            return PpsV2_SecretInfos.with { $0.secretInfo = list.map(\.message) }
        }
        routes.unary(Method.DeleteSecret.descriptor) { (request: PpsV2_DeleteSecretRequest, call) in
            try await secrets.delete(request.secret.name, as: call.principal)
            return Google_Protobuf_Empty()
        }
    }
}

extension SecretRecord {
    fileprivate var message: PpsV2_SecretInfo {
        .with {
            $0.secret.name = name
            $0.type = type
            $0.creationTimestamp = createdAt.message
        }
    }
}
