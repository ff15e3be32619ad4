import API
import Core

/// Pickers, by which the newer calls name things, to keys (`pfs.md` §1.3, 4). A picker that names nothing is refused;
/// an empty project means `default` and an empty type `user` here too.
extension ProjectKey {
    init(_ picker: PfsV2_ProjectPicker) throws {
        guard case .name(let name)? = picker.picker else { throw Self.missing("project picker") }
        self.init(name)
    }

    fileprivate static func missing(_ what: String) -> SpileError {
        .invalid("validate request: \(what) cannot be nil", remedy: "name the thing that is meant")
    }
}

extension RepoKey {
    init(_ picker: PfsV2_RepoPicker) throws {
        guard case .name(let repo)? = picker.picker, !repo.name.isEmpty else {
            throw ProjectKey.missing("repo picker")
        }
        // Through the message of a repo: one place knows the types and their defaults.
        try self.init(
            PfsV2_Repo.with {
                $0.name = repo.name
                $0.type = repo.type
                if case .name(let project)? = repo.project.picker { $0.project.name = project }
            })
    }
}

extension BranchKey {
    init(_ picker: PfsV2_BranchPicker) throws {
        guard case .name(let branch)? = picker.picker, !branch.name.isEmpty else {
            throw ProjectKey.missing("branch picker")
        }
        self.init(repo: try RepoKey(branch.repo), name: branch.name)
    }
}

extension CommitPicker {
    /// Ancestors of ancestors add up.
    init(_ picker: PfsV2_CommitPicker) throws {
        switch picker.picker {
        case .branchHead(let branch): self.init(.head(try BranchKey(branch)))
        case .id(let named):
            let repo = try RepoKey(named.repo)
            guard let id = CommitID(named.id) else {
                throw SpileError.notFound(
                    "commit \(repo)@\(named.id) not found", remedy: "a commit's id has 32 hex digits")
            }
            self.init(.id(repo.commit(id)))
        case .ancestor(let ancestor):
            self = try CommitPicker(ancestor.start)
            back += Int(ancestor.offset)
        case .branchRoot(let root):
            self.init(.root(try BranchKey(root.branch), offset: Int(root.offset)))
        case nil: throw ProjectKey.missing("commit picker")
        }
    }
}

extension PipelineKey {
    init(_ picker: PpsV2_PipelinePicker) throws {
        guard case .name(let pipeline)? = picker.picker, !pipeline.name.isEmpty else {
            throw ProjectKey.missing("pipeline picker")
        }
        var project = ProjectKey.standard
        if case .name(let name)? = pipeline.project.picker { project = ProjectKey(name) }
        self.init(project: project, name: pipeline.name)
    }
}
