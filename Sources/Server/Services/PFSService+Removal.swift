import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// Commits that go: squashed, dropped, forgotten, cleared (`pfs.md` §4.4, §4.5).
extension PFSService {
    func registerRemoval(in routes: inout Routes) {
        routes.unary(Method.SquashCommit.descriptor) { (request: PfsV2_SquashCommitRequest, call) in
            let handle = try history.pinned(try Self.handle(request.hasCommit, request.commit))
            try await history.transact(as: call.principal) {
                try $0.remove(handle, by: .squash, recursive: request.recursive)
            }
            return PfsV2_SquashCommitResponse()
        }
        routes.unary(Method.DropCommit.descriptor) { (request: PfsV2_DropCommitRequest, call) in
            let handle = try history.pinned(try Self.handle(request.hasCommit, request.commit))
            try await history.transact(as: call.principal) {
                try $0.remove(handle, by: .drop, recursive: request.recursive)
            }
            return PfsV2_DropCommitResponse()
        }
        routes.unary(Method.SquashCommitSet.descriptor) { (request: PfsV2_SquashCommitSetRequest, call) in
            try await transactions.perform(.with { $0.squashCommitSet = request }, call)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.DropCommitSet.descriptor) { (request: PfsV2_DropCommitSetRequest, call) in
            guard request.hasCommitSet else { throw SpileError.invalid("validate request: commit_set is missing") }
            if let id = try Self.removedSet(request.commitSet) {
                try await history.transact(as: call.principal) { try $0.remove(set: id, by: .drop) }
            }
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.ForgetCommit.descriptor) { (request: PfsV2_ForgetCommitRequest, call) in
            let picker = try history.pinned(try CommitPicker(request.commit))
            try await history.transact(as: call.principal) { try $0.forgetCommit(picker) }
            return PfsV2_ForgetCommitResponse()
        }
        routes.unary(Method.ClearCommit.descriptor) { (request: PfsV2_ClearCommitRequest, call) in
            let handle = try history.pinned(try Self.handle(request.hasCommit, request.commit))
            try await history.transact(as: call.principal) { try $0.clearCommit(handle) }
            return Google_Protobuf_Empty()
        }
    }

    /// The set to remove: nil for an id that no set can have, which is no error. An empty id is one, because it would
    /// otherwise mean nothing or everything.
    static func removedSet(_ message: PfsV2_CommitSet) throws -> CommitID? {
        guard !message.id.isEmpty else {
            throw SpileError.invalid("commit set id is empty", remedy: "name a commit set; list commit shows their ids")
        }
        return CommitID(message.id)
    }
}
