import Core

/// On whose behalf a call is made.
package enum Principal: Sendable, Equatable {
    /// The server itself.
    case server
    /// A caller from outside, where authentication is off. The name is what it says of itself: mostly nothing.
    case user(String)
    /// A caller from outside, where authentication is on: what it may do is found out from its roles.
    case subject(Subject)
    /// A caller from outside without a good token, where authentication is on: for the few calls that are open to all.
    case stranger
    /// Code of a pipeline, known by the token of its launch. It may write its own output repo and nothing else.
    case launch(PipelineKey, epoch: Int64)

    /// What `CommitInfo.created_by` says.
    package var name: String {
        switch self {
        case .server: ""
        case .user(let name): name
        case .subject(let subject): subject.description
        case .stranger: ""
        case .launch(let pipeline, _): "pipeline:\(pipeline)"
        }
    }
}

extension Principal {
    /// The error of code that is not allowed what it asks for; `why` names that.
    package static func refusal(
        of pipeline: PipelineKey, _ why: String, remedy: String = ""
    ) -> SpileError {
        SpileError(
            .permissionDenied, "pipeline:\(pipeline) is not authorized to perform this operation: \(why)",
            remedy: remedy)
    }

    /// What the tokens of launches begin with, and no other token.
    package static let launchTokenPrefix = "launch-"
}

extension CatalogReader {
    /// Whether a caller may read a repo as far as it is code of a pipeline: that reads what belongs to the pipeline and
    /// its inputs (`pps.md` §8).
    package func mayRead(_ repo: RepoKey, by principal: Principal) throws -> Bool {
        guard case .launch(let key, _) = principal else { return true }
        if repo.project == key.project && repo.name == key.name { return true }
        guard let pipeline = try pipeline(key) else { return false }
        return try PipelineSpec(canonical: pipeline.effectiveSpec).inputLeaves.contains { $0.branch.repo == repo }
    }
}
