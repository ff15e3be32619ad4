import API
import Core
import Foundation
import GRPCCore
import Storage
import SwiftProtobuf
import Versioning

/// `storage.Fileset` (`pfs.md` §6): file sets without datum tags, and references to their content. The same handles as
/// in `pfs_v2.API`.
struct StorageService: Sendable {
    let history: History
    let references: ContentReferences

    typealias Method = Storage_Fileset.Method

    func register(in routes: inout Routes) {
        routes.clientStream(Method.CreateFileset.descriptor) {
            (messages: RPCAsyncSequence<Storage_CreateFilesetRequest, any Error>, call) in
            let upload = FileSetUpload(in: history, as: call.principal)
            for try await message in messages { try Self.apply(message, to: upload) }
            if call.isAbandoned() && !history.events.hasClosed { throw CancellationError() }
            try call.confirm()
            let handle = try await upload.finish()
            return Storage_CreateFilesetResponse.with { $0.filesetID = handle.description }
        }
        routes.unary(Method.RenewFileset.descriptor) { (request: Storage_RenewFilesetRequest, call) in
            try await history.renew(
                fileSet: request.filesetID, seconds: try FileSetLease.renewal(request.ttlSeconds), as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.ComposeFileset.descriptor) { (request: Storage_ComposeFilesetRequest, call) in
            let handle = try await history.compose(
                fileSets: request.filesetIds, seconds: try FileSetLease.composed(request.ttlSeconds),
                as: call.principal)
            return Storage_ComposeFilesetResponse.with { $0.filesetID = handle.description }
        }
        routes.unary(Method.ShardFileset.descriptor) { (request: Storage_ShardFilesetRequest, _) in
            let shards = try history.shards(
                ofFileSet: request.filesetID, files: request.numFiles, bytes: request.sizeBytes)
            return Storage_ShardFilesetResponse.with {
                $0.shards = shards.map { range in
                    .with {
                        $0.lower = range.lower
                        $0.upper = range.upper
                    }
                }
            }
        }
        registerReads(in: &routes)
    }

    private static func apply(_ message: Storage_CreateFilesetRequest, to files: FileSetUpload) throws {
        switch message.modification {
        case .appendFile(let file):
            try file.data.value.withUnsafeBytes { try files.add(path: file.path, datum: "", bytes: $0) }
        case .deleteFile(let file): try files.delete(path: file.path, datum: "")
        case .copyFile(let copy):
            let source = FileReference(commit: CommitHandle(fileSet: copy.filesetID), path: copy.src)
            try files.copy(from: source, to: copy.dst.isEmpty ? copy.src : copy.dst, datum: "", append: false)
        case nil: throw SpileError.invalid("unrecognized message type: a CreateFilesetRequest without a modification")
        }
    }

    private func registerReads(in routes: inout Routes) {
        routes.serverStream(Method.ReadFileset.descriptor) { (request: Storage_ReadFilesetRequest, _, writer) in
            try await files(request) { view, entry in
                try await content(of: entry, at: view.path, writer)
            }
        }
        routes.serverStream(Method.ReadFilesetCDR.descriptor) {
            (request: Storage_ReadFilesetRequest, call, writer: RPCWriter<Storage_ReadFilesetCDRResponse>) in
            // Before anything else, so that a request that would read nothing is still told what is wrong with it.
            let base = try await references.open(request.filesetID, call)
            try await files(request) { view, entry in
                let reference = try base.reference(to: entry, at: view.path, datum: view.datum)
                try await writer.write(
                    .with {
                        $0.path = view.path
                        $0.ref = reference
                    })
            }
        }
    }

    /// Gives the files that a request asks for, in path order.
    private func files(
        _ request: Storage_ReadFilesetRequest, _ body: (FileView, FileEntry) async throws -> Void
    ) async throws {
        let filter = try FileFilter(request.filters)
        let files = try history.files(CommitHandle(fileSet: request.filesetID))
        try await files.files(in: filter.range) { view in
            try Task.checkCancellation()
            if let entry = view.entry, filter.accepts(view.path) { try await body(view, entry) }
            return true
        }
    }

    /// An empty file is one message without bytes, whatever `empty_files` says: a reader of all messages has all files.
    private func content(
        of entry: FileEntry, at path: String, _ writer: RPCWriter<Storage_ReadFilesetResponse>
    ) async throws {
        var position: UInt64 = 0
        repeat {
            let bytes = try history.store.read(entry, offset: position, maxBytes: Limits.payloadBytes)
            guard !bytes.isEmpty || entry.size == 0 else { throw SpileError.bug("a file ends before the size it has") }
            position += UInt64(bytes.count)
            try await writer.write(
                .with {
                    $0.path = path
                    $0.data = Google_Protobuf_BytesValue(Data(bytes))
                })
        } while position < entry.size
    }
}
