import API
import Core
import Foundation
import GRPCCore
import Testing

/// What bad input gets: a clear error, nothing half written, and a server that goes on.
@Suite struct BadInputTests {
    private let repo = RepoKey(name: "data")
    private var branch: BranchKey { repo.branch("master") }

    /// The error of a call that must fail.
    private func failure(_ call: () async throws -> Void) async -> RPCError {
        do {
            try await call()
            Issue.record("the call succeeded")
        } catch let error as RPCError {
            return error
        } catch {
            Issue.record("not an error of a call: \(error)")
        }
        return RPCError(code: .unknown, message: "")
    }

    /// Runs `attempt` against a repo and checks that it left nothing and that the next write succeeds.
    private func withoutTrace(
        _ attempt: (ServerProcess) async throws -> Void
    ) async throws {
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            try await attempt(server)
            let isUntouched = try await server.pfs.history(of: branch).isEmpty
            #expect(isUntouched, "something was written")
            try await server.pfs.put("/good", "x", into: branch.commit)
            #expect(try await server.pfs.history(of: branch).count == 1)
            let paths = try await server.pfs.walk(branch.commit).map(\.file.path)
            #expect(paths == ["/", "/good"])
            #expect(try await server.pfs.fsck() == [])
        }
    }

    @Test(arguments: [
        ("/a\0b", "only printable ASCII characters allowed"), ("", "only printable ASCII characters allowed"),
        ("/a\nb", "only printable ASCII characters allowed"), ("/a*b", "globbing character (*) not allowed in path"),
        ("/a/../b", "relative file paths are not allowed"), ("/a{b", "globbing character ({) not allowed in path"),
    ])
    func `a bad path fails the stream with its files`(path: String, text: String) async throws {
        try await withoutTrace { server in
            let error = await failure {
                _ = try await server.pfs.modifyFile { writer in
                    try await writer.write(.target(branch.commit))
                    try await writer.write(.add("/before", Data("x".utf8)))
                    try await writer.write(.add(path, Data("x".utf8)))
                    try await writer.write(.add("/after", Data("x".utf8)))
                }
            }
            #expect(error.message.contains(text))
            #expect(!error.message.contains("\0"))
        }
    }

    @Test func `a put to a repo that is not there names the repo`() async throws {
        try await withServer { server in
            let target = RepoKey(name: "x").branch("master")
            let error = await failure { try await server.pfs.put("/a", "1", into: target.commit) }
            #expect(error.code == .notFound)
            #expect(error.message.contains("repo default/x not found"))
        }
    }

    @Test func `a stream whose first message is not a commit is refused`() async throws {
        try await withoutTrace { server in
            for first in [nil, PfsV2_ModifyFileRequest.add("/a", Data("x".utf8)), PfsV2_ModifyFileRequest()] {
                let error = await failure {
                    _ = try await server.pfs.modifyFile { writer in
                        if let first { try await writer.write(first) }
                    }
                }
                #expect(error.message.contains("first message must be a commit"))
            }
        }
    }

    @Test func `a second commit and an empty message within a stream are refused`() async throws {
        try await withoutTrace { server in
            let second = [
                (PfsV2_ModifyFileRequest.target(branch.commit), "cannot set commit"),
                (PfsV2_ModifyFileRequest(), "unrecognized message type"),
            ]
            for (message, text) in second {
                let error = await failure {
                    _ = try await server.pfs.modifyFile { writer in
                        try await writer.write(.target(branch.commit))
                        try await writer.write(.add("/a", Data("x".utf8)))
                        try await writer.write(message)
                    }
                }
                #expect(error.message.contains(text))
            }
        }
    }

    private struct Vanished: Error {}

    /// This client, when its task is cancelled, ends the stream in good order and only then resets it. A server that
    /// has read the end before the reset cannot know; other clients reset alone.
    @Test func `a stream that the client breaks off leaves nothing`() async throws {
        await withKnownIssue("the end of the stream came before its reset", isIntermittent: true) {
            try await breakOff()
        }
    }

    private func breakOff() async throws {
        try await withoutTrace { server in
            for megabytes in [0, 1, 3] {
                let started = AsyncStream.makeStream(of: Void.self)
                let stream = Task {
                    _ = try await server.pfs.modifyFile { writer in
                        try await writer.write(.target(branch.commit))
                        let content = Content(seed: 7, size: 1 << 20).bytes
                        for index in 0..<megabytes { try await writer.write(.add("/large-\(index)", content)) }
                        started.continuation.yield()
                        try await untilCancelled()
                    }
                }
                for await _ in started.stream { break }
                stream.cancel()
                await #expect(throws: (any Error).self) { try await stream.value }
                let history = try await server.pfs.history(of: branch)
                #expect(history == [])
            }
        }
    }

    @Test func `a stream that fails on the client's side leaves nothing`() async throws {
        try await withoutTrace { server in
            for _ in 0..<20 {
                await #expect(throws: (any Error).self) {
                    _ = try await server.pfs.modifyFile { writer in
                        try await writer.write(.target(branch.commit))
                        try await writer.write(.add("/a", Data("x".utf8)))
                        throw Vanished()
                    }
                }
            }
        }
    }

    @Test func `a client whose connection breaks mid-stream leaves nothing`() async throws {
        try await withoutTrace { server in
            for _ in 0..<5 {
                let client = try ServerProcess.connect(to: server.port)
                let connections = Task { try? await client.runConnections() }
                let started = AsyncStream.makeStream(of: Void.self)
                let stream = Task {
                    _ = try await PfsV2_API.Client(wrapping: client).modifyFile { writer in
                        try await writer.write(.target(branch.commit))
                        try await writer.write(.add("/a", Content(seed: 3, size: 2 << 20).bytes))
                        started.continuation.yield()
                        try await untilCancelled()
                    }
                }
                for await _ in started.stream { break }
                connections.cancel()
                stream.cancel()
                _ = await stream.result
                await connections.value
            }
        }
    }

    @Test func `a message above the limit is refused and one below it is taken`() async throws {
        try await withoutTrace { server in
            let error = await failure {
                _ = try await server.pfs.modifyFile { writer in
                    try await writer.write(.target(branch.commit))
                    try await writer.write(.add("/a", Content(seed: 1, size: 21 << 20).bytes))
                }
            }
            // The transport ends the stream or, where more is on its way already, the connection.
            #expect([.resourceExhausted, .unavailable].contains(error.code))
            #expect(!error.message.isEmpty)
        }
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            let content = Content(seed: 2, size: 19 << 20)
            _ = try await server.pfs.modifyFile { writer in
                try await writer.write(.target(branch.commit))
                try await writer.write(.add("/a", content.bytes))
            }
            #expect(try await server.pfs.content("/a", in: branch.commit) == content.bytes)
        }
    }

    @Test func `an empty commit has no root and an empty listing`() async throws {
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            _ = try await server.pfs.modifyFile { try await $0.write(.target(branch.commit)) }
            #expect(try await server.pfs.walk(branch.commit) == [])
            let error = await failure {
                _ = try await server.pfs.inspectFile(
                    .with {
                        $0.file.commit = branch.commit
                        $0.file.path = "/"
                    })
            }
            #expect(error.code == .notFound)
            let walked = await failure {
                _ = try await collect { collect in
                    try await server.pfs.walkFile(
                        .with {
                            $0.file.commit = branch.commit
                            $0.file.path = "/none"
                        }, onResponse: collect)
                }
            }
            #expect(walked.code == .notFound)
            #expect(walked.message.contains("does not contain item: (/none)"))
        }
    }

    @Test func `a missing file and a bad glob are told apart`() async throws {
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            try await server.pfs.put("/a", "1", into: branch.commit)
            let missing = await failure { _ = try await server.pfs.content("/b", in: branch.commit) }
            #expect(missing.code == .notFound)
            #expect(missing.message.contains("file /b not found in repo default/data at commit master"))
            let bad = await failure { _ = try await server.pfs.content("/[", in: branch.commit) }
            #expect(bad.code != .notFound)
            #expect(!bad.message.isEmpty)
            let tooMany = await failure {
                try await server.pfs.put("/c", "1", into: branch.commit)
                _ = try await server.pfs.content("/*", in: branch.commit)
            }
            #expect(tooMany.message.contains("matched multiple files. Use GetFileTAR instead"))
        }
    }
}
