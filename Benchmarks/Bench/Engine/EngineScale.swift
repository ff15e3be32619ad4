import Core
import Storage
import Versioning

/// Commits of one small file in large trees and after long histories, against small trees and short histories.
struct EngineScale {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    /// The largest tree serves the reads and the marking, too.
    func byTreeSize() async throws {
        let memory = MemoryLine(bench, "engine: resident memory, commits and reads of \(plan.largeTree) files")
        let engine = try Engine(folder: try bench.newFolder("trees"))
        var sides: [Turns.Side] = []
        var largest: RepoKey?
        Progress.say("  preparing \(plan.trees.reduce(0, +)) files")
        for (index, files) in plan.trees.enumerated() {
            let repo = try await engine.makeRepo("files\(files)")
            try await engine.fill(repo, files, directory: plan.directory)
            let changes = Replacements(
                engine, repo, files: files, directory: plan.directory, seed: UInt64(index) + 1)
            sides.append(Turns.Side(name: "at \(files) files", goal: .atMost(1.5)) { try await changes.one() })
            largest = repo
        }
        memory.end("making these")
        try await Turns(bench: bench, name: "engine: commit", sides: sides).measure()
        memory.end("commits")
        if let largest { try await EngineReads(bench: bench).run(engine, largest) }
        memory.end("reads")
        memory.endRun()
        memory.show()
        try await EngineMarking(bench: bench).run(engine)
        try engine.history.close()
    }

    /// Leaves the longest history behind for ``ServerStart``.
    func byHistory() async throws -> String {
        var engines: [Engine] = []
        var sides: [Turns.Side] = []
        for (index, commits) in plan.histories.enumerated() {
            Progress.say("  preparing \(commits) commits")
            let engine = try Engine(folder: try bench.newFolder("history"))
            let repo = try await engine.makeRepo("history")
            try await engine.repeatCommits(commits, repo, files: plan.smallTree, directory: plan.directory)
            let changes = Replacements(
                engine, repo, files: plan.smallTree, directory: plan.directory, seed: UInt64(index) + 1)
            sides.append(Turns.Side(name: "after \(commits) commits", goal: .atMost(1.1)) { try await changes.one() })
            engines.append(engine)
        }
        try await Turns(bench: bench, name: "engine: commit", sides: sides).measure()
        for engine in engines { try engine.history.close() }
        return engines.last?.folder ?? ""
    }
}
