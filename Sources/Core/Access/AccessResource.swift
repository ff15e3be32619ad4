/// What roles are bound to (`clients.md` §3.3, Evaluation).
package enum AccessResource: Hashable, Sendable {
    /// The whole server.
    case cluster
    case project(ProjectKey)
    /// A user repo. What a pipeline keeps of its datums goes with it.
    case repo(project: ProjectKey, name: String)
    /// The versions of a pipeline: everybody reads them, and for the rest the pipeline's output repo decides.
    case specRepo(project: ProjectKey, name: String)
    case job(String)

    /// Raw values are those of the wire.
    package enum Kind: Int, Sendable, CaseIterable {
        case cluster = 1
        case repo = 2
        case specRepo = 3
        case project = 4
        case job = 5

        /// As the wire writes it.
        package var name: String {
            switch self {
            case .cluster: "CLUSTER"
            case .repo: "REPO"
            case .specRepo: "SPEC_REPO"
            case .project: "PROJECT"
            case .job: "JOB"
            }
        }
    }

    package init(_ repo: RepoKey) {
        self =
            repo.type == .spec
            ? .specRepo(project: repo.project, name: repo.name) : .repo(project: repo.project, name: repo.name)
    }

    /// A repo is `project/name`; without a slash it is one of project `default`.
    package init(_ kind: Kind, name: String) {
        switch kind {
        case .cluster: self = .cluster
        case .project: self = .project(ProjectKey(name))
        case .job: self = .job(name)
        case .repo, .specRepo:
            let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (project, repo) = parts.count == 2 ? (ProjectKey(parts[0]), parts[1]) : (.standard, name)
            self = kind == .repo ? .repo(project: project, name: repo) : .specRepo(project: project, name: repo)
        }
    }

    package var kind: Kind {
        switch self {
        case .cluster: .cluster
        case .project: .project
        case .repo: .repo
        case .specRepo: .specRepo
        case .job: .job
        }
    }

    /// Empty for the cluster.
    package var name: String {
        switch self {
        case .cluster: ""
        case .project(let key): key.name
        case .repo(let project, let name), .specRepo(let project, let name): "\(project)/\(name)"
        case .job(let name): name
        }
    }

    /// Where roles that count here are bound, the widest first.
    package var levels: [AccessResource] {
        switch self {
        case .cluster: [.cluster]
        case .project, .job: [.cluster, self]
        case .repo(let project, let name), .specRepo(let project, let name):
            [.cluster, .project(project), .repo(project: project, name: name)]
        }
    }

    /// What it takes to change who has roles here; nil where nobody can.
    package var bindingPermission: Permission? {
        switch self {
        case .cluster: .clusterModifyBindings
        case .project: .projectModifyBindings
        case .repo: .repoModifyBindings
        case .specRepo, .job: nil
        }
    }
}

extension AccessResource: CustomStringConvertible {
    /// For texts: `REPO default/images`.
    package var description: String { name.isEmpty ? kind.name : "\(kind.name) \(name)" }
}
