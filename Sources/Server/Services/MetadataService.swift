import API
import Core
import GRPCCore
import Versioning

/// `metadata.API`: labels on projects, repos, branches, commits, pipelines and the server itself (`pfs.md` §4.10).
struct MetadataService: Sendable {
    let history: History

    func register(in routes: inout Routes) {
        routes.unary(Metadata_API.Method.EditMetadata.descriptor) { (request: Metadata_EditMetadataRequest, call) in
            let edits = try request.edits.enumerated().map { index, edit in
                do {
                    return try MetadataEdit(edit)
                } catch let error as SpileError {
                    throw error.wrapped("edit #\(index)")
                }
            }
            try await history.edit(edits, as: call.principal)
            return Metadata_EditMetadataResponse()
        }
    }
}

extension MetadataEdit {
    init(_ message: Metadata_Edit) throws { self.init(try Target(message), try Change(message)) }
}

extension MetadataEdit.Target {
    init(_ message: Metadata_Edit) throws {
        self =
            switch message.target {
            case .project(let picker): .project(try ProjectKey(picker))
            case .repo(let picker): .repo(try RepoKey(picker))
            case .branch(let picker): .branch(try BranchKey(picker))
            case .commit(let picker): .commit(try CommitPicker(picker))
            case .pipeline(let picker): .pipeline(try PipelineKey(picker))
            case .cluster: .cluster
            case nil: throw SpileError.invalid("validate request: the edit has no target", remedy: "name one")
            }
    }
}

extension MetadataEdit.Change {
    init(_ message: Metadata_Edit) throws {
        self =
            switch message.op {
            case .replace(let change): .replace(change.replacement)
            case .addKey(let change): .add(key: change.key, value: change.value)
            case .editKey(let change): .edit(key: change.key, value: change.value)
            case .deleteKey(let change): .delete(key: change.key)
            case nil:
                throw SpileError.invalid(
                    "validate request: the edit has no operation",
                    remedy: "set replace, add_key, edit_key or delete_key")
            }
    }
}
