import API
import Core
import GRPCCore
import Simulation
import Synchronization
import Testing

/// Those who are about while the writers write: they read, subscribe, move a branch, drop commits that share content
/// with what stays, and collect the garbage. Each goes on until the server is killed.
struct CrashCompany: Sendable {
    typealias Client = PfsV2_API.Client<ServerProcess.Transport>

    /// What is dropped again: nothing in it is looked at later.
    static let drops = RepoKey(name: "drops")
    /// What is subscribed to: nothing is dropped there.
    static let watched = CrashWriter.repos[0]
    static let moving = watched.branch("moving")

    let server: ServerProcess
    let ledger: CrashLedger
    let round: Int
    let seed: UInt64
    /// Ids of the watched repo's commits as they were delivered.
    let delivered = DeliveredCommits()
    private var pfs: Client { server.pfs }

    /// Runs all of them at once.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<2 { group.addTask { await untilKilled { try await drop(number) } } }
            for number in 0..<2 { group.addTask { await untilKilled { try await read(number) } } }
            group.addTask { await untilKilled { try await subscribe() } }
            group.addTask { await untilKilled { try await move() } }
            group.addTask { await untilKilled { try await collectGarbage() } }
        }
    }

    private func untilKilled(_ body: () async throws -> Void) async {
        do { try await body() } catch { ledger.failed(error) }
    }

    /// Commits what a writer of large files commits at the same time, and drops it.
    private func drop(_ number: Int) async throws {
        let model = CrashWriter.all[12 + number]
        let random = SeededRandomness(seed: seed &+ UInt64(round * 100 + model.number))
        let branch = Self.drops.branch("drop-\(number)")
        // The round before may have left it open.
        try? await pfs.finish(branch.commit)
        for turn in 0... {
            let files = model.files("/\(round)/\(turn)", random)
            let commit = try await pfs.start(branch)
            try await pfs.put(files, into: commit)
            try await pfs.finish(commit)
            _ = try await pfs.dropCommit(PfsV2_DropCommitRequest.with { $0.commit = commit })
        }
    }

    /// Reads what was acknowledged, and looks for commits of many files that are there in part.
    private func read(_ number: Int) async throws {
        let random = SeededRandomness(seed: seed &+ UInt64(round * 1000 + number))
        while true {
            try Task.checkCancellation()
            let many = CrashWriter.all[14 + random.below(2)]
            let paths = try await pfs.allPaths(of: many.branch)
            let parts = Dictionary(grouping: paths) { $0[..<($0.lastIndex(of: "/") ?? $0.endIndex)] }
            for (stem, files) in parts where files.count != 40 {
                ledger.report("\(many.branch) shows \(files.count) files of 40 in \(stem)")
            }
            guard let attempt = random.pickOne(ledger.attempts.filter(\.isDone)),
                let (path, content) = random.pickOne(attempt.files.sorted { $0.key < $1.key })
            else { continue }
            let bytes = try await pfs.content(path, in: attempt.branch.commit)
            if bytes != content.bytes { ledger.report("\(path) was read as \(bytes.count) bytes of \(content.size)") }
        }
    }

    private func subscribe() async throws {
        let request = PfsV2_SubscribeCommitRequest.with {
            $0.repo = Self.watched.wire
            $0.all = true
        }
        try await pfs.subscribeCommit(request) { response in
            for try await info in response.messages { delivered.add(info.commit.id) }
        }
    }

    /// Lets a branch follow the head of another.
    private func move() async throws {
        let request = PfsV2_CreateBranchRequest.with {
            $0.branch = Self.moving.wire
            $0.head = Self.watched.branch("shared").commit
        }
        while true {
            do { _ = try await pfs.createBranch(request) } catch let error as RPCError where error.code == .notFound {
                // Nobody has written there yet.
                await Task.yield()
            }
        }
    }

    private func collectGarbage() async throws {
        let maintenance = Spile_V1_Maintenance.Client(wrapping: server.client)
        while true {
            try await maintenance.collectGarbage(.init()) { response in
                for try await _ in response.messages {}
            }
        }
    }

    /// What was delivered is what there is, in the order it was made, and nothing is left out.
    func checkDelivered(by pfs: Client, _ context: String) async throws {
        let ids = try await pfs.commits(in: Self.watched).map(\.commit.id)
        let delivered = delivered.ids
        #expect(delivered == Array(ids.prefix(delivered.count)), "\(context): a subscriber missed a commit")
    }
}

/// Guarded by its mutex.
final class DeliveredCommits: Sendable {
    private let held = Mutex<[String]>([])
    var ids: [String] { held.withLock { $0 } }
    func add(_ id: String) { held.withLock { $0.append(id) } }
}

extension SeededRandomness {
    fileprivate func pickOne<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }
}

extension PfsV2_API.Client {
    /// Paths of the files of a branch's head; none if there is no such branch.
    fileprivate func allPaths(of branch: BranchKey) async throws -> [String] {
        do {
            return try await walk(branch.commit).filter { $0.fileType == .file }.map(\.file.path)
        } catch let error as RPCError where error.code == .notFound {
            return []
        }
    }

    /// All commits of a repo, oldest first.
    fileprivate func commits(in repo: RepoKey) async throws -> [PfsV2_CommitInfo] {
        try await collect { collect in
            try await listCommit(
                .with {
                    $0.repo = repo.wire
                    $0.all = true
                    $0.reverse = true
                }, onResponse: collect)
        }
    }
}
