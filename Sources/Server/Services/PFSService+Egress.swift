import API
import Core
import GRPCCore
import Versioning

/// Calls that write files to an object store (`pfs.md` §4.7, §4.9).
extension PFSService {
    func registerEgress(in routes: inout Routes) {
        // It changes nothing here; what has left by the time its caller goes away stays where it is.
        routes.wait(Method.Egress.descriptor) { (request: PfsV2_EgressRequest, _) in
            let files = try await history.settledFiles(try Self.handle(request.hasCommit, request.commit))
            switch request.target {
            case .objectStorage(let target):
                let url = try SourceURL(placeInStore: target.url)
                let sum = try await files.send(try Glob("/"), to: egress, below: url)
                return PfsV2_EgressResponse.with { $0.objectStorage.bytesWritten = sum?.bytes ?? 0 }
            case .sqlDatabase(let target): throw Self.refusal(of: target)
            case nil: throw SpileError.invalid("egress has no target", remedy: "set object_storage or sql_database")
            }
        }
    }

    /// Says first what would be wrong on a server that offers it.
    private static func refusal(of target: PfsV2_SQLDatabaseEgress) -> SpileError {
        guard target.hasSecret else { return .domain("egress.sql_database.secret is required") }
        guard !target.secret.name.isEmpty, !target.secret.key.isEmpty else {
            return .domain("egress.sql_database.secret.name and egress.sql_database.secret.key are required")
        }
        return SpileError(
            .unimplemented, "Egress to a database is not offered by this version of Spile",
            remedy: "read the files and load them yourself")
    }

    /// GetFile with a URL: the one file goes there.
    func sendFile(_ request: PfsV2_GetFileRequest, _ file: FileReference, _ files: CommitFiles) async throws {
        let url = try SourceURL(placeInStore: request.url)
        let found = try await files.singleFile(
            try Glob(file.path), range: PathRange(request.pathRange), requested: file)
        try await files.send(found.path, found.entry, to: egress, below: url)
    }

    /// GetFileTAR with a URL: all that matches goes there.
    func sendFiles(_ request: PfsV2_GetFileRequest, _ file: FileReference, _ files: CommitFiles) async throws {
        let url = try SourceURL(placeInStore: request.url)
        let sum = try await files.send(
            try Glob(file.path), range: PathRange(request.pathRange), to: egress, below: url)
        if sum == nil { throw SpileError.fileNotFound(file) }
    }
}
