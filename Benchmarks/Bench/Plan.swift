/// How much to measure. The default keeps a whole run within a quarter of an hour on a small machine.
struct Plan: Sendable {
    /// Samples of each figure.
    var runs = 5
    /// Length of a window that counts events per second, in seconds.
    var window = 1.0
    /// Files of 1 KiB in one stream.
    var files = 100_000
    /// Files of the trees that are compared: each with the first, which is the smallest.
    var trees = [1_000, 10_000, 100_000, 1_000_000]
    var smallTree: Int { trees.min() ?? 0 }
    var largeTree: Int { trees.max() ?? 0 }
    /// Files in one directory of those trees.
    var directory = 1_000
    /// Commits of the histories that are compared: each with the first, which is the shortest.
    var histories = [1_000, 10_000, 100_000]
    var longHistory: Int { histories.max() ?? 0 }
    /// Commits in one sample of a comparison.
    var comparedCommits = 200
    /// Bytes of the large incompressible file.
    var largeFile = 1 << 30
    /// Bytes of the file that is appended to.
    var appended: UInt64 = 1 << 30
    /// Commits of a history that loses half of them, and bytes of new content in each.
    var removedFrom = 128
    var removedBytes = 4 << 20
    /// Commits of 1 KiB of a history that loses half of them.
    var smallRemovedFrom = 20_000
    /// Longest time that one background collection is measured, in seconds.
    var background = 6.0
    /// Spouts that write at the same time, commits a second of each, and for how long, in seconds.
    var spouts = 50
    var spoutRate = 20
    var spoutSeconds = 10.0
    /// Launches of one spout, one after another.
    var launches = 200
    /// Files that a pipeline reads, of which one changes: each with the first, which is the smallest.
    var jobTrees = [100, 10_000, 1_000_000]
    /// How long what removed many files is let rest before files are made again, in seconds: an ext4 without a journal
    /// passes over the inodes that were freed in the last five minutes one by one.
    var inodeRest: UInt32 = 310
    /// Commits, one at a time, whose code's beginning is waited for.
    var warmCommits = 200
    /// Datums of one job.
    var datums = 1_000
    /// Commits that go through two stages of code.
    var streamedCommits = 10_000
    /// Samples of what takes long: at most so many, whatever `runs` says.
    var longRuns = 3
    /// Longest wait for a quiet machine, in seconds: before one window, and in all.
    var quietWait = 60.0
    var quietAllowance = 240.0

    static let standard = Plan()

    /// The sizes the budgets name, where the default stays below them to save time and disk.
    static let full: Plan = {
        var plan = Plan()
        plan.appended = 10_000_000_000
        return plan
    }()

    /// A smoke test: shows that everything runs; its figures mean nothing.
    static let quick: Plan = {
        var plan = Plan()
        plan.runs = 1
        plan.window = 0.1
        plan.files = 2_000
        plan.trees = [1_000, 2_000, 5_000, 10_000]
        plan.histories = [100, 500, 2_000]
        plan.comparedCommits = 20
        plan.largeFile = 32 << 20
        plan.appended = 32 << 20
        plan.removedFrom = 16
        plan.removedBytes = 1 << 20
        plan.smallRemovedFrom = 200
        plan.background = 0.5
        plan.spouts = 3
        plan.spoutSeconds = 0.5
        plan.launches = 6
        plan.warmCommits = 5
        plan.datums = 20
        plan.jobTrees = [100, 2_000]
        plan.inodeRest = 0
        plan.streamedCommits = 20
        plan.quietWait = 0
        plan.quietAllowance = 0
        return plan
    }()
}
