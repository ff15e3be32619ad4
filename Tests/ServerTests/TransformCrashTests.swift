import API
import Core
import Foundation
import GRPCCore
import Simulation
import Synchronization
import Testing

/// Two transforms with processes of their own, a server that is killed in the middle of their jobs, and processes that
/// are killed as well: at the end every job is over and good, and its output is that of an undisturbed run.
///
/// `SPILE_CRASH_ROUNDS` makes it longer, `SPILE_CRASH_SEED` other.
@Suite(.serialized) struct TransformCrashTests {
    private static func number(_ name: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }

    private static var canMount: Bool { geteuid() == 0 || access("/pfs", F_OK) == 0 }

    @Test(.enabled(if: canMount), .timeLimit(.minutes(30)))
    func `jobs come to a good end however often the server and their code are killed`() async throws {
        let rounds = Self.number("SPILE_CRASH_ROUNDS", 8)
        let seed = UInt64(Self.number("SPILE_CRASH_SEED", 1))
        let random = SeededRandomness(seed: seed)
        try await withServerFolder { folder in
            var server = try await folder.start()
            try await TransformWork.create(on: server)
            var (cutOff, killed) = (0, 0)
            for round in 1...rounds {
                let end = try await Self.disturb(server, in: folder, random, "seed \(seed), round \(round)")
                cutOff += end.isOfCode.load(ordering: .relaxed) ? 1 : 0
                killed += end.killed.load(ordering: .relaxed)
                server = try await folder.start()
            }
            let ids = try await TransformWork.commits(on: server)
            #expect(ids.count > rounds)
            for id in ids { try await TransformWork.checkJobs(of: id, on: server, "seed \(seed)") }
            #expect(cutOff > 0 && killed > 0, "\(cutOff) jobs were cut off, \(killed) datums: seed \(seed)")
            #expect(try await server.pfs.fsck() == [])
            try await Self.compare(server, ids, "seed \(seed)")
            #expect(await server.terminate() == .status(0))
            #expect(CodeProcesses.ids(below: folder.path) == [], "processes outlived their server")
        }
    }

