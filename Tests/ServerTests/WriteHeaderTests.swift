import API
import Core
import Foundation
import GRPCCore
import Testing

/// The headers of a write over the wire, and the header of its answer.
@Suite struct WriteHeaderTests {
    private typealias Headers = GRPCCore.Metadata
    private let repo = RepoKey(name: "data")
    private var branch: BranchKey { repo.branch("master") }

    /// Puts one file; gives the commit that the answer names.
    private func put(
        _ server: ServerProcess, _ path: String = "/x", _ headers: Headers = [:], into commit: PfsV2_Commit? = nil
    ) async throws -> String {
        let target = commit ?? branch.commit
        let answer: Headers = try await server.pfs.modifyFile(metadata: headers) { writer in
            try await writer.write(.target(target))
            try await writer.write(.add(path, Data("x".utf8)))
        } onResponse: { response in
            _ = try response.message
            return response.metadata
        }
        return try #require(Array(answer[stringValues: "spile-commit"]).first)
    }

    private func finish(
        _ server: ServerProcess, _ commit: PfsV2_Commit, _ headers: Headers = [:]
    ) async throws -> String {
        let answer: Headers = try await server.pfs.finishCommit(.with { $0.commit = commit }, metadata: headers) {
            _ = try $0.message
            return $0.metadata
        }
        return try #require(Array(answer[stringValues: "spile-commit"]).first)
    }

    private func refusal(_ call: () async throws -> Void) async throws -> RPCError {
        do { try await call() } catch { return try #require(error as? RPCError) }
        Issue.record("the call succeeded")
        throw CancellationError()
    }

    private func withRepo(_ body: (ServerProcess) async throws -> Void) async throws {
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            try await body(server)
            #expect(try await server.pfs.fsck() == [])
        }
    }

    @Test func `every answer names its commit, and metadata becomes the commit's`() async throws {
        try await withRepo { server in
            var headers: Headers = ["spile-commit-metadata": "a=1", "spile-commit-metadata-bin": [0x64, 0x3D, 0x2C]]
            headers.addString("k%3D%C3%BC=x%2Cy%25=z, b=2,c=", forKey: "spile-commit-metadata")
            headers.addBinary(Array("e=é\n=%41".utf8), forKey: "spile-commit-metadata-bin")
            let id = try await put(server, "/x", headers)
            let info = try #require(try await server.pfs.history(of: branch).last)
            #expect(info.commit.id == id)
            #expect(
                info.metadata == ["a": "1", "k=ü": "x,y%=z", "b": "2", "c": "", "d": ",", "e": "é\n=%41"])
            let open = try await server.pfs.startCommit(
                .with { $0.branch = branch.wire }, metadata: ["spile-commit-metadata": "s=1"])
            #expect(try await put(server, "/y", ["spile-commit-metadata": "w=1"], into: open) == open.id)
            #expect(try await finish(server, open, ["spile-commit-metadata": "f=1"]) == open.id)
            #expect(try await server.pfs.history(of: branch).last?.metadata == ["s": "1", "w": "1", "f": "1"])
        }
    }

    @Test func `a key makes retries harmless, and survives a crash`() async throws {
        try await withServerFolder { folder in
            let first = try await folder.start()
            try await first.pfs.createRepo(repo)
            let key: Headers = ["spile-idempotency-key": "batch 1", "spile-commit-metadata": "n=1"]
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 { group.addTask { try await put(first, "/x", key) } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            let open = try await first.pfs.start(branch)
            _ = try await finish(first, open, key)
            await first.crash()
            let second = try await folder.start()
            #expect(try await put(second, "/x", key) == ids.first)
            #expect(try await finish(second, open, key) == open.id)
            #expect(try await second.pfs.history(of: branch).map(\.commit.id) == [ids.first, open.id])
            let plain = try await refusal { _ = try await finish(second, open) }
            #expect(plain.message.contains("already finished"))
        }
    }

    @Test func `an expected head that is not the head is refused`() async throws {
        try await withRepo { server in
            let id = try await put(server, "/x", ["spile-expected-head": ""])
            for head in ["none", "", "0123456789ab40008000000000000000"] {
                let headers: Headers = ["spile-expected-head": .string(head)]
                let error = try await refusal { _ = try await put(server, "/y", headers) }
                #expect(error.code == .failedPrecondition)
                #expect(error.message.contains(id))
            }
            _ = try await put(server, "/y", ["spile-expected-head": .string(id)])
            #expect(try await server.pfs.history(of: branch).count == 2)
        }
    }

    @Test(arguments: [
        ("spile-idempotency-key", "", "printable ASCII"),
        ("spile-idempotency-key", String(repeating: "k", count: 257), "257 bytes"),
        ("spile-expected-head", "master", "is no commit's id"),
        ("spile-commit-metadata", "alone", "is not key=value"),
        ("spile-commit-metadata", "a=b,c", "%2C"), ("spile-commit-metadata", "", "is not key=value"),
        ("spile-commit-metadata", "a=%4", "two hex digits"), ("spile-commit-metadata", "a=%FF", "not UTF-8"),
        ("spile-commit-metadata", "=1", "a key is empty"), ("spile-commit-metadata", "a=1,a=2", "sent twice"),
        ("spile-commit-metadata-bin", "!", "not base64"), ("spile-commit-metadata-bin", "YQ", "key=value"),
        ("spile-idempotency", "k", "unknown header"),
    ])
    func `a malformed header is refused before anything is written`(
        header: String, value: String, text: String
    ) async throws {
        try await withRepo { server in
            let error = try await refusal { _ = try await put(server, "/x", [header: .string(value)]) }
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains(text), "\(error.message)")
            #expect(try await server.pfs.history(of: branch).isEmpty)
        }
    }

    @Test func `a header that a call does not heed is refused`() async throws {
        try await withRepo { server in
            for header in ["spile-commit-metadata", "spile-idempotency-key", "spile-expected-head"] {
                let headers: Headers = [header: "a=1"]
                let error = try await refusal {
                    _ = try await server.pfs.inspectRepo(.with { $0.repo = repo.wire }, metadata: headers)
                }
                #expect(error.code == .invalidArgument)
                #expect(error.message.contains("InspectRepo heeds no header \(header)"))
            }
            let twice = try await refusal {
                var headers: Headers = ["spile-idempotency-key": "a"]
                headers.addString("b", forKey: "spile-idempotency-key")
                _ = try await put(server, "/x", headers)
            }
            #expect(twice.message.contains("sent 2 times"))
        }
    }

    @Test func `a transaction takes none of them`() async throws {
        try await withRepo { server in
            let transactions = TransactionV2_API.Client(wrapping: server.client)
            let id = try await transactions.startTransaction(.init()).id
            for header in ["spile-commit-metadata", "spile-idempotency-key", "spile-expected-head"] {
                let value = header == "spile-expected-head" ? "none" : "a=1"
                let error = try await refusal {
                    _ = try await server.pfs.startCommit(
                        .with { $0.branch = branch.wire },
                        metadata: ["pach-transaction": .string(id), header: .string(value)])
                }
                #expect(error.code == .invalidArgument)
                #expect(error.message.contains("transaction \(id) takes no"))
            }
        }
    }
}
