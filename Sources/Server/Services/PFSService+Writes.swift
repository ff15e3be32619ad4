import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerWrites(in routes: inout Routes) {
        routes.clientStreamReply(Method.ModifyFile.descriptor) {
            (messages: RPCAsyncSequence<PfsV2_ModifyFileRequest, any Error>, call) in
            let commit = try await modify(messages, call)
            return Reply(message: Google_Protobuf_Empty(), headers: commit.header)
        }
    }

    /// Reads one message after the other: a slow disk slows the client, and memory holds one message.
    private func modify(
        _ messages: RPCAsyncSequence<PfsV2_ModifyFileRequest, any Error>, _ call: Call
    ) async throws -> CommitKey {
        var upload: Upload?
        for try await message in messages {
            guard let upload else {
                guard case .setCommit(let commit) = message.body else {
                    throw SpileError.invalid("first message must be a commit")
                }
                upload = try Upload(to: try CommitHandle(commit), in: history, as: call.principal, call.terms)
                continue
            }
            try await apply(message, to: upload, call)
        }
        // Some clients end the stream in good order before they cancel it. While the server shuts down every call is
        // marked so, and what has come in whole is kept.
        try checkIsWanted(call)
        guard let upload else { throw SpileError.invalid("first message must be a commit") }
        try call.confirm()
        return try await upload.finish()
    }

    private func checkIsWanted(_ call: Call) throws {
        if call.isAbandoned() && !history.events.hasClosed { throw CancellationError() }
    }

    func apply(
        _ message: PfsV2_ModifyFileRequest, to upload: some FileOperations, _ call: Call
    ) async throws {
        switch message.body {
        case .addFile(let file): try await add(file, to: upload, call)
        case .deleteFile(let file): try upload.delete(path: file.path, datum: file.datum)
        case .copyFile(let copy):
            guard copy.hasSrc else { throw SpileError.invalid("validate recv: copy_file.src is missing") }
            try call.checkReader(of: copy, history)
            try upload.copy(
                from: try FileReference(copy.src), to: copy.dst, datum: copy.datum, append: copy.append)
        case .setCommit: throw SpileError.invalid("cannot set commit", remedy: "name the commit once, at the start")
        case nil: throw SpileError.invalid("unrecognized message type: a ModifyFileRequest without a body")
        }
    }

    private func add(_ file: PfsV2_AddFile, to upload: some FileOperations, _ call: Call) async throws {
        switch file.source {
        case .raw(let bytes):
            try bytes.value.withUnsafeBytes { try upload.add(path: file.path, datum: file.datum, bytes: $0) }
        case .url(let source):
            // `concurrency` is the original's number of workers: one fetch at a time fills the disk here.
            try await upload.add(
                path: file.path, datum: file.datum, from: source.url, recursive: source.recursive, by: urls
            ) { try checkIsWanted(call) }
        case nil:
            try upload.add(path: file.path, datum: file.datum, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
