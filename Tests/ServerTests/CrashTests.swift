import API
import Core
import Foundation
import GRPCCore
import Simulation
import Testing

/// Invariant I6 from outside: writers with all kinds of company, the collector among it, and a server that is killed
/// under them again and again.
///
/// `SPILE_CRASH_ROUNDS` makes it longer, `SPILE_CRASH_SEED` other.
@Suite(.serialized) struct CrashTests {
    private static func number(_ name: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }

    @Test(.timeLimit(.minutes(30)))
    func `what was acknowledged outlives kills at random moments and nothing is there in part`() async throws {
        let rounds = Self.number("SPILE_CRASH_ROUNDS", 30)
        let seed = UInt64(Self.number("SPILE_CRASH_SEED", 1))
        let random = SeededRandomness(seed: seed)
        var expectation = CrashExpectation()
        try await withServerFolder { folder in
            var server = try await folder.start()
            var cutOff = 0
            for repo in CrashWriter.repos + [CrashCompany.drops] { try await server.pfs.createRepo(repo) }
            for round in 1...rounds {
                let context = "seed \(seed), round \(round)"
                let company = CrashCompany(
                    server: server, ledger: CrashLedger(writers: CrashWriter.all.count), round: round, seed: seed)
                try await Self.writeUntilKilled(company, random)
                #expect(company.ledger.unexpected == [], "\(context), the server said: \(server.program.errorText)")
                cutOff += company.ledger.isCutOff ? 1 : 0
                server = try await folder.start()
                try await company.checkDelivered(by: server.pfs, context)
                try await expectation.check(server.pfs, company.ledger.attempts, context, random)
            }
            #expect(cutOff <= rounds / 3, "connections were lost in \(cutOff) rounds of \(rounds)")
            await server.crash()
            server = try await folder.start()
            try await expectation.checkAll(server.pfs, "seed \(seed), at the end")
            #expect(await server.terminate() == .status(0))
        }
        for way in CrashWriter.Way.allCases {
            #expect(expectation.acknowledged[way, default: 0] > 0, "no \(way) commit was acknowledged: seed \(seed)")
        }
    }

    /// Lets all writers write and kills the server after a number of acknowledged commits.
    private static func writeUntilKilled(_ company: CrashCompany, _ random: SeededRandomness) async throws {
        let (server, ledger) = (company.server, company.ledger)
        let commits = 5 + random.below(100)
        let hops = random.below(200)
        await withTaskGroup(of: Void.self) { group in
            for writer in CrashWriter.all {
                group.addTask { await writer.run(server.pfs, ledger, round: company.round, seed: company.seed) }
            }
            group.addTask { await company.run() }
            group.addTask {
                var seen = 0
                for await _ in ledger.acknowledgements {
                    seen += 1
                    if seen == commits { break }
                }
                // Not always right behind an answer.
                for _ in 0..<hops { await Task.yield() }
                ledger.kill()
                let ending = await server.crash()
                #expect(
                    ending == .signal(SIGKILL),
                    "round \(company.round) killed a server that was gone: \(server.program.errorText)")
            }
        }
    }
}

/// What must be in the store, from what was acknowledged and what was then found of the rest.
struct CrashExpectation {
    fileprivate struct Branch {
        /// Ids from the first commit to the head.
        var commits: [String] = []
        var files: [String: Content] = [:]
    }
    private var branches: [BranchKey: Branch] = [:]
    private(set) var acknowledged: [CrashWriter.Way: Int] = [:]

    /// Compares the store with what the round's writers know, and takes over what it finds.
    mutating func check(
        _ pfs: PfsV2_API.Client<ServerProcess.Transport>, _ attempts: [Attempt], _ context: String,
        _ random: SeededRandomness
    ) async throws {
        for writer in CrashWriter.all where writer.way != .shared || writer.branch != Self.previous(writer) {
            let own = attempts.filter { $0.branch == writer.branch }
            acknowledged[writer.way, default: 0] += own.count(where: \.isDone)
            try await check(writer.branch, pfs, own, "\(context), \(writer.branch)", random)
        }
        #expect(try await pfs.fsck() == [], "\(context)")
    }

    private static func previous(_ writer: CrashWriter) -> BranchKey? {
        writer.number == 0 ? nil : CrashWriter.all[writer.number - 1].branch
    }

