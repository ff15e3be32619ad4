import API
import GRPCCore
import SwiftProtobuf
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// One `ModifyFile` stream: all files of a put, at most one chunk of them in memory.
final class Upload: Sendable {
    /// Data per message. Clients of the wire send up to 19 MiB; the original's command sends this.
    static let chunkBytes = 2 * 1024 * 1024

    private struct Position {
        var name = ""
        var offset = 0
        /// A local failure, which explains more than the broken stream it causes.
        var failure: (any Error)?
        var isComplete = false
    }

    private let commit: PfsV2_Commit
    private let plan: PutPlan
    private let append: Bool
    private let progress: Progress
    /// Guarded by the mutex: written by the producer, read when the call has failed.
    private let position = Mutex(Position())

    init(commit: PfsV2_Commit, plan: PutPlan, append: Bool, progress: Progress) {
        (self.commit, self.plan, self.append, self.progress) = (commit, plan, append, progress)
    }

    /// Sends everything and waits until it is durable. Throws the server's own words, with the file and byte reached.
    func run(_ session: Session, compress: Bool, _ headers: Metadata) async throws {
        var options = CallOptions.defaults
        if compress { options.compression = .gzip }
        defer { progress.finish() }
        do {
            _ = try await session.pfs.modifyFile(metadata: headers, options: options) { writer in
                try await self.produce(writer)
            }
        } catch let error as RPCError {
            throw position.withLock { position in
                if let failure = position.failure { return failure }
                if position.isComplete || position.name.isEmpty { return error as any Error }
                return Failure(
                    "\(error.message) (the server ended the upload in \(position.name) at byte \(position.offset))")
            }
        }
    }

    private func produce(_ writer: RPCWriter<PfsV2_ModifyFileRequest>) async throws {
        do {
            try await writer.write(.with { $0.setCommit = commit })
            for item in plan.items { try await send(item, writer) }
            position.withLock { $0.isComplete = true }
        } catch let error as Failure {
            position.withLock { $0.failure = error }
            throw error
        } catch {
            // The stream is broken: the server's answer says why, so let the call come to it.
        }
    }

    private func send(_ item: PutPlan.Item, _ writer: RPCWriter<PfsV2_ModifyFileRequest>) async throws {
        switch item.source {
        case .stdin:
            try await send(.input, "stdin", to: item.destination, writer)
        case .file(let name):
            let file = try Descriptor(reading: name)
            defer { file.close() }
            try await send(file, name, to: item.destination, writer)
        case .archive(let name):
            try await sendArchive(name, below: item.destination, writer)
        case .url(let url, let recursive):
            begin(url)
            if !append { try await writer.write(Self.delete(item.destination)) }
            try await writer.write(
                .with {
                    $0.addFile.path = item.destination
                    $0.addFile.url = .with {
                        $0.url = url
                        $0.recursive = recursive
                    }
                })
        }
    }

    private func begin(_ name: String) {
        position.withLock { ($0.name, $0.offset) = (name, 0) }
    }

    private func send(
        _ source: Descriptor, _ name: String, to path: String, _ writer: RPCWriter<PfsV2_ModifyFileRequest>
    ) async throws {
        begin(name)
        var pending = append ? [] : [Self.delete(path)]
        var isFirst = true
        while true {
            let data = try await Self.readChunk(source, name)
            if data.isEmpty && !isFirst { break }
            pending.append(Self.add(data, to: path))
            try await writer.write(contentsOf: pending)
            pending = []
            isFirst = false
            position.withLock { $0.offset += data.count }
            progress.add(data.count)
            if data.count < Self.chunkBytes { break }
        }
    }

    /// Up to one chunk: less only at the end. The buffer is handed to the message without a copy.
    private static func readChunk(_ source: Descriptor, _ name: String) async throws -> Data {
        guard let memory = malloc(chunkBytes) else { throw Failure("out of memory") }
        let buffer = UnsafeMutableRawBufferPointer(start: memory, count: chunkBytes)
        var count = 0
        do {
            while count < chunkBytes {
                await source.waitUntilReadable()
                let part = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]), of: name)
                if part == 0 { break }
                count += part
            }
        } catch {
            free(memory)
            throw error
        }
        if count == 0 {
            free(memory)
            return Data()
        }
        return Data(bytesNoCopy: memory, count: count, deallocator: .free)
    }

    /// The files inside a tar archive, unpacked here. A compressed one passes through gzip.
    private func sendArchive(
        _ name: String, below folder: String, _ writer: RPCWriter<PfsV2_ModifyFileRequest>
    ) async throws {
        let source = try ArchiveSource(name)
        defer { source.close() }
        var reader = TarReader()
        var path: String?
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try chunk.withUnsafeMutableBytes { try source.descriptor.read(into: $0, of: name) }
            if count == 0 { break }
            for event in try reader.feed(chunk[..<count]) {
                switch event {
                case .folder: path = nil
                case .file(let entry):
                    guard let parts = try safeEntryPath(entry, below: "") else { continue }
                    let target = clean(folder + "/" + parts.joined(separator: "/"))
                    path = target
                    begin("\(name):\(entry)")
                    if !append { try await writer.write(Self.delete(target)) }
                    try await writer.write(.with { $0.addFile.path = target })
                case .bytes(let bytes):
                    guard let path else { continue }
                    try await writer.write(Self.add(Data(bytes), to: path))
                    position.withLock { $0.offset += bytes.count }
                    progress.add(bytes.count)
                }
            }
        }
        guard reader.isBetweenEntries else { throw Failure("\(name) ends in the middle of an entry") }
        try source.check()
    }

    private static func delete(_ path: String) -> PfsV2_ModifyFileRequest {
        .with { $0.deleteFile.path = path }
    }

    /// One piece of a file; no data makes an empty file.
    private static func add(_ data: Data, to path: String) -> PfsV2_ModifyFileRequest {
        .with {
            $0.addFile.path = path
            if !data.isEmpty { $0.addFile.raw = Google_Protobuf_BytesValue(data) }
        }
    }
}

/// A local archive, open for reading; a compressed one by way of the gzip program.
struct ArchiveSource {
    let name: String
    let descriptor: Descriptor
    private let child: pid_t?

    init(_ name: String) throws {
        self.name = name
        if name.hasSuffix(".tar") {
            descriptor = try Descriptor(reading: name)
            child = nil
            return
        }
        try Descriptor(reading: name).close()
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Files.lastError("unpack", name) }
        child = try spawn(["gzip", "-dc", "--", name], output: ends[1])
        Descriptor(owning: ends[1]).close()
        descriptor = Descriptor(owning: ends[0])
    }

    /// Throws if unpacking failed; to be called at the end of the data.
    func check() throws {
        if let child, try waitFor(child) != 0 { throw Failure("gzip could not unpack \(name)") }
    }

    func close() { descriptor.close() }
}
