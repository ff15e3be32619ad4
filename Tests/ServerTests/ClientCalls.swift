import API
import Core
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2

/// What a file is to hold, by seed, so that a test need not keep the bytes.
struct Content: Sendable, Hashable {
    var seed: UInt64
    var size: Int

    /// Blocks that begin differently and go on alike: cheap to make, and no two contents are equal.
    var bytes: Data {
        var word = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        var block = [UInt8](repeating: 0, count: 4096)
        for index in block.indices {
            word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            block[index] = UInt8(truncatingIfNeeded: word >> 56)
        }
        var result = Data(capacity: size + block.count)
        var counter = seed
        while result.count < size {
            withUnsafeBytes(of: counter.bigEndian) { block.replaceSubrange(0..<8, with: $0) }
            result.append(contentsOf: block)
            counter &+= 1
        }
        return result.prefix(size)
    }
}

extension BranchKey {
    var wire: PfsV2_Branch {
        .with {
            $0.repo = repo.wire
            $0.name = name
        }
    }
    /// The branch's head.
    var commit: PfsV2_Commit {
        .with {
            $0.repo = repo.wire
            $0.branch = wire
        }
    }
}

extension RepoKey {
    var wire: PfsV2_Repo {
        .with {
            $0.name = name
            $0.type = type.rawValue
            $0.project.name = project.name
        }
    }
}

extension PfsV2_ModifyFileRequest {
    static func target(_ commit: PfsV2_Commit) -> Self { .with { $0.setCommit = commit } }

    static func add(_ path: String, _ bytes: Data) -> Self {
        .with {
            $0.addFile.path = path
            $0.addFile.raw.value = bytes
        }
    }
}

extension PfsV2_API.Client {
    func createRepo(_ key: RepoKey) async throws {
        _ = try await createRepo(.with { $0.repo = key.wire })
    }

    func start(_ branch: BranchKey) async throws -> PfsV2_Commit {
        try await startCommit(.with { $0.branch = branch.wire })
    }

    func finish(_ commit: PfsV2_Commit) async throws {
        _ = try await finishCommit(.with { $0.commit = commit })
    }

    /// One stream with files that are new, in messages of at most 1 MiB.
    func put(_ files: [String: Content], into commit: PfsV2_Commit) async throws {
        _ = try await modifyFile { writer in
            try await writer.write(.target(commit))
            for (path, content) in files.sorted(by: { $0.key < $1.key }) {
                var rest = content.bytes
                repeat {
                    try await writer.write(.add(path, Data(rest.prefix(1 << 20))))
                    rest = rest.dropFirst(1 << 20)
                } while !rest.isEmpty
            }
        }
    }

    func put(_ path: String, _ text: String, into commit: PfsV2_Commit) async throws {
        _ = try await modifyFile { writer in
            try await writer.write(.target(commit))
            try await writer.write(.add(path, Data(text.utf8)))
        }
    }

    /// The branch's head and all before it, oldest first; none if there is no such branch.
    func history(of branch: BranchKey) async throws -> [PfsV2_CommitInfo] {
        do {
            let commits = try await collect { collect in
                try await listCommit(
                    .with {
                        $0.repo = branch.repo.wire
                        $0.to = branch.commit
                        $0.all = true
                    }, onResponse: collect)
            }
            return commits.reversed()
        } catch let error as RPCError where error.code == .notFound {
            return []
        }
    }

    /// All files and directories of a commit by path.
    func walk(_ commit: PfsV2_Commit) async throws -> [PfsV2_FileInfo] {
        try await collect { collect in
            try await walkFile(
                .with {
                    $0.file.commit = commit
                    $0.file.path = "/"
                }, onResponse: collect)
        }
    }

    /// What a commit changed, files alone.
    func changes(in commit: PfsV2_Commit) async throws -> [PfsV2_DiffFileResponse] {
        let all = try await collect { collect in
            try await diffFile(
                .with {
                    $0.newFile.commit = commit
                    $0.newFile.path = "/"
                }, onResponse: collect)
        }
        return all.filter { ($0.hasNewFile ? $0.newFile : $0.oldFile).fileType == .file }
    }

    func content(_ path: String, in commit: PfsV2_Commit) async throws -> Data {
        let request = PfsV2_GetFileRequest.with {
            $0.file.commit = commit
            $0.file.path = path
        }
        return try await getFile(request) { response in
            var bytes = Data()
            for try await message in response.messages { bytes += message.value }
            return bytes
        }
    }

    func fsck() async throws -> [String] {
        try await collect { try await fsck(PfsV2_FsckRequest(), onResponse: $0) }.map(\.error)
    }
}

/// Returns only by throwing, when the task is cancelled.
func untilCancelled() async throws {
    let (never, continuation) = AsyncStream.makeStream(of: Void.self)
    for await _ in never {}
    continuation.finish()
    throw CancellationError()
}

/// Runs a call with an answer of many messages and gives them all.
func collect<Message: Sendable>(
    _ call: (@escaping @Sendable (StreamingClientResponse<Message>) async throws -> [Message]) async throws -> [Message]
) async throws -> [Message] {
    try await call { response in
        var messages: [Message] = []
        for try await message in response.messages { messages.append(message) }
        return messages
    }
}