    private mutating func check(
        _ key: BranchKey, _ pfs: PfsV2_API.Client<ServerProcess.Transport>, _ attempts: [Attempt],
        _ context: String, _ random: SeededRandomness
    ) async throws {
        var branch = branches[key] ?? Branch()
        let history = try await pfs.history(of: key)
        let ids = history.map(\.commit.id)
        #expect(Array(ids.prefix(branch.commits.count)) == branch.commits, "\(context): history changed")
        var missing = attempts
        for info in history.dropFirst(branch.commits.count) {
            let found = try await take(info, from: &missing, pfs, context)
            branch.files.merge(found) { $1 }
            if !info.hasFinishing {
                #expect(info.commit.id == ids.last, "\(context): an open commit has a child")
                try await pfs.finish(info.commit)
            }
        }
        for attempt in missing where attempt.isDone || attempt.id != nil {
            Issue.record("\(context): acknowledged and lost: \(attempt.id ?? "") \(attempt.files.keys.min() ?? "")")
        }
        branch.commits = ids
        branches[key] = branch
        guard !ids.isEmpty else { return }
        try await compareHead(key, branch, pfs, context)
        for _ in 0..<(branch.files.isEmpty ? 0 : 3) {
            let (path, content) = random.pick(branch.sorted)
            #expect(try await pfs.content(path, in: key.commit) == content.bytes, "\(context): \(path)")
        }
    }

    /// Finds the attempt that a commit came from, and checks that it is there whole. Gives the files it added.
    private func take(
        _ info: PfsV2_CommitInfo, from attempts: inout [Attempt], _ pfs: PfsV2_API.Client<ServerProcess.Transport>,
        _ context: String
    ) async throws -> [String: Content] {
        let changes = try await pfs.changes(in: info.commit)
        let paths = Set(changes.map(\.newFile.file.path))
        #expect(changes.allSatisfy { $0.hasNewFile && !$0.hasOldFile }, "\(context): only additions were asked for")
        #expect(info.error.isEmpty, "\(context): \(info.error)")
        let index = attempts.firstIndex { attempt in
            if let id = attempt.id { return id == info.commit.id }
            return paths.isEmpty ? attempt.isThreefold : Set(attempt.files.keys) == paths
        }
        guard let index else {
            Issue.record("\(context): \(info.commit.id) holds what nobody wrote, or a part: \(paths.sorted())")
            return [:]
        }
        let attempt = attempts.remove(at: index)
        if attempt.isDone || !attempt.isThreefold {
            #expect(info.hasFinished, "\(context): \(info.commit.id) is not finished")
        }
        if paths.isEmpty && attempt.isThreefold && !attempt.isWritten { return [:] }
        #expect(paths == Set(attempt.files.keys), "\(context): \(info.commit.id) is there in part")
        for (path, content) in attempt.files {
            let bytes = try await pfs.content(path, in: info.commit)
            #expect(bytes == content.bytes, "\(context): \(path), \(bytes.count) bytes of \(content.size)")
        }
        return attempt.files
    }

    private func compareHead(
        _ key: BranchKey, _ branch: Branch, _ pfs: PfsV2_API.Client<ServerProcess.Transport>, _ context: String
    ) async throws {
        let found = try await pfs.walk(key.commit).filter { $0.fileType == .file }
        let sizes = Dictionary(found.map { ($0.file.path, Int($0.sizeBytes)) }) { $1 }
        #expect(sizes == branch.files.mapValues(\.size), "\(context): the head")
    }

    /// Reads every byte of every branch.
    func checkAll(_ pfs: PfsV2_API.Client<ServerProcess.Transport>, _ context: String) async throws {
        for (key, branch) in branches where !branch.commits.isEmpty {
            let context = "\(context), \(key)"
            #expect(try await pfs.history(of: key).map(\.commit.id) == branch.commits, "\(context)")
            try await compareHead(key, branch, pfs, context)
            for (path, content) in branch.files {
                #expect(try await pfs.content(path, in: key.commit) == content.bytes, "\(context): \(path)")
            }
        }
        #expect(try await pfs.fsck() == [], "\(context)")
    }
}

extension CrashExpectation.Branch {
    fileprivate var sorted: [(String, Content)] { files.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
}
