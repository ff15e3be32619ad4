import API
import Foundation
import GRPCCore

/// Reads of many files, and what removes commits and their space.
extension Connection {
    /// How many entries a directory has.
    func list(_ path: String, of repo: String) async throws -> Int {
        try await pfs.listFile(.with { $0.file = Self.file(path, of: repo) }) { try await Self.count($0) }
    }

    /// How many entries match.
    func glob(_ pattern: String, of repo: String) async throws -> Int {
        let request = PfsV2_GlobFileRequest.with {
            $0.commit = Self.head(repo)
            $0.pattern = pattern
        }
        return try await pfs.globFile(request) { try await Self.count($0) }
    }

    /// How many entries lie at and below a path.
    func walk(_ path: String, of repo: String) async throws -> Int {
        try await pfs.walkFile(.with { $0.file = Self.file(path, of: repo) }) { try await Self.count($0) }
    }

    /// Takes the newest commit of `master` away.
    func dropHead(of repo: String) async throws {
        _ = try await pfs.dropCommit(.with { $0.commit = Self.head(repo) })
    }

    /// Collects garbage and gives what the server says of it last.
    func collectGarbage() async throws -> Spile_V1_CollectGarbageResponse {
        try await maintenance.collectGarbage(Spile_V1_CollectGarbageRequest()) { response in
            var last = Spile_V1_CollectGarbageResponse()
            for try await message in response.messages { last = message }
            return last
        }
    }

    private static func count<Message>(_ response: StreamingClientResponse<Message>) async throws -> Int {
        var count = 0
        for try await _ in response.messages { count += 1 }
        return count
    }

    private static func file(_ path: String, of repo: String) -> PfsV2_File {
        .with {
            $0.commit = head(repo)
            $0.path = path
        }
    }
}
