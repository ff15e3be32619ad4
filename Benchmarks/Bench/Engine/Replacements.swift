import Core
import Versioning

/// Commits that each replace one small file, found anywhere among those that a branch has.
final class Replacements {
    private let engine: Engine
    private let repo: RepoKey
    private let files: Int
    private let directory: Int
    private let seed: UInt64
    private var messages = Messages()
    private var number: UInt64 = 0

    /// `files` of the kind that ``Names/path(_:directory:)`` names; another `seed` gives other contents.
    init(_ engine: Engine, _ repo: RepoKey, files: Int, directory: Int, seed: UInt64) {
        self.engine = engine
        self.repo = repo
        self.files = files
        self.directory = directory
        self.seed = seed
    }

    func one() async throws {
        number += 1
        let path = Names.path(Int(Noise.word(7, number) % UInt64(files)), directory: directory)
        let message = messages.bytes(seed << 40 + number)
        try await engine.commit(to: repo) { upload in
            try upload.delete(path: path, datum: "")
            try message.withUnsafeBytes { try upload.add(path, $0) }
        }
    }
}

extension Engine {
    /// Files with short contents, for measurements where the tree is what counts, in one commit.
    func fill(_ repo: RepoKey, _ count: Int, directory: Int) async throws {
        try await commit(to: repo) { upload in
            for index in 0..<count {
                try withUnsafeBytes(of: index) { try upload.add(Names.path(index, directory: directory), $0) }
            }
        }
    }

    /// `count` commits that each write one of `files` messages anew, by many writers at once.
    func repeatCommits(_ count: Int, _ repo: RepoKey, files: Int, directory: Int, seed: UInt64 = 0) async throws {
        let writers = 64
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask { [history] in
                    var messages = Messages()
                    for index in stride(from: writer, to: count, by: writers) {
                        let upload = try Upload(
                            to: CommitHandle(repo.branch("master")), in: history, as: .user(""))
                        let path = Names.path(index % files, directory: directory)
                        try upload.delete(path: path, datum: "")
                        try messages.with(seed << 40 + UInt64(index)) { try upload.add(path, $0) }
                        _ = try await upload.finish()
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
