import API
import Core
import Foundation
import GRPCCore
import Testing

/// Our own calls over the wire, and a snapshot on which another server runs.
@Suite struct MaintenanceTests {
    private let repo = RepoKey(name: "data")
    private var branch: BranchKey { repo.branch("master") }

    private static func collect(
        _ server: ServerProcess, dryRun: Bool = false
    ) async throws -> [Spile_V1_CollectGarbageResponse] {
        try await Spile_V1_Maintenance.Client(wrapping: server.client).collectGarbage(.with { $0.dryRun = dryRun }) {
            try await $0.messages.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func `garbage is shown, then collected`() async throws {
        try await withServer { server in
            try await server.pfs.createRepo(repo)
            for turn in 0..<5 {
                try await server.pfs.put("/\(turn)", String(repeating: "\(turn)", count: 400_000), into: branch.commit)
            }
            _ = try await server.pfs.deleteRepo(PfsV2_DeleteRepoRequest.with { $0.repo = .with {
                $0.name = "data"
                $0.type = "user"
                $0.project.name = "default"
            } })
            let dry = try #require(try await Self.collect(server, dryRun: true).last)
            #expect(dry.stage == .done)
            #expect(dry.bytesFreed == 0)
            let wet = try #require(try await Self.collect(server).last)
            #expect(wet.stage == .done)
            #expect(wet.bytesFreed > 0)
            #expect(wet.plan.slotsDead > 0)
            #expect(try await server.pfs.fsck() == [])
        }
    }

    @Test func `code of a pipeline may not look after the store`() async throws {
        try await withServer { server in
            let client = Spile_V1_Maintenance.Client(wrapping: server.client)
            let error = await #expect(throws: RPCError.self) {
                try await client.check(.init(), metadata: ["authn-token": "launch-none"]) { response in
                    for try await _ in response.messages {}
                }
            }
            #expect(error?.code == .unauthenticated)
        }
    }

    @Test func `a server runs on what was restored from a snapshot of another that goes on`() async throws {
        try await withServerFolder { folder in
            let first = try await folder.start()
            try await first.pfs.createRepo(repo)
            try await first.pfs.put("/a", "before", into: branch.commit)
            let copy = folder.path + "/copy"
            let maintenance = Spile_V1_Maintenance.Client(wrapping: first.client)
            let last = try await maintenance.snapshot(.with { $0.path = copy }) {
                try await $0.messages.reduce(into: []) { $0.append($1) }
            }.last
            #expect(last?.done == true)
            try await first.pfs.put("/a", "after", into: branch.commit)

            let restored = folder.path + "/restored"
            try await folder.run(["restore", copy, "--data", restored])
            let second = try await folder.start(data: restored)
            #expect(try await second.pfs.content("/a", in: branch.commit) == Data("before".utf8))
            #expect(try await second.pfs.fsck() == [])
            try await second.pfs.put("/b", "here", into: branch.commit)
            #expect(try await first.pfs.content("/a", in: branch.commit) == Data("beforeafter".utf8))
            #expect(await second.terminate() == .status(0))
            try await folder.run(["check", "--offline", "--data-folder", restored, "--data"])
        }
    }
}