    /// Commits files, kills processes of the code now and then, and kills the server when a random job is over.
    private static func disturb(
        _ server: ServerProcess, in folder: ServerFolder, _ random: SeededRandomness, _ context: String
    ) async throws -> ServerEnd {
        let watched = random.below(3)
        let hops = random.below(4000)
        let end = ServerEnd()
        let salt = random.next()
        // Now and then it is asked to end: then nothing may be left.
        let isAsked = random.below(4) == 0
        await withDiscardingTaskGroup { group in
            group.addTask {
                do {
                    try await commit(SeededRandomness(seed: salt), waitingFor: watched, on: server)
                } catch {
                    Issue.record("\(context): \(error), the server said: \(server.program.errorText)")
                }
                for _ in 0..<hops { await Task.yield() }
                end.isNear.store(true, ordering: .relaxed)
                end.isOfCode.store(!CodeProcesses.ids(below: folder.path).isEmpty, ordering: .relaxed)
                let ending = isAsked ? await server.terminate() : await server.crash()
                let wanted: Ending = isAsked ? .status(0) : .signal(SIGKILL)
                #expect(ending == wanted, "\(context): \(server.program.errorText)")
                if isAsked { #expect(CodeProcesses.ids(below: folder.path) == [], "\(context)") }
            }
            group.addTask {
                let random = SeededRandomness(seed: salt &+ 1)
                // A datum that is killed is tried again, but not for ever: so many at most.
                for _ in 0..<4 {
                    var found: [pid_t] = []
                    while found.isEmpty, !end.isNear.load(ordering: .relaxed) {
                        // Those that were started first: whoever starts others has to see to those itself.
                        found = CodeProcesses.ids(below: folder.path).filter { getpgid($0) == $0 }
                        await Task.yield()
                    }
                    if !found.isEmpty, kill(random.pick(found), SIGKILL) == 0 {
                        end.killed.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        return end
    }

    /// Makes commits, and returns when a job of one of them is over: those behind it are not.
    private static func commit(
        _ random: SeededRandomness, waitingFor watched: Int, on server: ServerProcess
    ) async throws {
        var ids: [String] = []
        for _ in 0..<(watched + 3) { ids.append(try await TransformWork.commit(random, on: server)) }
        _ = try await TransformWork.job(TransformWork.stages[random.below(2)], ids[watched], on: server)
    }

    /// Does the same commits on a server that nobody disturbs, and compares all outputs.
    private static func compare(_ server: ServerProcess, _ ids: [String], _ context: String) async throws {
        try await withServerFolder { folder in
            let plain = try await folder.start()
            try await TransformWork.create(on: plain)
            for id in ids {
                let input = try await TransformWork.content(of: TransformWork.data, id, on: server)
                let same = try await TransformWork.commit(input, on: plain)
                try await TransformWork.checkJobs(of: same, on: plain, "undisturbed")
                for stage in TransformWork.stages {
                    let found = try await TransformWork.outline(of: stage, id, on: server)
                    let wanted = try await TransformWork.outline(of: stage, same, on: plain)
                    #expect(found == wanted && !found.isEmpty, "\(context): output of \(stage) for \(id)")
                }
            }
            #expect(await plain.terminate() == .status(0))
        }
    }
}

/// How a server ends: whether it is about to, whether code runs then, and how much of it was killed before.
private final class ServerEnd: Sendable {
    let isNear = Atomic<Bool>(false)
    let isOfCode = Atomic<Bool>(false)
    let killed = Atomic<Int>(0)
}

/// What the two transforms are, and what is asked of them.
private enum TransformWork {
    static let data = RepoKey(name: "data")
    static let stages = ["count", "sum"]

    private static let specs = [
        #"""
        {"pipeline": {"name": "count"}, "input": {"pfs": {"repo": "data", "glob": "/*"}}, "datumTries": 50,
         "parallelismSpec": {"constant": 2}, "transform": {"cmd": ["sh"], "stdin": [
           "for file in /pfs/data/*; do name=$(basename $file)",
           "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done",
           "wc -c < $file > /pfs/out/$name; cksum < $file >> /pfs/out/$name; done"]}}
        """#,
        #"""
        {"pipeline": {"name": "sum"}, "input": {"pfs": {"repo": "count", "glob": "/"}}, "datumTries": 50,
         "transform": {"cmd": ["sh"], "stdin": [
           "for file in /pfs/count/*; do echo $(basename $file) $(cat $file); done > /pfs/out/all"]}}
        """#,
    ]

    static func create(on server: ServerProcess) async throws {
        try await server.pfs.createRepo(data)
        for spec in specs {
            _ = try await server.pps.createPipelineV2(.with { $0.createPipelineRequestJson = spec })
        }
    }

    /// Changes some of few files in one commit, and gives its id.
    static func commit(_ random: SeededRandomness, on server: ServerProcess) async throws -> String {
        var files: [String: Data] = [:]
        for _ in 0...random.below(3) {
            files["/\(random.below(9))"] = Content(seed: random.next(), size: 1 + random.below(5000)).bytes
        }
        return try await commit(files, on: server)
    }

    static func commit(_ files: [String: Data], on server: ServerProcess) async throws -> String {
        let branch = data.branch("master")
        _ = try await server.pfs.modifyFile { writer in
            try await writer.write(.target(branch.commit))
            for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
                try await writer.write(.with { $0.deleteFile.path = path })
                try await writer.write(.add(path, bytes))
            }
        }
        return try await server.pfs.inspectCommit(.with { $0.commit = branch.commit }).commit.id
    }

    /// The sets of the input's commits, oldest first: those too whose writer never heard of it.
    static func commits(on server: ServerProcess) async throws -> [String] {
        let all = try await server.pfs.history(of: data.branch("master"))
        #expect(all.allSatisfy { $0.hasFinished && $0.error.isEmpty })
        // The branch begins with a commit that nobody wrote.
        return all.filter { $0.origin.kind == .user }.map(\.commit.id)
    }

    /// A job once it is over.
    static func job(_ stage: String, _ id: String, on server: ServerProcess) async throws -> PpsV2_JobInfo {
        try await server.pps.inspectJob(
            .with {
                $0.job.pipeline.name = stage
                $0.job.pipeline.project.name = "default"
                $0.job.id = id
                $0.wait = true
            })
    }

    /// Checks both jobs of a commit once they are over.
    static func checkJobs(of id: String, on server: ServerProcess, _ context: String) async throws {
        for stage in stages {
            let info = try await job(stage, id, on: server)
            #expect(info.state == .jobSuccess, "\(context): \(stage)@\(id) \(info.reason)")
            let datums = info.dataProcessed + info.dataSkipped
            #expect(datums == info.dataTotal && info.dataFailed == 0, "\(context): \(stage)@\(id)")
        }
    }

    private static func commit(_ repo: RepoKey, _ id: String) -> PfsV2_Commit {
        .with {
            $0.repo = repo.wire
            $0.id = id
        }
    }

    /// Paths, datums, sizes and digests of all that there is.
    static func outline(of stage: String, _ id: String, on server: ServerProcess) async throws -> [String] {
        try await server.pfs.walk(commit(RepoKey(name: stage), id)).map {
            "\($0.file.path) \($0.file.datum) \($0.sizeBytes) \($0.hash.base64EncodedString())"
        }
    }

    static func content(of repo: RepoKey, _ id: String, on server: ServerProcess) async throws -> [String: Data] {
        var files: [String: Data] = [:]
        let commit = commit(repo, id)
        for info in try await server.pfs.walk(commit) where info.fileType == .file {
            files[info.file.path] = try await server.pfs.content(info.file.path, in: commit)
        }
        return files
    }
}

/// The processes of users' code that servers on a folder have started.
private enum CodeProcesses {
    static func ids(below folder: String) -> [pid_t] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let mark = Data("SPILE_RUN_FOLDER=\(folder)".utf8)
        return all.compactMap { pid_t($0) }.filter { id in
            guard let environment = FileManager.default.contents(atPath: "/proc/\(id)/environ") else { return false }
            return environment.range(of: mark) != nil
        }
    }
}

extension ServerProcess {
    fileprivate var pps: PpsV2_API.Client<Transport> { .init(wrapping: client) }
}
