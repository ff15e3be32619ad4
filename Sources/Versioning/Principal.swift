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

    /// Whether it may read a repo: code of a pipeline reads what belongs to that.
    package func mayRead(_ repo: RepoKey) -> Bool {
        guard case .launch(let pipeline, _) = self else { return true }
        return repo.project == pipeline.project && repo.name == pipeline.name
    }
}
