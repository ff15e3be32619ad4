import Core
import GRPCCore
import Storage
import Versioning

/// Finds out who calls, from the metadata of a call (`clients.md` §1.1).
struct Callers: Sendable {
    /// What a launch's token begins with, so that one that is no longer good is told from a stray login.
    static let launchTokenPrefix = "launch-"

    let history: History

    func call(_ metadata: Metadata, for method: MethodDescriptor) throws -> Call {
        Call(
            principal: try principal(metadata), metadata: metadata,
            terms: try WriteHeaders.terms(metadata, for: method))
    }

    /// Without authentication a token that is not a launch's is ignored; an outdated launch's is refused, so that code
    /// which outlived its launch cannot go on as somebody else.
    private func principal(_ metadata: Metadata) throws -> Principal {
        guard let token = metadata[stringValues: "authn-token"].first(where: { _ in true }),
            token.hasPrefix(Self.launchTokenPrefix)
        else { return .user("") }
        let hash = Hashing.sha256(Array(token.utf8))
        guard let launch = try history.read({ try $0.launch(tokenHash: hash) }) else {
            throw SpileError(
                .unauthenticated, "provided auth token is corrupted or has expired: its launch was replaced or stopped")
        }
        return .launch(launch.pipeline, epoch: launch.epoch)
    }
}
