import Core
import Versioning

/// What a job reads: of each input of its plan, from the left, the files of its commit; nil where there is none.
struct JobInputs: Sendable {
    let files: [CommitFiles?]

    /// `commits`: what the job's output derives from, which is one branch of a repo at most. Blocks on disk.
    init(of plan: DatumPlan, _ commits: [CommitRecord], in history: History) throws {
        files = try plan.inputs.map { input in
            try commits.first { $0.key.repo == input.leaf.branch.repo }.map { try history.files(CommitHandle($0.key)) }
        }
    }

    var commits: [CommitID?] { files.map { $0?.commit.key.id } }

    /// How the files of a datum are laid out.
    func laid(_ datum: Datum) -> [LaidInput] { datum.files.compactMap(laid) }

    private func laid(_ file: InputFile) -> LaidInput? {
        let leaf = file.input.leaf
        let form: LaidInput.Form = leaf.emptyFiles ? .empty : leaf.isLazy ? .lazy : .content
        return files[file.input.index].map { LaidInput(name: leaf.name, files: $0, path: file.path, form: form) }
    }
}

extension CatalogReader {
    /// What a pipeline may read can be taken from it; its code is never given more. Throws `permissionDenied`.
    func requireInputs(of spec: PipelineSpec) throws {
        guard try hasAuth() else { return }
        let code = Principal.subject(Subject(spec.key))
        for repo in try spec.inputRepos { try require([.repoRead], on: AccessResource(repo), by: code) }
    }
}
