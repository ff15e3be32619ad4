import API
import Core
import Foundation
import GRPCCore
import Storage
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerReads(in routes: inout Routes) {
        registerContent(in: &routes)
        routes.unary(Method.InspectFile.descriptor) { (request: PfsV2_InspectFileRequest, _) in
            let (file, files) = try await open(request.file)
            guard let view = try files.inspect(file.path) else { throw SpileError.fileNotFound(file) }
            return view.message(in: files.commit)
        }
        routes.serverStream(Method.ListFile.descriptor) { (request: PfsV2_ListFileRequest, _, writer) in
            let (file, files) = try await open(request.file)
            let page = Self.page(request.paginationMarker, request.number, request.reverse)
            try await Self.send(writer) { send in
                try await files.list(file.path, page: page) { try await send($0.message(in: files.commit)) }
            }
        }
        routes.serverStream(Method.WalkFile.descriptor) { (request: PfsV2_WalkFileRequest, _, writer) in
            let (file, files) = try await open(request.file)
            let page = Self.page(request.paginationMarker, request.number, request.reverse)
            try await Self.send(writer) { send in
                let found = try await files.walk(file.path, page: page) {
                    try await send($0.message(in: files.commit))
                }
                if !found && FilePath.clean(file.path) != "/" {
                    throw SpileError.notFound(
                        "commit/\(files.commit.key.id) does not contain item: (\(FilePath.clean(file.path)))")
                }
            }
        }
        routes.serverStream(Method.GlobFile.descriptor) { (request: PfsV2_GlobFileRequest, _, writer) in
            let handle = try Self.handle(request.hasCommit, request.commit)
            let files = try await history.settledFiles(handle)
            let glob = try Glob(request.pattern)
            try await Self.send(writer) { send in
                try await files.glob(glob, range: PathRange(request.pathRange)) {
                    try await send($0.message(in: files.commit))
                }
            }
        }
        routes.serverStream(Method.DiffFile.descriptor) { (request: PfsV2_DiffFileRequest, _, writer) in
            try await difference(request, writer)
        }
    }

    /// The commit of a file reference; every failure but a missing file carries its own text.
    private func open(_ message: PfsV2_File) async throws -> (FileReference, CommitFiles) {
        let file = try FileReference(message)
        return (file, try await history.settledFiles(file.commit, datum: file.datum))
    }

    private static func page(_ marker: PfsV2_File, _ number: Int64, _ reverse: Bool) -> Page {
        Page(marker: marker.path, limit: Int(clamping: number), isReverse: reverse)
    }

    /// Gathers messages into writes of a few dozen: one small message a write would cost more than the answer.
    private static func send<Output: Message>(
        _ writer: RPCWriter<Output>, _ produce: (_ send: (Output) async throws -> Bool) async throws -> Void
    ) async throws {
        var waiting: [Output] = []
        try await produce { message in
            waiting.append(message)
            if waiting.count == 64 {
                try await writer.write(contentsOf: waiting)
                waiting.removeAll(keepingCapacity: true)
            }
            return true
        }
        if !waiting.isEmpty { try await writer.write(contentsOf: waiting) }
    }

    // MARK: Content

    private func registerContent(in routes: inout Routes) {
        routes.serverStream(Method.GetFile.descriptor) { (request: PfsV2_GetFileRequest, _, writer) in
            let (file, files) = try await open(request.file)
            if !request.url.isEmpty { return try await sendFile(request, file, files) }
            let entry = try await files.singleFile(
                try Glob(file.path), range: PathRange(request.pathRange), requested: file
            ).entry
            guard request.offset >= 0 else { throw SpileError.invalid("offset must not be negative") }
            let sent = try await content(of: entry, in: files, from: UInt64(request.offset), writer)
            // An old client needs a message even for an empty file (`clients.md` §1.9).
            if !sent { try await writer.write(Google_Protobuf_BytesValue()) }
        }
        routes.serverStream(Method.GetFileTAR.descriptor) { (request: PfsV2_GetFileRequest, _, writer) in
            let (file, files) = try await open(request.file)
            if !request.url.isEmpty { return try await sendFiles(request, file, files) }
            let found = try await files.archive(try Glob(file.path), range: PathRange(request.pathRange)) { view in
                try await Self.write(TarStream.header(view), writer)
                if let entry = view.entry {
                    _ = try await content(of: entry, in: files, from: 0, writer)
                    try await Self.write(TarStream.padding(entry.size), writer)
                }
                return true
            }
            guard found else { throw SpileError.fileNotFound(file) }
            try await Self.write(TarStream.end, writer)
        }
    }

    /// `files` is where the entry is from: it keeps garbage collection from it.
    private func content(
        of entry: FileEntry, in files: CommitFiles, from offset: UInt64,
        _ writer: RPCWriter<Google_Protobuf_BytesValue>
    ) async throws -> Bool {
        defer { withExtendedLifetime(files) {} }
        var position = offset
        while position < entry.size {
            let bytes = try history.store.read(entry, offset: position, maxBytes: Limits.payloadBytes)
            guard !bytes.isEmpty else { throw SpileError.bug("a file of \(entry.size) bytes ends at \(position)") }
            position += UInt64(bytes.count)
            try await Self.write(bytes, writer)
        }
        return offset < entry.size
    }

    private static func write(_ bytes: [UInt8], _ writer: RPCWriter<Google_Protobuf_BytesValue>) async throws {
        if !bytes.isEmpty { try await writer.write(.with { $0.value = Data(bytes) }) }
    }

    private func difference(
        _ request: PfsV2_DiffFileRequest, _ writer: RPCWriter<PfsV2_DiffFileResponse>
    ) async throws {
        let (newFile, new) = try await open(request.newFile)
        let (oldPath, old): (String, CommitFiles)
        if request.hasOldFile {
            let opened = try await open(request.oldFile)
            (oldPath, old) = (opened.0.path, opened.1)
        } else {
            (oldPath, old) = (newFile.path, try history.parentFiles(of: new.commit))
        }
        try await Self.send(writer) { send in
            try await new.difference(newFile.path, from: old, oldPath, shallow: request.shallow) { difference in
                try await send(
                    PfsV2_DiffFileResponse.with {
                        if let view = difference.new { $0.newFile = view.message(in: new.commit) }
                        if let view = difference.old { $0.oldFile = view.message(in: old.commit) }
                    })
            }
        }
    }
}
