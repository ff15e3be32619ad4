import API
import Core
import Foundation
import GRPCCore
import GRPCProtobuf
import Testing

/// Starting and stopping: which data folders and addresses a server takes, and how it ends.
@Suite struct DataFolderTests {
    private let repo = RepoKey(name: "data")
    private var branch: BranchKey { repo.branch("master") }

    private func expectRefusal(_ refusal: ServerProcess.Refusal?, _ text: String) throws {
        let refusal = try #require(refusal, "the server started")
        #expect(refusal.ending == .status(1))
        #expect(refusal.text.contains(text), "\(refusal.text)")
    }

    @Test func `a second server on a data folder is refused and the first goes on`() async throws {
        try await withServerFolder { folder in
            let first = try await folder.start()
            try await first.pfs.createRepo(repo)
            try expectRefusal(try await folder.refusal(), "is in use by another server")
            try await first.pfs.put("/a", "1", into: branch.commit)
            #expect(try await first.pfs.content("/a", in: branch.commit) == Data("1".utf8))
        }
    }

    @Test func `a data folder of a newer layout is refused and left as it is`() async throws {
        try await withServerFolder { folder in
            #expect(try await folder.start().terminate() == .status(0))
            let format = folder.data + "/format"
            try Data("2\n".utf8).write(to: URL(fileURLWithPath: format))
            try expectRefusal(try await folder.refusal(), "has format 2, this program knows up to 1")
            try Data("1\n".utf8).write(to: URL(fileURLWithPath: format))
            let server = try await folder.start()
            #expect(try await server.pfs.fsck() == [])
        }
    }

    @Test func `a data folder whose format cannot be read is refused`() async throws {
        try await withServerFolder { folder in
            #expect(try await folder.start().terminate() == .status(0))
            try Data("what\n".utf8).write(to: URL(fileURLWithPath: folder.data + "/format"))
            try expectRefusal(try await folder.refusal(), "does not hold a format version")
        }
    }

    @Test func `a catalog of a newer schema is refused`() async throws {
        try await withServerFolder { folder in
            #expect(try await folder.start().terminate() == .status(0))
            // The version stands at byte 60 of the file, big-endian.
            let catalog = try FileHandle(forUpdating: URL(fileURLWithPath: folder.data + "/catalog.sqlite"))
            try catalog.seek(toOffset: 60)
            try catalog.write(contentsOf: Data([0, 0, 0, 99]))
            try catalog.close()
            try expectRefusal(try await folder.refusal(), "has schema 99, this program knows up to ")
        }
    }

    @Test func `a catalog that is not a database is refused`() async throws {
        try await withServerFolder { folder in
            #expect(try await folder.start().terminate() == .status(0))
            try Data(repeating: 65, count: 8192).write(to: URL(fileURLWithPath: folder.data + "/catalog.sqlite"))
            try expectRefusal(try await folder.refusal(), "catalog.sqlite")
        }
    }

    @Test func `a file in place of the data folder is refused`() async throws {
        try await withServerFolder { folder in
            let path = folder.path + "/file"
            try Data("x".utf8).write(to: URL(fileURLWithPath: path))
            try expectRefusal(try await folder.refusal(data: path), path)
        }
    }

    @Test func `an address in use is refused by name`() async throws {
        try await withServerFolder { folder in
            let first = try await folder.start()
            let address = "127.0.0.1:\(first.port)"
            try expectRefusal(
                try await folder.refusal(data: folder.path + "/other", listen: address), "cannot listen on \(address)")
        }
    }

    @Test func `a server told to end drains what waits for ever and ends well`() async throws {
        try await withServerFolder { folder in
            let server = try await folder.start()
            try await server.pfs.createRepo(repo)
            let open = try await server.pfs.start(branch)
            let (subscribed, seen) = AsyncStream.makeStream(of: Void.self)
            let subscription = Task { [repo] in
                try await server.pfs.subscribeCommit(.with { $0.repo = repo.wire }) { response in
                    for try await _ in response.messages { seen.yield() }
                }
            }
            for await _ in subscribed { break }
            let (asked, asks) = AsyncStream.makeStream(of: Void.self)
            let wait = Task { try await Self.waitForFinish(of: open, server, asks) }
            for await _ in asked { break }
            // A later call on the same connection: what came before it has arrived.
            #expect(try await server.pfs.history(of: branch).count == 1)
            #expect(await server.terminate() == .status(0))
            await #expect(throws: RPCError.self) { try await subscription.value }
            await #expect(throws: RPCError.self) { try await wait.value }

            let next = try await folder.start()
            #expect(try await next.pfs.history(of: branch).map(\.hasFinishing) == [false])
            try await next.pfs.finish(open)
            #expect(try await next.pfs.fsck() == [])
        }
    }

    /// InspectCommit that waits, with word of when the question has been sent.
    private static func waitForFinish(
        of commit: PfsV2_Commit, _ server: ServerProcess, _ asks: AsyncStream<Void>.Continuation
    ) async throws {
        let request = StreamingClientRequest<PfsV2_InspectCommitRequest> { writer in
            try await writer.write(
                .with {
                    $0.commit = commit
                    $0.wait = .finished
                })
            asks.yield()
        }
        try await server.client.bidirectionalStreaming(
            request: request, descriptor: PfsV2_API.Method.InspectCommit.descriptor,
            serializer: ProtobufSerializer<PfsV2_InspectCommitRequest>(),
            deserializer: ProtobufDeserializer<PfsV2_CommitInfo>(), options: .defaults
        ) { response in
            for try await _ in response.messages {}
        }
    }

    @Test func `a server told to end finishes the write that is under way`() async throws {
        try await withServerFolder { folder in
            let server = try await folder.start()
            try await server.pfs.createRepo(repo)
            let content = Content(seed: 5, size: 2 << 20)
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let (told, tell) = AsyncStream.makeStream(of: Void.self)
            let write = Task { [branch] in
                try await server.pfs.modifyFile { writer in
                    try await writer.write(.target(branch.commit))
                    try await writer.write(.add("/a", content.bytes))
                    begin.yield()
                    for await _ in told { break }
                }
            }
            for await _ in begun { break }
            #expect(try await server.pfs.history(of: branch).isEmpty)
            server.program.signal(SIGTERM)
            tell.yield()
            let isAcknowledged = (try? await write.value) != nil
            #expect(await server.terminate() == .status(0))
            let next = try await folder.start()
            let history = try await next.pfs.history(of: branch)
            #expect(isAcknowledged, "a write that was under way was cut")
            #expect(history.count == (isAcknowledged ? 1 : 0))
            if isAcknowledged { #expect(try await next.pfs.content("/a", in: branch.commit) == content.bytes) }
        }
    }
}
