import API
import Core
import SwiftProtobuf

/// Names on the wire to keys and back. Empty projects mean `default`, empty types mean `user` (`pfs.md` §0.5).
extension ProjectKey {
    init(_ message: PfsV2_Project) { self.init(message.name) }
    var message: PfsV2_Project { .with { $0.name = name } }
}

extension RepoKey {
    init(_ message: PfsV2_Repo) throws {
        guard let type = message.type.isEmpty ? .user : RepoType(rawValue: message.type) else {
            throw SpileError.invalid("repo type \"\(message.type)\" is unknown", remedy: "use user, meta or spec")
        }
        self.init(project: ProjectKey(message.project), name: message.name, type: type)
    }

    var message: PfsV2_Repo {
        .with {
            $0.name = name
            $0.type = type.rawValue
            $0.project = project.message
        }
    }
}

extension BranchKey {
    init(_ message: PfsV2_Branch) throws {
        self.init(repo: try RepoKey(message.repo), name: message.name)
    }

    var message: PfsV2_Branch {
        .with {
            $0.repo = repo.message
            $0.name = name
        }
    }
}

extension CommitKey {
    /// Without the deprecated branch, as responses are.
    var message: PfsV2_Commit {
        .with {
            $0.repo = repo.message
            $0.id = id.description
        }
    }

}

extension CommitName {
    /// With the branch it was made on, as relatives in `CommitInfo` are.
    var message: PfsV2_Commit {
        var message = key.message
        if let branch { message.branch = key.repo.branch(branch).message }
        return message
    }
}

extension CommitHandle {
    /// Fills a missing repo from the branch's.
    init(_ message: PfsV2_Commit) throws {
        let branch = message.hasBranch ? message.branch : nil
        let repo: PfsV2_Repo
        if message.hasRepo && !message.repo.name.isEmpty {
            repo = message.repo
        } else if let branch, branch.hasRepo, !branch.repo.name.isEmpty {
            repo = branch.repo
        } else {
            throw SpileError.invalid("commit must have a repo", remedy: "set commit.repo")
        }
        self.init(repo: try RepoKey(repo), branch: branch?.name, id: message.id)
    }
}

extension Instant {
    init(_ message: Google_Protobuf_Timestamp) { self.init(seconds: message.seconds, nanos: message.nanos) }
    var message: Google_Protobuf_Timestamp {
        .with {
            $0.seconds = seconds
            $0.nanos = nanos
        }
    }
}
