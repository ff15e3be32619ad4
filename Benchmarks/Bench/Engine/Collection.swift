import Core
import Foundation
import Versioning

/// One whole garbage collection in the calling thread, with the times of its stages.
struct Collection {
    let report: GarbageReport
    /// Seconds spent on reading trees.
    let marking: Double
    /// Seconds spent on removing segments and writing others anew.
    let sweeping: Double

    /// Never rests, as one that a user asks for.
    init(_ engine: Engine, dryRun: Bool = false) throws {
        var options = GarbageOptions()
        options.isDryRun = dryRun
        let times = Times()
        let watch = Stopwatch()
        report = try engine.history.collectGarbage(options, pause: { _ in }) { progress in
            switch progress {
            case .marking: times.marked = watch.seconds
            case .waiting: break
            case .sweeping(let done, _, _): if done == 0 { times.sweeping = watch.seconds }
            }
        }
        marking = times.marked
        sweeping = dryRun ? 0 : watch.seconds - times.sweeping
    }

    private final class Times {
        var marked = 0.0
        var sweeping = 0.0
    }
}

extension Engine {
    /// What the store's segments take on the disk, in megabytes.
    func megabytes() throws -> Double { try DiskFigures.megabytes(in: folder + "/segments") }

    /// Takes the newest commits of `master` away, with what they brought.
    func dropNewest(_ count: Int, of repo: RepoKey) async throws {
        try await history.transact(as: .user("")) { transaction in
            for _ in 0..<count {
                try transaction.remove(CommitHandle(repo.branch("master")), by: .drop, recursive: false)
            }
        }
    }

    /// Takes commits out of history; what only they had goes.
    func squash(_ commits: [CommitKey]) async throws {
        try await history.transact(as: .user("")) { transaction in
            for commit in commits { try transaction.remove(CommitHandle(commit), by: .squash, recursive: false) }
        }
    }
}
