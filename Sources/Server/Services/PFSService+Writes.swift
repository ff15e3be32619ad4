import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerWrites(in routes: inout Routes) {
        routes.clientStream(Method.ModifyFile.descriptor) {
            (messages: RPCAsyncSequence<PfsV2_ModifyFileRequest, any Error>, call) in
            try await modify(messages, call)
            return Google_Protobuf_Empty()
        }
    }

    /// Reads one message after the other: a slow disk slows the client, and memory holds one message.
    private func modify(
        _ messages: RPCAsyncSequence<PfsV2_ModifyFileRequest, any Error>, _ call: Call
    ) async throws {
        var upload: Upload?
        for try await message in messages {
            guard let upload else {
                guard case .setCommit(let commit) = message.body else {
                    throw SpileError.invalid("first message must be a commit")
                }
                upload = try Upload(to: try CommitHandle(commit), in: history, as: call.principal)
                continue
            }
            try Self.apply(message, to: upload)
        }
        // Some clients end the stream in good order before they cancel it. While the server shuts down every call is
        // marked so, and what has come in whole is kept.
        if call.isAbandoned() && !history.events.hasClosed { throw CancellationError() }
        guard let upload else { throw SpileError.invalid("first message must be a commit") }
        _ = try await upload.finish()
    }

    static func apply(_ message: PfsV2_ModifyFileRequest, to upload: some FileOperations) throws {
        switch message.body {
        case .addFile(let file): try add(file, to: upload)
        case .deleteFile(let file): try upload.delete(path: file.path, datum: file.datum)
        case .copyFile(let copy):
            guard copy.hasSrc else { throw SpileError.invalid("validate recv: copy_file.src is missing") }
            try upload.copy(
                from: try FileReference(copy.src), to: copy.dst, datum: copy.datum, append: copy.append)
        case .setCommit: throw SpileError.invalid("cannot set commit", remedy: "name the commit once, at the start")
        case nil: throw SpileError.invalid("unrecognized message type: a ModifyFileRequest without a body")
        }
    }

    private static func add(_ file: PfsV2_AddFile, to upload: some FileOperations) throws {
        switch file.source {
        case .raw(let bytes):
            try bytes.value.withUnsafeBytes { try upload.add(path: file.path, datum: file.datum, bytes: $0) }
        case .url(let source):
            throw SpileError(
                .unimplemented, "add_file from a URL (\(source.url)) is not offered by this version of Spile",
                remedy: "fetch it and send its bytes")
        case nil:
            try upload.add(path: file.path, datum: file.datum, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
