import Core
import GRPCCore
import Pipelines
import Storage
import Versioning

/// Finds out who calls, from the metadata of a call (`clients.md` §1.1).
struct Callers: Sendable {
    let history: History
    let watch: SpoutWatch

    func call(_ metadata: Metadata, for method: MethodDescriptor) throws -> Call {
        Call(
            principal: try principal(metadata), metadata: metadata,
            terms: try WriteHeaders.terms(metadata, for: method))
    }

    /// Runs what a call asks for; whoever watches a spout hears where its code is refused a write.
    func noting<Result>(
        _ call: Call, _ method: MethodDescriptor, _ body: () async throws -> Result
    ) async throws -> Result {
        do { return try await body() } catch {
            note(error, call, method)
            throw error
        }
    }

    private func note(_ error: any Error, _ call: Call, _ method: MethodDescriptor) {
        guard case .launch(let pipeline, let epoch) = call.principal, WriteHeaders.methods.contains(method),
            let error = error as? SpileError
        else { return }
        watch.refused(pipeline, epoch: epoch, error.description)
    }

    /// Without authentication a token that is not a launch's is ignored; an outdated launch's is refused, so that code
    /// which outlived its launch cannot go on as somebody else.
    private func principal(_ metadata: Metadata) throws -> Principal {
        guard let token = metadata[stringValues: "authn-token"].first(where: { _ in true }),
            token.hasPrefix(LaunchPlan.tokenPrefix)
        else { return .user("") }
        let hash = Hashing.sha256(Array(token.utf8))
        guard let launch = try history.read({ try $0.launch(tokenHash: hash) }) else {
            throw SpileError(
                .unauthenticated, "provided auth token is corrupted or has expired: its launch was replaced or stopped")
        }
        return .launch(launch.pipeline, epoch: launch.epoch)
    }
}
